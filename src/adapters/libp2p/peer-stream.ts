/**
 * One libp2p stream as the domain's PeerStream: pull instead of events, back-pressure both ways.
 *
 * libp2p's own helpers are avoided on purpose: `onDrain()` resolves at once after its first use, and its async
 * iterator queues without bound.
 */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import { concat } from 'uint8arrays'
import { KIB, MIB, type Bytes, type Ms } from '../../model/units.ts'
import type { AbortOptions } from '../../ports/options.ts'
import type { PeerStream } from '../../ports/network.ts'

/** Unread bytes at which the sender is slowed down, and at which it may go on. A frame of 1 MiB fits. */
const QUEUE_BYTES_MAX: Bytes = MIB
const QUEUE_BYTES_LOW: Bytes = 512 * KIB
/** What a queued chunk costs beside its bytes: one-byte frames must not cost a hundred times their weight. */
const CHUNK_OVERHEAD: Bytes = 256
/** Unsent bytes at which a writer waits: one yamux window, so that the wire never runs dry. */
const UNSENT_BYTES_MAX: Bytes = 256 * KIB
/** Parts below this travel together: a copy of 16 KiB costs less than an encrypted frame of its own. */
const SMALL_PART_BYTES: Bytes = 16 * KIB
/** Largest send made of small parts: below one yamux window, so that it leaves in one piece. */
const MERGED_BYTES_MAX: Bytes = 192 * KIB
/** Longest wait for the other side to take what is still unsent at a close. */
const CLOSE_BUDGET: Ms = 5_000

interface Waiter {
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** A stream that ended while it was needed. */
export class StreamBrokenError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StreamBrokenError'
  }
}

export class Libp2pPeerStream implements PeerStream {
  readonly peer: string
  readonly #stream: Stream
  readonly #chunks: Uint8Array[] = []
  #queued: Bytes = 0
  #written: Bytes = 0
  #resuming = false
  #ended = false
  #closed = false
  #error: Error | undefined
  readonly #readers = new Set<Waiter>()
  readonly #writers = new Set<Waiter>()

  constructor(peer: string, stream: Stream) {
    this.peer = peer
    this.#stream = stream
    stream.addEventListener('message', event => {
      this.#onMessage(event)
    })
    stream.addEventListener('end', () => {
      this.#onEnd()
    })
    stream.addEventListener('close', event => {
      this.#onClose(event)
    })
    stream.addEventListener('drain', () => {
      queueMicrotask(() => {
        this.#onDrain()
      })
    })
    this.#ended = stream.readableEnded
    if (stream.status === 'aborted' || stream.status === 'reset')
      this.#error = new StreamBrokenError(`the stream was ${stream.status} before it was used`)
  }

  get taken(): Bytes {
    return this.#written - this.#stream.writeBufferLength
  }

  async read(options: AbortOptions = {}): Promise<Uint8Array | null> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#queued -= chunk.byteLength + CHUNK_OVERHEAD
        this.#resumeWhenLow()
        return chunk
      }
      if (this.#ended) return null
      await wait(this.#readers, options.signal)
    }
  }

  async write(parts: readonly Uint8Array[], options: AbortOptions = {}): Promise<void> {
    for (const part of mergeSmall(parts)) {
      options.signal?.throwIfAborted()
      this.#assertWritable()
      this.#written += part.byteLength
      this.#stream.send(part)
      while (this.#stream.writeBufferLength > UNSENT_BYTES_MAX) {
        this.#assertWritable()
        await wait(this.#writers, options.signal)
      }
    }
  }

  async close(options: AbortOptions = {}): Promise<void> {
    try {
      await this.#stream.close({ signal: options.signal ?? AbortSignal.timeout(CLOSE_BUDGET) })
    } catch (error) {
      this.abort(new StreamBrokenError('the stream could not be closed', { cause: error }))
      throw error
    }
  }

  abort(reason: Error): void {
    this.#error ??= reason
    this.#stream.abort(reason)
    this.#wakeAll()
  }

  #onMessage(event: StreamMessageEvent): void {
    const { data } = event
    if (data instanceof Uint8Array) this.#push(data)
    else for (const chunk of data) this.#push(chunk)
    wake(this.#readers)
    if (!this.#resuming) this.#pauseWhenFull()
  }

  /** Without Node's Buffer, whose `slice` shares where that of the type it claims to be copies. */
  #push(chunk: Uint8Array): void {
    this.#chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    this.#queued += chunk.byteLength + CHUNK_OVERHEAD
  }

  #onEnd(): void {
    this.#ended = true
    wake(this.#readers)
  }

  #onClose(event: StreamCloseEvent): void {
    this.#closed = true
    if (event.error !== undefined)
      this.#error ??= new StreamBrokenError(event.local === true ? 'the stream was aborted here' : 'the peer reset the stream', {
        cause: event.error
      })
    this.#wakeAll()
  }

  #onDrain(): void {
    if (this.#stream.writeBufferLength <= UNSENT_BYTES_MAX) wake(this.#writers)
  }

  #wakeAll(): void {
    wake(this.#readers)
    wake(this.#writers)
  }

  #assertWritable(): void {
    if (this.#error !== undefined) throw this.#error
    if (this.#closed) throw new StreamBrokenError('the connection was closed')
  }

  #pauseWhenFull(): void {
    if (this.#queued >= QUEUE_BYTES_MAX && this.#stream.readStatus === 'readable') this.#stream.pause()
  }

  /**
   * Pausing inside `resume()` would leave the window open while the stream counts as paused, until its read buffer
   * overflows and aborts it; so what `resume()` delivers is taken first and the state looked at afterwards.
   */
  #resumeWhenLow(): void {
    if (this.#queued > QUEUE_BYTES_LOW || this.#stream.readStatus !== 'paused') return
    this.#resuming = true
    try {
      this.#stream.resume()
    } catch {
      // The connection is gone and cannot take a window update; what had arrived was delivered before that.
    } finally {
      this.#resuming = false
    }
    this.#pauseWhenFull()
  }
}

function wake(waiters: Set<Waiter>): void {
  const all = [...waiters]
  waiters.clear()
  for (const waiter of all) waiter.resolve()
}

async function wait(waiters: Set<Waiter>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const waiter = { resolve, reject }
  const onAbort = (): void => {
    waiters.delete(waiter)
    reject(signal?.reason)
  }
  waiters.add(waiter)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    await promise
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

/** Runs of small parts as one buffer each; large parts as they are, uncopied. */
function* mergeSmall(parts: readonly Uint8Array[]): Generator<Uint8Array> {
  let small: Uint8Array[] = []
  let bytes = 0
  for (const part of parts) {
    const isSmall = part.byteLength < SMALL_PART_BYTES
    if (small.length > 0 && (!isSmall || bytes + part.byteLength > MERGED_BYTES_MAX)) {
      yield merge(small, bytes)
      small = []
      bytes = 0
    }
    if (isSmall) {
      small.push(part)
      bytes += part.byteLength
    } else {
      yield part
    }
  }
  if (small.length > 0) yield merge(small, bytes)
}

function merge(parts: readonly Uint8Array[], bytes: Bytes): Uint8Array {
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : concat([...parts], bytes)
}
