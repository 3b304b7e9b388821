/** The steps of a ladder: stages, and the sources on each. Types only; `ladder.ts` climbs them. */
import type { Outcome, SourceId, Stage } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import type { TurnOptions } from '../ports/exchange.ts'

export interface Run extends TurnOptions {
  readonly signal: AbortSignal
  /** Call for every verified block; the first call of a search decides who wins. */
  verified(bytes: Bytes): void
  /** How long the search may still last: nothing is begun that cannot end within. Infinity once it is a transfer. */
  remaining(): Ms
}

/** What is learnt from one run of a source. Each method at most once; `end` always. */
export interface RunMeasurement {
  /** The request goes out now: what was before was no wait for the source. Not told by sources that are asked at once. */
  asked?(): void
  firstByte(bytes: Bytes): void
  /**
   * @param error what it failed with, if it did
   * @param awaited bytes that were on their way when it was cut short
   */
  end(outcome: Outcome, bytes: Bytes, error: unknown, awaited?: Bytes): void
}

export interface Candidate {
  readonly id: SourceId
  /** Says it has the content (an advert or an answer). */
  readonly claims: boolean
  /** The next candidate may start this long after this one; absent: as its rung says. */
  readonly hedgeAfter?: Ms
  /** While it is asked, later stages wait at least this long for it; absent: they do not. */
  readonly patience?: Ms
  /** All that has come from the peer, also for others and in blocks that are not whole; for differences. Absent: only whole blocks are seen. */
  received?(): Bytes
  /** Called at the beginning of each run. */
  measure?(): RunMeasurement
  /**
   * Claims a part of what is missing, to be fetched by {@link run} beside those who deliver; false: it would be of no
   * use now. To be run at once then. Absent: it never joins others.
   *
   * @param stage the first of those who deliver is of this one
   */
  help?(stage: Stage): boolean
  /**
   * Resolves when the content is complete or nothing is left for it to do, rejects with SourceError; any other error
   * ends the whole retrieval.
   */
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
  /** Asked before one more is started beside those that run; takes from a budget. Absent: always. */
  readonly mayHedge?: () => boolean
  /** Without a verified byte for this long, and hardly any other, a source that was asked has timed out; absent: it may take as long as the search. */
  readonly silenceMax?: Ms
}

export interface LadderInit {
  readonly rungs: readonly Rung[]
  /** How long the search may last until the first verified byte. */
  readonly ttl: Ms
  /** The same as the caller gave it, before anything was spent; absent: equal. For words. */
  readonly ttlGiven?: Ms
  /** Each rung only after the one before has failed. */
  readonly strict: boolean
  /** Asked when a run has resolved; absent: it is. */
  readonly isComplete?: () => boolean
}
