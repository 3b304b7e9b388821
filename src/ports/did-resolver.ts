/** Which keys speak for a DID. did:key answers from itself; every other method asks somebody, who then knows of us. */
import type { AbortOptions } from './options.ts'

export interface DidResolver {
  /**
   * Raw Ed25519 public keys (32 bytes) that may sign statements of `did`; at most 8.
   *
   * @throws KithError INVALID_PARAMS for a malformed DID or an unknown method, UNAUTHORIZED for one this node does not
   * ask about, INTEGRITY for a document that cannot be believed, UNAVAILABLE when it cannot be had
   */
  resolve(did: string, options?: AbortOptions): Promise<readonly Uint8Array[]>
}
