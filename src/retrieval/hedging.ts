/**
 * When one more peer is asked beside those who are being asked already: after the delay, or when nine of ten requests
 * to that peer would have begun, and only as long as such doubled requests stay a small share of all.
 */
import type { Ms } from '../model/units.ts'
import type { PeerEstimate } from '../ports/estimates.ts'

/** Hedges cost at most this share of extra requests. */
const EXTRA_SHARE = 0.05
/** Hedges a node may have saved up: a quiet one that asks once may ask several. */
const SAVED_MAX = 5
/** No peer is overtaken earlier: below, what is measured is chance. */
const AFTER_MIN_MS: Ms = 20

export class Hedging {
  readonly #hedgeDelay: Ms
  #saved = SAVED_MAX

  /** @param hedgeDelay 0: no hedges, the next peer only when the one before has failed */
  constructor(init: { readonly hedgeDelay: Ms }) {
    this.#hedgeDelay = init.hedgeDelay
  }

  /** A request to a peer was begun. */
  requested(): void {
    this.#saved = Math.min(SAVED_MAX, this.#saved + EXTRA_SHARE)
  }

  /** Takes one hedge out of the budget. @returns false if there is none */
  mayHedge(): boolean {
    if (this.#saved < 1) return false
    this.#saved -= 1
    return true
  }

  /** How long after a peer was asked the next one may be. */
  after({ firstByteP90Ms }: PeerEstimate): Ms {
    if (this.#hedgeDelay === 0) return Infinity
    return Math.max(AFTER_MIN_MS, Math.min(this.#hedgeDelay, firstByteP90Ms ?? Infinity))
  }
}
