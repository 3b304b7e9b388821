/** Port: in which order peers are asked for a content. Pure judgement; asks nobody and keeps no state of its own. */
import type { Ms } from '../model/units.ts'

/** What a peer's advert says about the content: `unknown` if there is none, it is stale or it was truncated. */
export type Claim = 'yes' | 'no' | 'unknown'

export interface Candidate {
  readonly peer: string
  readonly claim: Claim
  /** Monotonic time of the oldest open connection. */
  readonly connectedSince: Ms
}

export interface Ranking {
  /** A new array, best first, holding exactly the candidates given. */
  order(candidates: readonly Candidate[]): readonly Candidate[]
}
