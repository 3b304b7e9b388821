/**
 * Finds filters that lie: a peer whose yes is wrong far more often than the shape of its filter explains is not
 * believed for an hour. Counts look-ups itself and takes true and false yeses from what was measured. In memory only.
 */
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { PeerEstimate } from '../ports/estimates.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import { CLAIMS_IGNORED_MS, ISSUERS_REMEMBERED_MAX } from './limits.ts'

/** Yeses that were put to the test before anybody is judged. Count. */
const PROBES_MIN = 30
/** Standard deviations beyond what is explained: one honest peer in three million. */
const DEVIATIONS = 5
/** Misses nobody is blamed for: what a peer removed after it said so, and what it could not read. Share of its yeses. */
const STALE_SHARE = 0.1
/** No honest filter says yes to more; one that does explains nothing by it. Share of look-ups. */
const FALSE_RATE_EXPLAINED_MAX = 0.05

type Hits = PeerEstimate['hits']

/** The counts of one peer, handed out so that a look-up in a thousand filters costs no search. */
export interface Watched {
  /** Elements looked up in its filters since {@link since}. */
  lookUps: number
  /** Its hits when counting began. */
  since: Hits
  /** Monotonic time until which its yes is not believed; undefined: it is. */
  ignoredUntil: Ms | undefined
}

export interface ClaimWatchComponents {
  readonly clock: Clock
  readonly hitsOf: (peer: string) => Hits
  readonly onFalseClaims: (peer: string) => void
}

export class ClaimWatch {
  readonly #parts: ClaimWatchComponents
  readonly #watched = new BoundedMap<Watched>(ISSUERS_REMEMBERED_MAX)

  constructor(components: ClaimWatchComponents) {
    this.#parts = components
  }

  /** The counts of a peer; the same object as long as it is remembered. */
  of(peer: string): Watched {
    const found = this.#watched.get(peer)
    if (found !== undefined) return found
    const fresh: Watched = { lookUps: 0, since: this.#parts.hitsOf(peer), ignoredUntil: undefined }
    this.#watched.set(peer, fresh)
    return fresh
  }

  isIgnored(watched: Watched): boolean {
    if (watched.ignoredUntil === undefined) return false
    if (this.#parts.clock.monotonic() < watched.ignoredUntil) return true
    watched.ignoredUntil = undefined
    return false
  }

  /** Judges a peer whose filter has just said yes; `falseRate` is what the filter's shape explains. */
  isBelieved(peer: string, watched: Watched, falseRate: number): boolean {
    const hits = this.#parts.hitsOf(peer)
    const yes = hits.yes - watched.since.yes
    const no = hits.no - watched.since.no
    if (yes < 0 || no < 0) watched.since = hits // they were counted anew
    if (yes + no < PROBES_MIN || no <= tolerated(watched.lookUps - yes, yes + no, falseRate)) return true
    watched.ignoredUntil = this.#parts.clock.monotonic() + CLAIMS_IGNORED_MS
    watched.since = hits
    watched.lookUps = 0
    this.#parts.onFalseClaims(peer)
    return false
  }
}

/** False yeses an honest filter stays below: by chance among the look-ups of what it lacks, and because it is stale. */
function tolerated(lookUpsOfMissing: number, probes: number, falseRate: number): number {
  const expected = Math.min(falseRate, FALSE_RATE_EXPLAINED_MAX) * Math.max(0, lookUpsOfMissing) + STALE_SHARE * probes
  return expected + DEVIATIONS * Math.sqrt(expected)
}
