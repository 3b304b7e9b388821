/**
 * The order of stages: who is asked when, who wins, and what happens when the winner fails. Pure state over a
 * clock; knows nothing of blocks or networks.
 *
 * Staged with hedging: the first rung starts at once, each later one when its delay has passed without a verified
 * byte, or as soon as nobody is left on the rungs before it. The first source to deliver a verified byte wins and
 * the others are cancelled; if it fails later, those that were cancelled or never asked go on from what is verified.
 * While it delivers, others of its rung may join it for a part of the rest; those of other rungs, if it is slow.
 */
import { KithError, toKithError } from '../errors.ts'
import { deferred } from '../lib/deferred.ts'
import type { Attempt, Outcome, SourceId } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import type { SourceError } from '../ports/block-source.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'
import { asSourceError } from './blame.ts'
import { FoundPrivate } from './found-private.ts'
import { Helpers } from './helpers.ts'
import { exhausted, searchOver } from './ladder-ends.ts'
import type { Candidate, LadderInit } from './rung.ts'
import { isExhausted, newState, Running, type RungState } from './running.ts'

/** A source that was asked this long and said nothing has had its time: starting the next one is no hedge, and at the end it is to blame. */
const SILENT_MS: Ms = 2_000
/** A transfer without a verified byte for this long times those who deliver together, and hardly any other, is a stall: next source. */
export const STALL_MS: Ms = 30_000

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
  readonly #helpers: Helpers
  #stopTimer: () => void = () => {}
  #isSettled = false

  constructor(components: { readonly clock: Clock }, init: LadderInit) {
    this.#clock = components.clock
    this.#init = init
    this.#phaseStart = this.#clock.monotonic()
    this.#states = init.rungs.map(newState)
    this.#helpers = new Helpers({
      states: this.#states,
      start: (state, candidate) => {
        this.#join(state, candidate)
      },
      lookForMore: state => {
        this.#lookForMore(state)
      }
    })
  }

  /** Who delivers at the moment, or was the first of those who do. */
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
    if (this.#isSettled) return
    if (this.#winner !== undefined) {
      this.#lookAgain(this.#init.strict ? Infinity : this.#helpers.seek(this.#winner.state))
      return
    }
    const waited = this.#clock.monotonic() - this.#phaseStart
    let before = true // nobody is left on the rungs before this one
    let patience: Ms = 0
    let next = Infinity
    for (const [index, state] of this.#states.entries()) {
      const delay = index === 0 ? 0 : this.#init.strict ? Infinity : state.rung.delay + patience
      if (!before && waited >= delay) for (const earlier of this.#states.slice(0, index)) this.#lookForMore(earlier)
      if (before || waited >= delay) next = Math.min(next, this.#startFrom(state))
      else next = Math.min(next, delay - waited)
      before &&= isExhausted(state)
      patience = Math.max(patience, this.#patienceFor(state) - (this.#states[1]?.rung.delay ?? 0))
    }
    if (before && this.#running.size === 0) this.#settle(exhausted(this.attempts, this.firstByteAt !== undefined))
    else this.#lookAgain(next)
  }

  #lookAgain(after: Ms): void {
    if (after === Infinity || this.#isSettled) return
    this.#stopTimer = this.#clock.after(Math.max(0, after), () => {
      this.#step()
    })
  }

  /** @returns after how long this rung wants to be looked at again */
  #startFrom(state: RungState): Ms {
    while (state.running < state.rung.maxParallel) {
      const since = this.#clock.monotonic() - state.lastStart
      const isHedge = state.running > 0
      if (isHedge && since < state.hedgeAfter)
        return state.pending.length > 0 || state.more === 'not-asked' ? state.hedgeAfter - since : Infinity
      const candidate = state.pending[0]
      if (candidate === undefined) {
        this.#lookForMore(state)
        return Infinity
      }
      if (isHedge && since < SILENT_MS && state.rung.mayHedge?.() === false) return SILENT_MS - since
      state.pending.shift()
      this.#start(state, candidate)
    }
    return Infinity
  }

  #join(state: RungState, candidate: Candidate): void {
    this.#start(state, candidate, STALL_MS)
    for (const each of this.#running) this.#watchForStall(each)
  }

  /** If this node's own line is the narrow place, each that joined makes the others slower: nobody's fault. */
  #watchForStall(running: Running): void {
    running.watch(STALL_MS * this.#running.size)
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
        (error: unknown) => {
          if (error instanceof FoundPrivate) this.#settle(error) // otherwise looking is a favour: who could not be asked has nothing
        }
      )
      .finally(() => {
        state.more = 'none'
        this.#step()
      })
  }

  #start(state: RungState, candidate: Candidate, silenceMax = state.rung.silenceMax): void {
    const running = new Running(this.#clock, state, candidate, {
      silent: failure => this.#silent(running, failure),
      gaveWay: () => this.#step()
    })
    this.#running.add(running)
    this.#helpers.stir()
    running.watch(silenceMax)
    running
      .run({
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
    running.delivered(bytes)
    const isFirst = this.#winner === undefined
    if (isFirst) this.#won(running)
    this.#watchForStall(running)
    if (isFirst) this.#step()
  }

  #won(running: Running): void {
    this.#winner = running
    this.firstByteAt ??= this.#clock.monotonic()
    const losers = [...this.#running].filter(other => other !== running)
    for (const loser of losers.toReversed()) this.#cancel(loser)
  }

  #silent(running: Running, failure: SourceError): void {
    running.abort.abort(failure)
    this.#ended(running, failure.outcome, failure)
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
      this.#ended(running, failure.outcome, failure)
    } else if (this.#running.delete(running)) {
      const trouble = toKithError(error) // of this node: nobody else's fault
      this.attempts.push(running.end('cancelled', undefined, trouble.message))
      this.#settle(trouble)
    }
  }

  /** Books the end of a run; whatever it still does afterwards counts no more. */
  #ended(running: Running, outcome: Outcome, failure?: SourceError): void {
    if (!this.#running.delete(running)) return
    const isIdle = outcome === 'ok' && running.bytes === 0 && this.#winner !== running // others were faster with its part
    this.attempts.push(running.end(isIdle ? 'cancelled' : outcome, failure, failure?.message))
    const { state, candidate } = running
    if (outcome === 'ok') {
      if (this.#init.isComplete?.() !== false) {
        this.#settle(undefined)
        return
      }
      state.pending.unshift(candidate) // its part is done; it may be of use again
    } else if (outcome !== 'cancelled') state.lastStart = -Infinity // the next one takes its place at once
    if ((this.#winner === running && outcome !== 'ok') || this.#running.size === 0) this.#replaceWinner()
    this.#helpers.stir()
    this.#step()
  }

  /** Who delivers besides goes on; otherwise the search begins again. */
  #replaceWinner(): void {
    const hadWinner = this.#winner !== undefined
    this.#winner = [...this.#running].find(({ bytes }) => bytes > 0)
    if (hadWinner && this.#winner === undefined) this.#phaseStart = this.#clock.monotonic()
  }

  /** How long after the search began later stages still wait for those who run here. */
  #patienceFor(state: RungState): Ms {
    const ends = [...this.#running].flatMap(({ state: of, candidate, startedAt }) =>
      of === state && candidate.patience !== undefined ? [startedAt + candidate.patience - this.#phaseStart] : []
    )
    return Math.max(0, ...ends)
  }

  #ttlOver(): void {
    if (this.firstByteAt !== undefined) return
    const { ttl, ttlGiven = ttl } = this.#init
    this.#settle(searchOver(ttlGiven, [...this.#running]), running => running.outcomeAfter(Math.min(SILENT_MS, ttl)))
  }

  #settle(error: KithError | undefined, outcomeOf: (running: Running) => Outcome = () => 'cancelled'): void {
    if (this.#isSettled) return
    const hasHelped = ({ bytes }: Running): boolean => error === undefined && bytes > 0
    this.#isSettled = true
    for (const running of this.#running) {
      running.abort.abort(error ?? new KithError('CANCELLED', 'the content is complete'))
      this.attempts.push(running.end(hasHelped(running) ? 'ok' : outcomeOf(running), undefined))
    }
    this.#running.clear()
    if (error === undefined) this.#end.resolve()
    else this.#end.reject(error)
  }
}
