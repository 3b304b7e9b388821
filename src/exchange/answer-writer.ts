/** Writes an answer in large sends: ten thousand small blocks must not be ten thousand encrypted packets. */
import { startDeadline } from '../lib/deadline.ts'
import { KIB, type Bytes, type Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerStream } from '../ports/network.ts'
import type { FairShare } from './fair-share.ts'

/** Bytes gathered before they are sent. One yamux window; more only delays. */
const BATCH_BYTES: Bytes = 256 * KIB
/** Longest wait for the peer to take a batch: who does not read holds a place others need, see answers.ts. */
const WRITE_STALL: Ms = 30_000

/** A batch on its way. */
export interface Writing {
  readonly since: Ms
  /** Bytes that have left on this stream, those of earlier batches included. */
  readonly taken: Bytes
}

/** The peer vanished, reset the stream or stopped reading. Nobody here is at fault. */
export class PeerGoneError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PeerGoneError'
  }
}

interface AnswerWriterComponents {
  readonly stream: PeerStream
  /** Decides whose batch goes next. */
  readonly share: FairShare
  readonly isTrusted: boolean
  readonly clock: Clock
  /** Aborted when the answer is no longer wanted. */
  readonly signal: AbortSignal
}

export class AnswerWriter {
  readonly #to: AnswerWriterComponents
  #parts: Uint8Array[] = []
  #bytes: Bytes = 0
  /** What the peer took. */
  sentBytes: Bytes = 0
  #writingSince: Ms | undefined

  constructor(to: AnswerWriterComponents) {
    this.#to = to
  }

  get signal(): AbortSignal {
    return this.#to.signal
  }

  /** How far the batch is that the peer is to take; undefined while it is not the peer that is waited for. */
  writing(): Writing | undefined {
    return this.#writingSince === undefined ? undefined : { since: this.#writingSince, taken: this.#to.stream.taken ?? 0 }
  }

  /** True when enough has gathered and {@link flush} should be awaited. */
  get isFull(): boolean {
    return this.#bytes >= BATCH_BYTES
  }

  add(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#parts.push(part)
      this.#bytes += part.byteLength
    }
  }

  /** Resolves when more may be added. @throws PeerGoneError */
  async flush(): Promise<void> {
    if (this.#bytes === 0) return
    const parts = this.#parts
    const bytes = this.#bytes
    this.#parts = []
    this.#bytes = 0
    const { stream, share, signal, isTrusted } = this.#to
    const turn = share.enter({ peer: stream.peer, isTrusted }, bytes, { signal })
    using _turn = turn instanceof Promise ? await turn : turn
    using deadline = startDeadline(this.#to.clock, WRITE_STALL, { signal })
    this.#writingSince = this.#to.clock.monotonic()
    try {
      await stream.write(parts, { signal: deadline.signal })
      this.sentBytes += bytes
    } catch (error) {
      throw new PeerGoneError('the peer took no more of the answer', { cause: error })
    } finally {
      this.#writingSince = undefined
    }
  }
}
