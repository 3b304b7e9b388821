/**
 * Bloom filters over content: which contents a peer claims to have. Structure and sizing are those of the package
 * `bloom-filters`; only where the indexes come from is our own (docs/decisions/0005-adverts.md). In memory only.
 */
import { BloomFilter, Hashing } from 'bloom-filters'
import { KithError } from '../errors.ts'
import { bytesKey } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'
import { ELEMENT_WORDS, wordsOf } from './element.ts'
import { HASH_KEY_BYTES, keyedHash, type HashWords } from './keyed-hash.ts'

/** More hash functions only make look-ups slower; 16 serve a false-positive rate of 1 in 65,536. */
export const FILTER_HASHES_MAX = 16
/** The package makes a filter for 0 entries that says yes to everything; small ones also tell how little one has. Entries. */
export const FILTER_ENTRIES_MIN = 64
/** Room to grow before the false-positive rate is more than asked for. */
const FILTER_HEADROOM = 1.25
/** Bytes of the encoded form before the bits: see filter-codec.ts. */
export const FILTER_HEADER_BYTES: Bytes = 18
/** At any rate beyond these a filter is useless or hardly smaller than a list. */
const RATE_MIN = 1 / 2 ** FILTER_HASHES_MAX
const RATE_MAX = 0.5

export interface FilterShape {
  /** m. */
  readonly bits: number
  /** k. */
  readonly hashes: number
  /** n: distinct elements added. */
  readonly count: number
  /** Key of the index hash, drawn anew for each filter: what collides in one does not in the next. 8 bytes. */
  readonly salt: Uint8Array
}

export interface BuildFilterOptions {
  /** Wanted chance of a false yes, at 1.25 × the count. */
  readonly falsePositiveRate: number
  /** 8 bytes from a random source. */
  readonly salt: Uint8Array
  /** Largest encoded filter; what does not fit is left out, the last first. Unlimited if absent. */
  readonly bytesMax?: Bytes
}

export interface BuiltFilter {
  readonly filter: ContentFilter
  /** True if elements were left out: then a no of this filter means nothing. */
  readonly truncated: boolean
}

/** A filter that is full built or was decoded; it never changes. */
export class ContentFilter implements FilterShape {
  readonly bits: number
  readonly hashes: number
  readonly count: number
  readonly salt: Uint8Array
  /** The bit array: bit i is `bytes[i >> 3] & (1 << (i & 7))`. */
  readonly bytes: Uint8Array
  readonly #hashing: DigestHashing

  constructor(bloom: BloomFilter, hashing: DigestHashing, count: number) {
    this.bits = bloom._size
    this.hashes = bloom._nbHashes
    this.count = count
    this.salt = hashing.salt
    this.bytes = bloom._filter.array
    this.#hashing = hashing
  }

  /** The chance of a false yes that its shape explains. */
  get falseRate(): number {
    return (1 - Math.exp((-this.hashes * this.count) / this.bits)) ** this.hashes
  }

  /** False: certainly not added. True: added, or a false positive. `element` has 32 bytes. */
  has(element: Uint8Array): boolean {
    return this.hasWords(wordsOf(element))
  }

  /** The same for an element whose words were taken already, to look it up in many filters. */
  hasWords(words: Int32Array): boolean {
    return this.#hashing.isIn(this.bytes, words, this.bits, this.hashes)
  }
}

/** The package's hashing object with indexes from a keyed hash of the 32-byte element. */
export class DigestHashing extends Hashing {
  readonly salt: Uint8Array
  readonly #k0: number
  readonly #k1: number
  readonly #hash: HashWords = { x: 0, y: 0 }
  readonly #words = new Int32Array(ELEMENT_WORDS)

  constructor(salt: Uint8Array) {
    super()
    if (salt.byteLength !== HASH_KEY_BYTES)
      throw new KithError('INTERNAL', `a filter's salt has ${HASH_KEY_BYTES} bytes, not ${salt.byteLength}`)
    this.salt = salt
    const view = new DataView(salt.buffer, salt.byteOffset, salt.byteLength)
    this.#k0 = view.getInt32(0, true)
    this.#k1 = view.getInt32(4, true)
  }

