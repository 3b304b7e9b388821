/**
 * SHA-256 in one shot. With `ed25519.ts` all that imports `node:crypto` in the pure folders: the one-shot call is
 * an order of magnitude faster on small blocks than WebCrypto, and every byte of Kith passes through it.
 */
import { createHash, hash } from 'node:crypto'

/** @returns the 32 byte digest of `bytes` */
export function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer')
}

/** A running SHA-256 over a stream of chunks. */
export class Sha256 {
  readonly #hash = createHash('sha256')
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }
  digest(): Uint8Array {
    return this.#hash.digest()
  }
}
