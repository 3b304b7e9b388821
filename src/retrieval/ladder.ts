/**
 * The order of stages: who is asked when, who wins, and what happens when the winner fails. Pure state over a
 * clock; knows nothing of blocks or networks.
 *
 * Staged with hedging: the first rung starts at once, each later one when its delay has passed without a verified
 * byte, or as soon as nobody is left on the rungs before it. The first source to deliver a verified byte wins and
 * the others are cancelled; if it fails later, those that were cancelled or never asked go on from what is verified.
 */
import { KithError, toKithError } from '../errors.ts'
import { deferred } from '../lib/deferred.ts'
import type { Attempt, Outcome, SourceId } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import { SourceError } from '../ports/block-source.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'
import { asSourceError } from './blame.ts'
import type { Candidate, LadderInit, Rung } from './rung.ts'

/** While a peer that claims the content is being asked, later stages wait at least this long (its p90 is unknown). */
export const CLAIM_PATIENCE_MS: Ms = 1_000
/** A transfer without a verified byte for this long is a stall: next source. */
export const STALL_MS: Ms = 30_000

interface RungState {
  readonly rung: Rung
  readonly pending: Candidate[]
  more: 'none' | 'not-asked' | 'asking'
  lastStart: Ms
  running: number
}

interface Running {
  readonly candidate: Candidate
  readonly state: RungState
  readonly abort: AbortController
  readonly startedAt: Ms
  bytes: Bytes
  stopStall: () => void
}

export class Ladder {
  readonly attempts: Attempt[] = []
  /** Monotonic time of the first verified byte. */
  firstByteAt: Ms | undefined
  readonly #clock: Clock
  readonly #init: LadderInit
  readonly #states: RungState[]
  readonly #running = new Set<Running>()
  readonly #end = deferred<void>()
  #winner: Running | undefined
  #phaseStart: Ms
  #searchEnd: Ms = Infinity
  #stopTimer: () => void = () => {}
  #isSettled = false

