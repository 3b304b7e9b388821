/**
 * Reads exact pieces out of a stream of chunks, and says where it is. Holds one chunk and the piece asked for; how
 * long a piece may be is the caller's to check before asking. Nothing is kept, so a crash loses nothing.
 */
import type { Bytes } from '../model/units.ts'

/** A length takes at most this many bytes: 2^28 − 1 is far beyond any that is read. */
const VARINT_BYTES_MAX = 4

export class ByteReader {
  /** Bytes read so far. */
  position: Bytes = 0
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #problem: (at: Bytes, why: string) => Error
  #chunk: Uint8Array = new Uint8Array(0)
  #end: Bytes = Infinity

  constructor(chunks: AsyncIterable<Uint8Array>, problem: (at: Bytes, why: string) => Error) {
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.#problem = problem
  }

  /** From now on the stream counts as ended there, and must reach that far. */
  endAt(position: Bytes): void {
    this.#end = position
  }

  /** @returns undefined at the end of the stream. @throws for more than four bytes, or not the shortest form */
  async varint(): Promise<number | undefined> {
    const at = this.position
    if (this.position === this.#end || !(await this.#fill())) {
      if (this.#end !== Infinity && this.position !== this.#end) throw this.#cutOff(this.#end - this.position)
      return undefined
    }
    let value = 0
    for (let index = 0; index < VARINT_BYTES_MAX; index++) {
      const [byte = 0] = await this.take(1)
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte >= 0x80) continue
      if (byte === 0 && index > 0) throw this.#problem(at, 'a length is not written in its shortest form')
      return value
    }
    throw this.#problem(at, 'a length is larger than anything that is read')
  }

  /** @throws if the stream ends before */
  async take(length: Bytes): Promise<Uint8Array> {
    if (length > this.#end - this.position) throw this.#cutOff(length)
    if (length <= this.#chunk.byteLength) return this.#cut(length)
    const bytes = new Uint8Array(length)
    for (let filled = 0; filled < length;) {
      if (!(await this.#fill())) throw this.#cutOff(length - filled)
      const part = this.#cut(Math.min(length - filled, this.#chunk.byteLength))
      bytes.set(part, filled)
      filled += part.byteLength
    }
    return bytes
  }

  async skip(length: Bytes): Promise<void> {
    for (let left = length; left > 0;) {
      if (!(await this.#fill())) throw this.#cutOff(left)
      left -= this.#cut(Math.min(left, this.#chunk.byteLength)).byteLength
    }
  }

  /** Lets go of the stream. */
  async close(): Promise<void> {
    this.#chunk = new Uint8Array(0)
    await this.#chunks.return?.()
  }

  /** @returns false at the end of the stream */
  async #fill(): Promise<boolean> {
    while (this.#chunk.byteLength === 0) {
      const { done, value } = await this.#chunks.next()
      if (done === true) return false
      this.#chunk = value
    }
    return true
  }

  #cut(length: Bytes): Uint8Array {
    const part = this.#chunk.subarray(0, length)
    this.#chunk = this.#chunk.subarray(length)
    this.position += length
    return part
  }

  #cutOff(missing: Bytes): Error {
    return this.#problem(this.position, `it ends ${missing} bytes too early`)
  }
}