  /** What the package calls; the same indexes as {@link isIn} and {@link addTo}. */
  override getIndexes(element: Parameters<Hashing['getIndexes']>[0], size: number, hashCount: number): number[] {
    if (!(element instanceof Uint8Array)) throw new KithError('INTERNAL', 'only digests are looked up in a filter')
    keyedHash(this.#k0, this.#k1, wordsOf(element, this.#words), this.#hash)
    let { x, y } = this.#hash
    return Array.from({ length: hashCount }, (_, i) => {
      const index = x % size
      x = (x + y) >>> 0
      y = (y + i + 1) >>> 0
      return index
    })
  }

  // Here and in addTo `>>> 0` tells the compiler that the modulus is one of integers: building is a quarter faster for it.
  isIn(array: Uint8Array, words: Int32Array, size: number, hashCount: number): boolean {
    keyedHash(this.#k0, this.#k1, words, this.#hash)
    let x = this.#hash.x >>> 0
    let y = this.#hash.y >>> 0
    const modulus = size >>> 0
    for (let i = 1; i <= hashCount; i++) {
      const index = x % modulus
      if (((array[index >>> 3] ?? 0) & (1 << (index & 7))) === 0) return false
      x = (x + y) >>> 0
      y = (y + i) >>> 0
    }
    return true
  }

  /** @returns true if a bit was set that was not before: the element is certainly new */
  addTo(array: Uint8Array, element: Uint8Array, size: number, hashCount: number): boolean {
    keyedHash(this.#k0, this.#k1, wordsOf(element, this.#words), this.#hash)
    let x = this.#hash.x >>> 0
    let y = this.#hash.y >>> 0
    const modulus = size >>> 0
    let isNew = false
    for (let i = 1; i <= hashCount; i++) {
      const index = x % modulus
      const before = array[index >>> 3] ?? 0
      const after = before | (1 << (index & 7))
      if (after !== before) isNew = true
      array[index >>> 3] = after
      x = (x + y) >>> 0
      y = (y + i) >>> 0
    }
    return isNew
  }
}

/**
 * Builds a filter of `elements` (32 bytes each), sized for 1.25 × their number. Doubled elements count once.
 * Synchronous: 100,000 elements hold the event loop for some 40 ms.
 */
export function buildFilter(
  elements: Iterable<Uint8Array>,
  { falsePositiveRate, salt, bytesMax = Infinity }: BuildFilterOptions
): BuiltFilter {
  const rate = Math.min(RATE_MAX, Math.max(RATE_MIN, falsePositiveRate))
  const { kept, truncated } = takeFitting(elements, entriesMax(rate, bytesMax))
  const bloom = sized(kept.length, rate)
  const hashing = new DigestHashing(salt)
  bloom._hashing = hashing
  const { array } = bloom._filter
  const doubtful = kept.filter(element => !hashing.addTo(array, element, bloom._size, bloom._nbHashes))
  const count = kept.length - doubtful.length + countHidden(kept, doubtful)
  return { filter: new ContentFilter(bloom, hashing, count), truncated }
}

/**
 * Elements that set no new bit were doubled, or were hidden behind others by chance. The latter, about one in
 * 10,000, are counted here, so that the count is exact without a set of all elements.
 */
function countHidden(kept: readonly Uint8Array[], doubtful: readonly Uint8Array[]): number {
  if (doubtful.length === 0) return 0
  const seen = new Map<string, number>()
  for (const element of doubtful) {
    const key = bytesKey(element)
    seen.set(key, (seen.get(key) ?? 0) + 1)
  }
  const firstBytes = new Set(doubtful.map(shortKey))
  for (const element of kept) {
    if (!firstBytes.has(shortKey(element))) continue
    const key = bytesKey(element)
    const left = seen.get(key)
    if (left !== undefined) seen.set(key, left - 1)
  }
  // Each doubtful element was met once more than it was doubtful, unless it never set a bit.
  return [...seen.values()].filter(left => left === 0).length
}

function shortKey(element: Uint8Array): number {
  return ((element[0] ?? 0) << 24) | ((element[1] ?? 0) << 16) | ((element[2] ?? 0) << 8) | (element[3] ?? 0)
}

function takeFitting(elements: Iterable<Uint8Array>, max: number): { kept: Uint8Array[]; truncated: boolean } {
  const kept: Uint8Array[] = []
  for (const element of elements) {
    if (kept.length >= max) return { kept, truncated: true }
    kept.push(element)
  }
  return { kept, truncated: false }
}

function entriesMax(rate: number, bytesMax: Bytes): number {
  const bitsAnEntry = -Math.log(rate) / Math.LN2 ** 2
  return Math.max(FILTER_ENTRIES_MIN, Math.floor(((bytesMax - FILTER_HEADER_BYTES) * 8 - 8) / bitsAnEntry / FILTER_HEADROOM))
}

function sized(count: number, rate: number): BloomFilter {
  const bloom = BloomFilter.create(Math.max(FILTER_ENTRIES_MIN, Math.ceil(count * FILTER_HEADROOM)), rate)
  return bloom._nbHashes <= FILTER_HASHES_MAX ? bloom : new BloomFilter(bloom._size, FILTER_HASHES_MAX)
}