  constructor(components: { readonly clock: Clock }, init: LadderInit) {
    this.#clock = components.clock
    this.#init = init
    this.#phaseStart = this.#clock.monotonic()
    this.#states = init.rungs.map(rung => ({
      rung,
      pending: [...rung.candidates],
      more: rung.more === undefined ? 'none' : 'not-asked',
      lastStart: -Infinity,
      running: 0
    }))
  }

  /** Who delivers at the moment. */
  get winner(): SourceId | undefined {
    return this.#winner?.candidate.id
  }

  /** Resolves when a source completed the content. @throws NOT_FOUND · TIMEOUT · INTEGRITY · what a source threw as fatal */
  async climb(options: AbortOptions): Promise<void> {
    const { signal } = options
    signal?.throwIfAborted()
    this.#phaseStart = this.#clock.monotonic() // the wait for a place is over, the search begins
    const onAbort = (): void => {
      this.#settle(toKithError(signal?.reason))
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#searchEnd = this.#phaseStart + this.#init.ttl
    const stopTtl = this.#clock.after(this.#init.ttl, () => {
      this.#ttlOver()
    })
    this.#step()
    try {
      await this.#end.promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
      stopTtl()
      this.#stopTimer()
    }
  }

  /** Decides what starts now, and when to look again. */
  #step(): void {
    this.#stopTimer()
    if (this.#isSettled || this.#winner !== undefined) return
    const waited = this.#clock.monotonic() - this.#phaseStart
    let before = true // nobody is left on the rungs before this one
    let patience: Ms = 0
    let next = Infinity
    for (const [index, state] of this.#states.entries()) {
      const delay = index === 0 ? 0 : this.#init.strict ? Infinity : state.rung.delay + patience
      if (before || waited >= delay) next = Math.min(next, this.#startFrom(state))
      else next = Math.min(next, delay - waited)
      before &&= isExhausted(state)
      if (this.#hasClaimant(state)) patience = Math.max(patience, CLAIM_PATIENCE_MS - (this.#states[1]?.rung.delay ?? 0))
    }
    if (before) this.#exhausted()
    else if (next < Infinity)
      this.#stopTimer = this.#clock.after(Math.max(0, next), () => {
        this.#step()
      })
  }

  /** @returns after how long this rung wants to be looked at again */
  #startFrom(state: RungState): Ms {
    while (state.running < state.rung.maxParallel) {
      const since = this.#clock.monotonic() - state.lastStart
      const isDue = state.running === 0 || since >= state.rung.hedgeDelay
      if (!isDue) return state.pending.length > 0 || state.more === 'not-asked' ? state.rung.hedgeDelay - since : Infinity
      const candidate = state.pending.shift()
      if (candidate === undefined) {
        this.#lookForMore(state)
        return Infinity
      }
      this.#start(state, candidate)
    }
    return Infinity
  }

  #lookForMore(state: RungState): void {
    if (state.more !== 'not-asked' || state.rung.more === undefined) return
    state.more = 'asking'
    const abort = new AbortController()
    this.#end.promise.then(
      () => {
        abort.abort()
      },
      () => {
        abort.abort()
      }
    )
    state.rung
      .more(abort.signal)
      .then(
        found => {
          state.pending.push(...found)
        },
        () => {} // looking is a favour: who could not be asked has nothing
      )
      .finally(() => {
        state.more = 'none'
        this.#step()
      })
  }

  #start(state: RungState, candidate: Candidate): void {
    const running: Running = {
      candidate,
      state,
      abort: new AbortController(),
      startedAt: this.#clock.monotonic(),
      bytes: 0,
      stopStall: () => {}
    }
    state.running += 1
    state.lastStart = running.startedAt
    this.#running.add(running)
    candidate
      .run({
        signal: running.abort.signal,
        verified: bytes => {
          this.#verified(running, bytes)
        },
        remaining: () => (this.firstByteAt === undefined ? this.#searchEnd - this.#clock.monotonic() : Infinity)
      })
      .then(
        () => {
          this.#ended(running, 'ok')
        },
        (error: unknown) => {
          this.#failed(running, error)
        }
      )
  }

  #verified(running: Running, bytes: Bytes): void {
    if (!this.#running.has(running)) return
    running.bytes += bytes
    running.stopStall()
    running.stopStall = this.#clock.after(STALL_MS, () => {
      const stalled = new SourceError('timeout', `no verified byte for ${STALL_MS / 1000} s`)
      running.abort.abort(stalled)
      this.#ended(running, 'timeout', stalled.message)
    })
    if (this.#winner !== undefined) return
    this.#winner = running
    this.firstByteAt ??= this.#clock.monotonic()
    for (const other of [...this.#running]) {
      if (other !== running) this.#cancel(other)
    }
  }

  /** A loser is not to blame, and may be asked again if the winner fails. */
  #cancel(running: Running): void {
    running.abort.abort(new KithError('CANCELLED', 'another source was faster'))
    running.state.pending.unshift(running.candidate)
    this.#ended(running, 'cancelled')
  }

  #failed(running: Running, error: unknown): void {
    const failure = asSourceError(error)
    if (failure !== undefined) {
      this.#ended(running, failure.outcome, failure.message)
    } else if (this.#running.delete(running)) {
      this.#book(running, 'cancelled', toKithError(error).message) // trouble of this node is nobody else's fault
      this.#settle(toKithError(error))
    }
  }

  /** Books the end of a run; whatever it still does afterwards counts no more. */
  #ended(running: Running, outcome: Outcome, reason?: string): void {
    if (!this.#running.delete(running)) return
    this.#book(running, outcome, reason)
    if (outcome === 'ok') {
      this.#settle(undefined)
      return
    }
    if (this.#winner === running) {
      this.#winner = undefined
      this.#phaseStart = this.#clock.monotonic()
    }
    this.#step()
  }

  #book(running: Running, outcome: Outcome, reason?: string): void {
    running.stopStall()
    running.state.running -= 1
    const ms = Math.round(this.#clock.monotonic() - running.startedAt)
    this.attempts.push({ ...running.candidate.id, outcome, ms, bytes: running.bytes, ...(reason === undefined ? {} : { reason }) })
  }

  #hasClaimant(state: RungState): boolean {
    return [...this.#running].some(running => running.state === state && running.candidate.claims)
  }

  #exhausted(): void {
    if (this.attempts.some(attempt => attempt.outcome === 'corrupt')) {
      this.#settle(
        new KithError('INTEGRITY', 'every source that delivered sent bytes that do not match the address; they were thrown away')
      )
    } else if (this.firstByteAt !== undefined) {
      this.#settle(
        new KithError(
          'TIMEOUT',
          'the source that had begun to deliver stopped, and no other is left. What arrived is verified and kept: asking again goes on from there.'
        )
      )
    } else {
      this.#settle(new KithError('NOT_FOUND', 'nobody who was asked has this content'))
    }
  }

  #ttlOver(): void {
    if (this.firstByteAt !== undefined) return
    const isClaimed = this.#states.some(state => this.#hasClaimant(state))
    const seconds = Math.round(this.#init.ttl / 1000)
    this.#settle(
      isClaimed
        ? new KithError(
            'TIMEOUT',
            `a peer that says it has the content did not deliver within ${seconds} s. Ask again with a larger ttl (--timeout).`
          )
        : new KithError('NOT_FOUND', `nobody delivered within ${seconds} s`),
      'timeout'
    )
  }

  #settle(error: KithError | undefined, outcome: Outcome = 'cancelled'): void {
    if (this.#isSettled) return
    this.#isSettled = true
    for (const running of this.#running) {
      running.abort.abort(error ?? new KithError('CANCELLED', 'the content is complete'))
      this.#book(running, outcome)
    }
    this.#running.clear()
    if (error === undefined) this.#end.resolve()
    else this.#end.reject(error)
  }
}

function isExhausted(state: RungState): boolean {
  return state.running === 0 && state.pending.length === 0 && state.more === 'none'
}
