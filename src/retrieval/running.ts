/**
 * One source being asked: what it delivered, when it began, and the timers that end it when it falls silent. Whose
 * bytes come slowly is not silent, and who was not asked yet is not late: both go on, but keep no place from others.
 */
import { BLOCK_MS_MAX, isComing } from '../model/slow-line.ts'
import type { Attempt, Outcome } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import { SourceError } from '../ports/block-source.ts'
import type { Clock } from '../ports/clock.ts'
import type { Candidate, Run, Rung, RunMeasurement } from './rung.ts'

/** A rung and how far it has come. */
export interface RungState {
  readonly rung: Rung
  readonly pending: Candidate[]
  more: 'none' | 'not-asked' | 'asking'
  lastStart: Ms
  /** After {@link lastStart} the next may start. */
  hedgeAfter: Ms
  /** Those that have a place. */
  running: number
  /** Those that gave their place to others because their bytes come slowly; no more than have places. */
  slow: number
}

interface RunningEvents {
  /** It is to be left. */
  readonly silent: (failure: SourceError) => void
  /** It goes on, and another may begin. */
  readonly gaveWay: () => void
}

const QUEUED = 'not asked yet: this node has other contents under way from it'

export function newState(rung: Rung): RungState {
  const { candidates, more: find, hedgeDelay: hedgeAfter } = rung
  const more = find === undefined ? 'none' : 'not-asked'
  return { rung, pending: [...candidates], more, lastStart: -Infinity, hedgeAfter, running: 0, slow: 0 }
}

/** Nobody is left on it who keeps others waiting, and nobody will be found. */
export function isExhausted(state: RungState): boolean {
  return state.running === 0 && state.pending.length === 0 && state.more === 'none'
}

export class Running {
  readonly candidate: Candidate
  readonly state: RungState
  readonly abort = new AbortController()
  readonly startedAt: Ms
  bytes: Bytes = 0
  /** All places at the source are taken by other requests of this node. */
  isQueued = false
  readonly #clock: Clock
  readonly #events: RunningEvents
  readonly #measurement: RunMeasurement | undefined
  #wasAsked = false
  #askedAt: Ms
  /** What had come from the peer by then. */
  #receivedBefore: Bytes
  #hasPlace = true
  #isSlow = false
  #limit: Ms | undefined
  /** Nothing verified since. */
  #since: Ms
  #stopTimer: () => void = () => {}

  constructor(clock: Clock, state: RungState, candidate: Candidate, events: RunningEvents) {
    this.#clock = clock
    this.state = state
    this.candidate = candidate
    this.#events = events
    this.startedAt = clock.monotonic()
    this.#askedAt = this.startedAt
    this.#since = this.startedAt
    this.#receivedBefore = this.#received
    this.#measurement = candidate.measure?.()
    state.running += 1
    state.lastStart = this.startedAt
    state.hedgeAfter = candidate.hedgeAfter ?? state.rung.hedgeDelay
  }

  get elapsed(): Ms {
    return this.#clock.monotonic() - this.startedAt
  }

  /** It has begun to deliver, be it less than a block. */
  get hasSent(): boolean {
    const asked = this.#clock.monotonic() - this.#askedAt
    return this.bytes > 0 || (!this.isQueued && asked > 0 && isComing(this.#received - this.#receivedBefore, asked))
  }

  /** Gives it so long for something verified, from now or from when it is asked; replaces the limit before. */
  watch(limit: Ms | undefined): void {
    this.#limit = limit
    this.#since = this.#clock.monotonic()
    this.#look()
  }

  async run(run: Omit<Run, 'signal'>): Promise<void> {
    const { signal } = this.abort
    const onQueued = (): void => {
      this.isQueued = true
    }
    await this.candidate.run({ ...run, signal, onQueued, onPlace: () => this.#placed() })
  }

  delivered(bytes: Bytes): void {
    if (this.bytes === 0) this.#measurement?.firstByte(bytes)
    this.bytes += bytes
    if (this.#isSlow) this.state.slow -= 1
    if (!this.#hasPlace) this.state.running += 1
    this.#isSlow = false
    this.#hasPlace = true
  }

  /** If the search ends now: who had its time and sent nothing has timed out. */
  outcomeAfter(least: Ms): Outcome {
    return this.isQueued || this.hasSent || this.#clock.monotonic() - this.#askedAt < least ? 'cancelled' : 'timeout'
  }

  /** Nothing of it counts any more. */
  end(outcome: Outcome, error: unknown, reason = this.isQueued ? QUEUED : undefined): Attempt {
    this.#stopTimer()
    if (this.#hasPlace) this.state.running -= 1
    if (this.#isSlow) this.state.slow -= 1
    this.#measurement?.end(outcome, this.bytes, error)
    const { elapsed, bytes } = this
    return { ...this.candidate.id, outcome, ms: Math.round(elapsed), bytes, ...(reason === undefined ? {} : { reason }) }
  }

  get #received(): Bytes {
    return this.candidate.received?.() ?? 0
  }

  #placed(): void {
    if (this.abort.signal.aborted) return // it was left in the turn in which its place became free
    const now = this.#clock.monotonic()
    if (!this.#wasAsked || this.isQueued) {
      this.#askedAt = now
      this.#receivedBefore = this.#received
    }
    if (!this.#wasAsked) this.#measurement?.asked?.()
    this.#wasAsked = true
    if (!this.isQueued) return
    this.isQueued = false
    if (this.state.lastStart === this.startedAt) this.state.lastStart = now // hedged as if it had begun now
    this.watch(this.#limit)
  }

  #look(): void {
    this.#stopTimer()
    const limit = this.#limit
    if (limit === undefined) return
    const before = this.#received
    this.#stopTimer = this.#clock.after(limit, () => {
      if (!this.isQueued && !this.#isOnlySlow(this.#received - before, limit)) {
        this.#events.silent(this.#silence(limit))
        return
      }
      this.#look()
      this.#giveWay()
    })
  }

  /** Its bytes come, and it may go on for that. */
  #isOnlySlow(bytes: Bytes, limit: Ms): boolean {
    if (!isComing(bytes, limit) || this.#clock.monotonic() - this.#since >= BLOCK_MS_MAX) return false
    const { state } = this
    if (!this.#isSlow && state.slow >= state.rung.maxParallel) return false
    if (!this.#isSlow) state.slow += 1
    this.#isSlow = true
    return true
  }

  /** As it did when all of these were left: the next one of its rung, or the next rung, has its chance. */
  #giveWay(): void {
    if (!this.#hasPlace) return
    this.#hasPlace = false
    this.state.running -= 1
    this.state.lastStart = -Infinity
    this.#events.gaveWay()
  }

  #silence(limit: Ms): SourceError {
    const seconds = limit / 1000
    if (this.candidate.received !== undefined && !this.#wasAsked)
      return new SourceError('fault', `it could not be reached within ${seconds} s`)
    return new SourceError('timeout', `no verified byte ${this.bytes === 0 ? 'within' : 'for'} ${seconds} s`)
  }
}
