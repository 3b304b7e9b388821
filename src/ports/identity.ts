/** This node's key, as the domain uses it. Ed25519: PeerId and did:key are two spellings of the same key. */
export interface Identity {
  readonly peerId: string
  readonly did: string
  /** Raw Ed25519 signature (64 bytes). */
  sign(bytes: Uint8Array): Promise<Uint8Array>
}
