/** Port: in which order peers are asked for a content. Pure judgement over what was measured; asks nobody, keeps nothing. */
import type { Bytes, Ms, Rate } from '../model/units.ts'
import type { PeerEstimate } from '../ports/estimates.ts'

/** What a peer's advert (or its answer) says about the content: `unknown` if there is none, it is stale or was truncated. */
export type Claim = 'yes' | 'no' | 'unknown'

export interface Candidate {
  readonly peer: string
  readonly claim: Claim
  /** The claim is its own answer to `have`, not a filter: its precision plays no part. */
  readonly isAnswer?: boolean
  /** A ≥ `trust.minTrusted`: the class that comes first. */
  readonly isTrusted: boolean
  /** A, 0–10. */
  readonly access: number
  /** T, −5 to 10. */
  readonly trust: number
  readonly isConnected: boolean
  readonly isRelayed: boolean
  /** Monotonic time of the oldest open connection; 0 if there is none. */
  readonly connectedSince: Ms
  readonly hasIpfs: boolean
  /** What it says it gives at most; absent: nothing said. */
  readonly bandwidthLimit?: Rate
  readonly estimate: PeerEstimate
}

/** What is asked for, as far as it is known. */
export interface Wanted {
  /** Content bytes still missing; null: unknown. */
  readonly size: Bytes | null
  /**
   * 0 to below 1, drawn once for each `get`: lets a small share of requests begin with another peer than the best, so
   * that its figures stay true. Absent, as for `explain`: the best first.
   */
  readonly draw?: number
}

export interface Ranked {
  readonly candidate: Candidate
  /** What decided, larger is better; comparable within one order only. */
  readonly score: number
  /** By name, in the order shown by `explain`. For `weighted` they add up to the score; for `expected-time` they are milliseconds. */
  readonly terms: Readonly<Record<string, number>>
  /** Expected time to the verified content; null where the formula makes none. */
  readonly expectedMs: Ms | null
}

export interface Ranking {
  /** A new array, best first, holding exactly the candidates given. */
  order(candidates: readonly Candidate[], wanted: Wanted): readonly Ranked[]
}
