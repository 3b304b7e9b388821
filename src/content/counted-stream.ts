/** What flows into a put: counted, hashed and bounded on its way to the importer. Whoever makes one closes it. */
import { KithError } from '../errors.ts'
import { Sha256 } from '../model/sha256.ts'
import { MIB, type Bytes } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { ProgressOptions } from '../rpc/services.ts'

/** One chunk of the profile `unixfs-v1-2025`: content up to this size is one raw block. Bytes. */
const CHUNK_BYTES = MIB

/** What the streams of one put have brought together. */
export class Tally {
  bytes: Bytes = 0
  readonly #limit: Bytes
  readonly #options: ProgressOptions

  /** @param limit 0: unlimited */
  constructor(limit: Bytes, options: ProgressOptions) {
    this.#limit = limit
    this.#options = options
  }

  /** @throws KithError TOO_LARGE */
  add(bytes: Bytes): void {
    this.bytes += bytes
    if (this.#limit > 0 && this.bytes > this.#limit)
      throw new KithError('TOO_LARGE', `the content is larger than limits.maxFileSize (${this.#limit} bytes)`, { limit: this.#limit })
    this.#options.onProgress?.({ bytes: this.bytes })
  }
}

/** Counts, hashes and bounds a stream while it flows into the importer. */
export class CountedStream implements AsyncIterable<Uint8Array> {
  size: Bytes = 0
  readonly #source: AsyncIterator<Uint8Array>
  readonly #tally: Tally
  readonly #options: AbortOptions
  readonly #hash = new Sha256()
  #buffered: Uint8Array[] = []

  constructor(content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, tally: Tally, options: AbortOptions) {
    this.#source = stream(content)
    this.#tally = tally
    this.#options = options
  }

  digest(): Uint8Array {
    return this.#hash.digest()
  }

  /** The whole content if it fits one chunk; else undefined, and iteration gives all of it. */
  async head(): Promise<Uint8Array | undefined> {
    while (this.size <= CHUNK_BYTES) {
      const bytes = await this.#pull()
      if (bytes === undefined) return this.#buffered.length === 1 ? this.#buffered[0] : Buffer.concat(this.#buffered)
      this.#buffered.push(bytes)
    }
    return undefined
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const buffered = this.#buffered
    this.#buffered = []
    yield* buffered
    let bytes = await this.#pull()
    while (bytes !== undefined) {
      yield bytes
      bytes = await this.#pull()
    }
  }

  /** Lets go of the source (a file handle, a request), wherever reading stopped. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }

  async #pull(): Promise<Uint8Array | undefined> {
    this.#options.signal?.throwIfAborted()
    const { done, value } = await this.#source.next()
    if (done === true) return undefined
    this.size += value.byteLength
    this.#tally.add(value.byteLength)
    this.#hash.update(value)
    return value
  }
}

async function* stream(content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* content
}
