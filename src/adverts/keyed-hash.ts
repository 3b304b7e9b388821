/**
 * HalfSipHash-2-4 with 64 bits of output, for digests: the keyed hash behind filter indexes. Made for short inputs and
 * 32-bit words, so that one look-up costs some 100 ns where HMAC would cost several microseconds. Pure.
 */

/** Bytes. */
export const HASH_KEY_BYTES = 8

/** Two independent 32-bit words: as unsigned integers. Reused by the caller, so that a look-up allocates nothing. */
export interface HashWords {
  x: number
  y: number
}

/**
 * Hashes `input`, the 32-bit words of the bytes in little-endian order, under the key `(k0, k1)` into `out`.
 *
 * Two rounds follow each word, and so they are written out: one loop serves the words, the length that ends them and,
 * as words of zero, which change nothing, the four rounds before each half of the output. This form was the quickest of
 * those tried; rounds counted by an inner loop take half as long again.
 */
export function keyedHash(k0: number, k1: number, input: Int32Array, out: HashWords): void {
  const length = input.length
  let v0 = k0
  let v1 = k1 ^ 0xee
  let v2 = 0x6c796765 ^ k0
  let v3 = 0x74656462 ^ k1
  for (let i = 0; i < length + 5; i++) {
    const word = i < length ? (input[i] ?? 0) : i === length ? length << 26 : 0
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
    if (i === length) v2 ^= 0xee
    if (i === length + 2) {
      out.x = (v1 ^ v3) >>> 0
      v1 ^= 0xdd
    }
  }
  out.y = (v1 ^ v3) >>> 0
}
