/**
 * Filters as bytes, in the one form docs/protocol.md describes. What is decoded comes from strangers:
 * every number is bounded before it is used. Pure.
 */
import { BloomFilter } from 'bloom-filters'
import { KithError } from '../errors.ts'
import type { Bytes } from '../model/units.ts'
import { ContentFilter, DigestHashing, FILTER_HASHES_MAX, FILTER_HEADER_BYTES } from './filter.ts'
import { HASH_KEY_BYTES } from './keyed-hash.ts'

const FORM = 1
const HASHES_AT = 1
const BITS_AT = 2
const COUNT_AT = 6
const SALT_AT = 10

/** Fewer bits are no filter. */
const FILTER_BITS_MIN = 64
/** An honest filter is at most half full; a fuller one says yes to too much. */
export const FILTER_FILL_MAX = 0.6
/** The count that follows from the fill may differ from the declared one by this share, or this many. */
const COUNT_TOLERANCE = 0.1
const COUNT_TOLERANCE_MIN = 8

/** A filter that is malformed or lies about itself (INTEGRITY). */
export class FilterError extends KithError {
  constructor(why: string) {
    super('INTEGRITY', `the content filter is not believed: ${why}`)
    this.name = 'FilterError'
  }
}

export function encodeFilter(filter: ContentFilter): Uint8Array {
  const bytes = new Uint8Array(FILTER_HEADER_BYTES + filter.bytes.byteLength)
  const view = new DataView(bytes.buffer)
  bytes[0] = FORM
  bytes[HASHES_AT] = filter.hashes
  view.setUint32(BITS_AT, filter.bits, true)
  view.setUint32(COUNT_AT, filter.count, true)
  bytes.set(filter.salt, SALT_AT)
  bytes.set(filter.bytes, FILTER_HEADER_BYTES)
  return bytes
}

/**
 * Decodes and judges a filter; keeps a copy of its bits.
 *
 * @param bytesMax largest encoded filter accepted
 * @throws FilterError (INTEGRITY); nothing else
 */
export function decodeFilter(encoded: Uint8Array, bytesMax: Bytes): ContentFilter {
  if (encoded.byteLength > bytesMax) throw new FilterError(`it has ${encoded.byteLength} bytes, at most ${bytesMax} are read`)
  if (encoded.byteLength < FILTER_HEADER_BYTES || encoded[0] !== FORM) throw new FilterError('its form is not known')
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength)
  const hashes = view.getUint8(HASHES_AT)
  const bits = view.getUint32(BITS_AT, true)
  const count = view.getUint32(COUNT_AT, true)
  checkShape(encoded.byteLength, bits, hashes)
  const array = encoded.slice(FILTER_HEADER_BYTES)
  checkFill(array, bits, hashes, count)
  return assemble(array, bits, hashes, count, encoded.slice(SALT_AT, SALT_AT + HASH_KEY_BYTES))
}

function checkShape(bytes: Bytes, bits: number, hashes: number): void {
  if (hashes < 1 || hashes > FILTER_HASHES_MAX) throw new FilterError(`${hashes} hash functions are not 1 to ${FILTER_HASHES_MAX}`)
  if (bits < FILTER_BITS_MIN) throw new FilterError(`${bits} bits are too few`)
  if (bytes !== FILTER_HEADER_BYTES + Math.ceil(bits / 8)) throw new FilterError('its length is not that of its bits')
}

function checkFill(array: Uint8Array, bits: number, hashes: number, count: number): void {
  const unused = array.byteLength * 8 - bits
  if (unused > 0 && (array.at(-1) ?? 0) >>> (8 - unused) !== 0) throw new FilterError('bits beyond its end are set')
  const fill = countOnes(array) / bits
  if (fill > FILTER_FILL_MAX) throw new FilterError(`${Math.round(fill * 100)} % of its bits are set`)
  const estimate = -(bits / hashes) * Math.log(1 - fill)
  if (Math.abs(estimate - count) > Math.max(COUNT_TOLERANCE_MIN, COUNT_TOLERANCE * count))
    throw new FilterError('it declares another count than its bits show')
}

function assemble(array: Uint8Array, bits: number, hashes: number, count: number, salt: Uint8Array): ContentFilter {
  const bloom = new BloomFilter(bits, hashes)
  const hashing = new DigestHashing(salt)
  bloom._filter.array = array
  bloom._hashing = hashing
  return new ContentFilter(bloom, hashing, count)
}

function countOnes(array: Uint8Array): number {
  const words = array.byteLength >>> 2
  const view = new DataView(array.buffer, array.byteOffset, array.byteLength)
  let ones = 0
  for (let i = 0; i < words; i++) ones += onesOf(view.getUint32(i << 2, true))
  for (const byte of array.subarray(words << 2)) ones += onesOf(byte)
  return ones
}

/** The usual parallel count of a 32-bit word. */
function onesOf(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
