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

/** Compression rounds a word, and rounds after each finishing constant. */
const ROUNDS_A_WORD = 2
const ROUNDS_AT_END = 4

/**
 * Hashes the words of `input` (its length a multiple of 4 bytes) under the key `(k0, k1)` into `out`.
 * The flat loop keeps the state in registers; the reference code is this with the rounds written out.
 */
export function keyedHash(k0: number, k1: number, input: DataView, out: HashWords): void {
  const words = input.byteLength >>> 2
  const absorbed = (words + 1) * ROUNDS_A_WORD
  let v0 = k0
  let v1 = k1 ^ 0xee
  let v2 = 0x6c796765 ^ k0
  let v3 = 0x74656462 ^ k1
  let word = 0
  for (let round = 0; round < absorbed + 2 * ROUNDS_AT_END; round++) {
    if (round < absorbed && round % ROUNDS_A_WORD === 0) {
      const at = round / ROUNDS_A_WORD
      word = at < words ? input.getInt32(at << 2, true) : input.byteLength << 24
      v3 ^= word
    }
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
    if (round < absorbed && round % ROUNDS_A_WORD === ROUNDS_A_WORD - 1) v0 ^= word
    if (round === absorbed - 1) v2 ^= 0xee
    if (round === absorbed + ROUNDS_AT_END - 1) {
      out.x = (v1 ^ v3) >>> 0
      v1 ^= 0xdd
    }
  }
  out.y = (v1 ^ v3) >>> 0
}
