/** What a filter holds: 32 bytes for each content hash and each root. Pure. */
import { SHA2_256_CODE } from '../model/content-id.ts'
import { sha256 } from '../model/sha256.ts'

/** Bytes. */
export const ELEMENT_BYTES = 32
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
