/**
 * Ed25519 signatures checked in one shot. As in `sha256.ts`, `node:crypto` in a pure folder: a check in JavaScript
 * takes ten times as long, and the event loop stands still meanwhile.
 */
import { createPublicKey, verify } from 'node:crypto'
import { toString } from 'uint8arrays'

/**
 * Whether `signature` (64 bytes) is that of `message` by the owner of `key` (raw, 32 bytes). Of each signature one
 * spelling only is accepted, and none with a part in the small subgroup: RFC 8032 leaves that open.
 *
 * @throws Error for a key of another length
 */
export function isSignedEd25519(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: toString(key, 'base64url') }, format: 'jwk' })
  return verify(null, message, publicKey, signature)
}
