/** The steps of a ladder: stages, and the sources on each. Types only; `ladder.ts` climbs them. */
import type { SourceId, Stage } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'

export interface Run {
  readonly signal: AbortSignal
  /** Call for every verified block; the first call of a search decides who wins. */
  verified(bytes: Bytes): void
  /** How long the search may still last: nothing is begun that cannot end within. Infinity once it is a transfer. */
  remaining(): Ms
}

export interface Candidate {
  readonly id: SourceId
  /** Says it has the content (an advert or an answer). */
  readonly claims: boolean
  /** Resolves when the content is complete, rejects with SourceError; any other error ends the whole retrieval. */
  run(run: Run): Promise<void>
}

export interface Rung {
  readonly stage: Stage
  /** Since the search began, without a verified byte. */
  readonly delay: Ms
  readonly candidates: readonly Candidate[]
  /** Looks for further candidates; called once, when the given ones did not deliver in time. */
  readonly more?: (signal: AbortSignal) => Promise<readonly Candidate[]>
  /** The next candidate of this rung starts this long after the one before. */
  readonly hedgeDelay: Ms
  readonly maxParallel: number
}

export interface LadderInit {
  readonly rungs: readonly Rung[]
  /** How long the search may last until the first verified byte. */
  readonly ttl: Ms
  /** Each rung only after the one before has failed. */
  readonly strict: boolean
}
