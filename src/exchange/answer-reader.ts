/** One answer, frame by frame, as a client reads it: stalls and broken streams become SourceErrors. */
import { startDeadline } from '../lib/deadline.ts'
import { BLOCK_MS_MAX, isComing } from '../model/slow-line.ts'
import type { Bytes, Ms } from '../model/units.ts'
import { SourceError } from '../ports/block-source.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { FrameStream } from './frame-stream.ts'
import { ProtocolOffence, type Frame } from './frames.ts'

/** Longest wait for a whole frame while hardly anything comes. Time the receiver needs for the one before does not count. */
const STALL: Ms = 30_000

/** The stream ended before the answer did. */
export class StreamEndedError extends SourceError {
  constructor(options?: ErrorOptions) {
    super('fault', 'the stream ended before the answer did', options)
  }
}

interface AnswerReaderComponents {
  readonly clock: Clock
  /** What has come from the peer so far, on whatever stream: what it owes may wait behind it. */
  readonly heard: () => Bytes
}

export class AnswerReader {
  readonly #frames: FrameStream
  readonly #parts: AnswerReaderComponents
  readonly #options: AbortOptions
  /** Frames received so far. */
  count = 0

  constructor(frames: FrameStream, components: AnswerReaderComponents, options: AbortOptions) {
    this.#frames = frames
    this.#parts = components
    this.#options = options
  }

  /** @throws SourceError (timeout, fault) · ProtocolOffence · the signal's reason */
  async next(): Promise<Frame> {
    this.#options.signal?.throwIfAborted()
    const frame = this.#frames.take() ?? (await this.#wait())
    this.count++
    return frame
  }

  async #wait(): Promise<Frame> {
    const { clock, heard } = this.#parts
    const end = clock.monotonic() + BLOCK_MS_MAX
    for (;;) {
      const before = heard()
      const frame = await this.#within(STALL)
      if (frame !== undefined) return frame
      if (!isComing(heard() - before, STALL) || clock.monotonic() >= end)
        throw new SourceError('timeout', `the peer sent nothing whole for ${STALL / 1000} s`)
    }
  }

  /** Undefined: the time is over. */
  async #within(time: Ms): Promise<Frame | undefined> {
    using deadline = startDeadline(this.#parts.clock, time, this.#options)
    let frame: Frame | null
    try {
      frame = await this.#frames.next({ signal: deadline.signal })
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      if (error instanceof ProtocolOffence) throw error
      if (deadline.signal.aborted) return undefined
      throw new StreamEndedError({ cause: error })
    }
    if (frame === null) throw new StreamEndedError()
    return frame
  }

  /** To be called with END: nothing may follow it. */
  assertFinished(): void {
    if (!this.#frames.isEmpty) throw new ProtocolOffence('unexpected-frame', 'bytes follow the end of the answer')
  }
}
