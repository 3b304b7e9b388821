/**
 * The one door: bytes become a block only by being hashed against their address.
 */
import type { CID } from 'multiformats/cid'
import { equals } from 'uint8arrays'
import { BlockMismatchError, KithError } from '../errors.ts'
import { IDENTITY_BYTES_MAX, IDENTITY_CODE, SHA2_256_CODE } from './content-id.ts'
import { sha256 } from './sha256.ts'
import { MIB } from './units.ts'

/** Largest block taken from anywhere; the field's limit (bitswap, trustless gateways). Bytes. */
export const BLOCK_BYTES_MAX = 2 * MIB

declare const verified: unique symbol

/** A block whose bytes were hashed in this process. Only {@link verifyBlock} makes one. */
export interface VerifiedBlock {
  readonly cid: CID
  readonly bytes: Uint8Array
  readonly [verified]: true
}

/**
 * Hashes `bytes` and compares with the CID.
 *
 * @throws BlockMismatchError (INTEGRITY) · KithError TOO_LARGE above {@link BLOCK_BYTES_MAX}
 */
export function verifyBlock(cid: CID, bytes: Uint8Array): VerifiedBlock {
  if (bytes.byteLength > BLOCK_BYTES_MAX)
    throw new KithError('TOO_LARGE', `block ${cid.toString()} has ${bytes.byteLength} bytes; more than ${BLOCK_BYTES_MAX} are never taken`)
  if (!isDigestOf(cid, bytes)) throw new BlockMismatchError(cid)
  return { cid, bytes } as VerifiedBlock
}

function isDigestOf(cid: CID, bytes: Uint8Array): boolean {
  const { code, digest } = cid.multihash
  if (code === SHA2_256_CODE) return equals(sha256(bytes), digest)
  if (code === IDENTITY_CODE) return digest.byteLength <= IDENTITY_BYTES_MAX && equals(digest, bytes)
  return false
}
