/**
 * When a second peer is asked beside the first, and how often that may happen: hedges cut the slow tail at the price
 * of extra requests, and the price is bounded over all requests of this node.
 */
import type { Ms } from '../model/units.ts'
import type { PeerEstimate } from '../ports/estimates.ts'

/** Requests that together pay for one hedge: at most 5 % extra in the long run. Count. */
const REQUESTS_PER_HEDGE = 20
/** Hedges saved up at most, so that a node with little to do may hedge, and a busy one cannot do so all at once. Count. */
const HEDGES_SAVED_MAX = 5
/** Sooner than this a hedge would hardly ever be worth its request. */
const HEDGE_AFTER_MS_MIN: Ms = 20

/** One a node. Starts full. */
export class HedgeBudget {
  /** Requests not yet spent on hedges. */
  #requests = HEDGES_SAVED_MAX * REQUESTS_PER_HEDGE

  /** A content is asked for. */
  request(): void {
    this.#requests = Math.min(HEDGES_SAVED_MAX * REQUESTS_PER_HEDGE, this.#requests + 1)
  }

  /** Whether a hedge may be sent now; then it is paid for. Asking the next peer because one failed is no hedge. */
  take(): boolean {
    if (this.#requests < REQUESTS_PER_HEDGE) return false
    this.#requests -= REQUESTS_PER_HEDGE
    return true
  }
}

/**
 * How long a peer is waited for before the next one is asked as well: its 90th percentile if that is less than
 * `hedgeDelay`. An infinite `hedgeDelay` says never.
 */
export function hedgeAfter({ firstByteP90Ms }: Pick<PeerEstimate, 'firstByteP90Ms'>, hedgeDelay: Ms): Ms {
  if (hedgeDelay === Infinity) return hedgeDelay
  return Math.max(HEDGE_AFTER_MS_MIN, Math.min(hedgeDelay, firstByteP90Ms ?? Infinity))
}
