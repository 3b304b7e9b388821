/** One source being asked: what it delivered, when it began, and the timers that end it when it falls silent. */
import type { Attempt, Outcome } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
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
  running: number
}

export function newState(rung: Rung): RungState {
  const { candidates, more, hedgeDelay } = rung
  const pending = [...candidates]
  return { rung, pending, more: more === undefined ? 'none' : 'not-asked', lastStart: -Infinity, hedgeAfter: hedgeDelay, running: 0 }
}

/** Nobody is left on it, and nobody will be found. */
export function isExhausted(state: RungState): boolean {
  return state.running === 0 && state.pending.length === 0 && state.more === 'none'
}

export class Running {
  readonly candidate: Candidate
  readonly state: RungState
  readonly abort = new AbortController()
  readonly startedAt: Ms
  bytes: Bytes = 0
  readonly #clock: Clock
  readonly #measurement: RunMeasurement | undefined
  #stopTimer: () => void = () => {}

  constructor(clock: Clock, state: RungState, candidate: Candidate) {
    this.#clock = clock
    this.state = state
    this.candidate = candidate
    this.startedAt = clock.monotonic()
    this.#measurement = candidate.measure?.()
    state.running += 1
    state.lastStart = this.startedAt
    state.hedgeAfter = candidate.hedgeAfter ?? state.rung.hedgeDelay
  }

  get elapsed(): Ms {
    return this.#clock.monotonic() - this.startedAt
  }

  /** Calls `run` unless something is delivered or it ends within `limit`; replaces the call before. */
  watch(limit: Ms | undefined, run: () => void): void {
    this.#stopTimer()
    if (limit !== undefined) this.#stopTimer = this.#clock.after(limit, run)
  }

  async run(run: Omit<Run, 'signal'>): Promise<void> {
    await this.candidate.run({ ...run, signal: this.abort.signal })
  }

  delivered(bytes: Bytes): void {
    if (this.bytes === 0) this.#measurement?.firstByte(bytes)
    this.bytes += bytes
  }

  /** Nothing of it counts any more. */
  end(outcome: Outcome, error: unknown, reason?: string): Attempt {
    this.#stopTimer()
    this.state.running -= 1
    this.#measurement?.end(outcome, this.bytes, error)
    const { elapsed, bytes } = this
    return { ...this.candidate.id, outcome, ms: Math.round(elapsed), bytes, ...(reason === undefined ? {} : { reason }) }
  }
}
