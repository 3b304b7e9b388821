/** What a filter holds: 32 bytes for each content hash and each root. Pure. */
import { KithError } from '../errors.ts'
import { SHA2_256_CODE } from '../model/content-id.ts'
import { sha256 } from '../model/sha256.ts'

/** Bytes. */
export const ELEMENT_BYTES = 32
/** 32-bit words, as filters hash them. */
export const ELEMENT_WORDS = ELEMENT_BYTES / 4
const SHA2_256_HEADER_BYTES = 2

/**
 * The element of a root's multihash: the digest itself for sha2-256, else the SHA-256 of the multihash.
 * So content of at most one chunk, whose root digest is its content hash, is one element and found by either.
 */
export function elementOfMultihash(multihash: Uint8Array): Uint8Array {
  const isSha256 =
    multihash.byteLength === SHA2_256_HEADER_BYTES + ELEMENT_BYTES && multihash[0] === SHA2_256_CODE && multihash[1] === ELEMENT_BYTES
  return isSha256 ? multihash.subarray(SHA2_256_HEADER_BYTES) : sha256(multihash)
}

/** The words of an element, least significant byte first on every machine. @returns `into` */
export function wordsOf(element: Uint8Array, into: Int32Array = new Int32Array(ELEMENT_WORDS)): Int32Array {
  if (element.byteLength !== ELEMENT_BYTES)
    throw new KithError('INTERNAL', `a filter's elements have ${ELEMENT_BYTES} bytes, not ${element.byteLength}`)
  for (let i = 0; i < ELEMENT_WORDS; i++) {
    const at = i << 2
    into[i] = (element[at] ?? 0) | ((element[at + 1] ?? 0) << 8) | ((element[at + 2] ?? 0) << 16) | ((element[at + 3] ?? 0) << 24)
  }
  return into
}
