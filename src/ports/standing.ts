/**
 * What this node makes of its peers: rights (access, A) and order (trust, T). PeerIds everywhere. Everything answers
 * at once from memory; docs of the two numbers: semantics of trust in docs/security.md.
 */

/**
 * What a peer did, by name. One table (`peers/offences.ts`) turns names into consequences; whoever reports knows
 * nothing of numbers.
 */
export type Offence =
  /** Sent bytes that do not hash to their address. */
  | 'wrong-bytes'
  /** Broke the form of a protocol: frames, order, sizes. */
  | 'protocol-violation'
  /** Was asked and said nothing in time, or stalled. */
  | 'timeout'
  /** Signed an advert that is malformed, oversized or false about itself. */
  | 'bad-advert'
  /** Signed two adverts with one number. */
  | 'equivocation'
  /** A filter whose yes is wrong far more often than its shape explains. */
  | 'false-claims'
  /** Sends more than the rates of this node allow. */
  | 'flood'

export interface Standing {
  /** A, 0–10: the level the operator set, divided by ten; 0 while suspended, and for good when blocked. Opens doors. */
  accessOf(peer: string): number
  /** T, −5 to 10: orders peers and admits them for public content. */
  trustOf(peer: string): number
  /** A ≥ `trust.minTrusted`: own things may be asked of it and told to it. */
  isTrusted(peer: string): boolean
  /** Neither asked nor served: blocked, suspended, or T below 0. */
  isShunned(peer: string): boolean
  /** Why {@link isShunned}, for people: "suspended until …: it sent wrong bytes". Undefined if it is not. */
  whyShunned(peer: string): string | undefined
  /** What the operator calls it. */
  nameOf(peer: string): string | undefined
  /** PeerIds of all with A ≥ `trust.minTrusted`, connected or not. */
  trustedPeers(): readonly string[]
  report(peer: string, offence: Offence): void
  /** Called when the rights of a peer may have changed: what was granted is looked at again. @returns how to take the listener away */
  onChange(listener: (peer: string) => void): () => void
}
