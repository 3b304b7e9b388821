/** Frames over one PeerStream, with at most one read under way: who stops waiting loses nothing that arrives later. */
import { abortable } from '../lib/deadline.ts'
import type { Bytes } from '../model/units.ts'
import type { PeerStream } from '../ports/network.ts'
import type { AbortOptions } from '../ports/options.ts'
import { FrameReader, ProtocolOffence, type Frame } from './frames.ts'
import { SKIPPABLE_FROM } from './protocol.ts'

/** Why a quiet stream is no longer quiet. */
type Arrival = 'bytes' | 'closed'

export class FrameStream {
  readonly stream: PeerStream
  readonly #reader: FrameReader
  readonly #onBytes: (bytes: Bytes) => void
  #reading: Promise<Uint8Array | null> | undefined

  /** @param onBytes - told of what arrives, before a frame is whole */
  constructor(stream: PeerStream, limitOf: (type: number) => Bytes, onBytes: (bytes: Bytes) => void = () => {}) {
    this.stream = stream
    this.#onBytes = onBytes
    this.#reader = new FrameReader(limitOf)
  }

  /** True while nothing after the last frame has been looked at. */
  get isEmpty(): boolean {
    return this.#reader.isEmpty
  }

  /** The next frame if it has already arrived. Frames that may be skipped are. @throws ProtocolOffence */
  take(): Frame | undefined {
    let frame = this.#reader.next()
    while (frame !== undefined && frame.type >= SKIPPABLE_FROM) frame = this.#reader.next()
    return frame
  }

  /** The next frame; null when the peer closed its end between two. @throws ProtocolOffence, or what broke the stream */
  async next(options: AbortOptions): Promise<Frame | null> {
    for (;;) {
      const frame = this.take()
      if (frame !== undefined) return frame
      const chunk = await abortable(this.#read(), options)
      this.#reading = undefined
      if (chunk === null) {
        if (!this.#reader.isEmpty) throw new ProtocolOffence('truncated-frame', 'the stream ended inside a frame')
        return null
      }
      this.#onBytes(chunk.byteLength)
      this.#reader.push(chunk)
    }
  }

  /** Resolves when something arrives or the stream ends; takes nothing away from {@link next}. Never rejects. */
  async arrival(): Promise<Arrival> {
    try {
      return (await this.#read()) === null ? 'closed' : 'bytes'
    } catch {
      return 'closed'
    }
  }

  #read(): Promise<Uint8Array | null> {
    if (this.#reading === undefined) {
      this.#reading = this.stream.read()
      this.#reading.catch(() => {}) // reported to whoever waits next
    }
    return this.#reading
  }
}
