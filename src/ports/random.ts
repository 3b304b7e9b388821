/** Chance as a port, so that a seed replays it. */
export interface Random {
  /** Uniform in [0, 1). Not for secrets. */
  number(): number
  /** Cryptographically strong in production. */
  bytes(length: number): Uint8Array
}
