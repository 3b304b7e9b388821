/** Whether an endpoint is left alone for a while: after repeated faults, or because it asked for it. In memory only. */
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'

/** Faults in a row before the endpoint rests. */
const FAULTS_MAX = 3
/** How long it rests. After that a single fault sends it back to rest. */
const REST_MS: Ms = 30_000
/** Longest rest an endpoint may ask for itself: nobody is trusted to switch a stage off for good. */
const ASKED_REST_MS_MAX: Ms = 600_000

export class Breaker {
  readonly #clock: Clock
  #faults = 0
  #mismatches = 0
  #restUntil: Ms = Number.NEGATIVE_INFINITY

  constructor(components: { readonly clock: Clock }) {
    this.#clock = components.clock
  }

  get isResting(): boolean {
    return this.#clock.monotonic() < this.#restUntil
  }

  /** It answered, whatever the answer was. */
  succeeded(): void {
    this.#faults = 0
  }

  failed(): void {
    this.#faults++
    if (this.#faults < FAULTS_MAX) return
    // One more fault after the rest is enough.
    this.#faults = FAULTS_MAX - 1
    this.#rest(REST_MS)
  }

  /** It sent wrong bytes. Answers in between do not make up for that: each of them was a success of HTTP only. */
  mismatched(): void {
    this.#mismatches++
    if (this.#mismatches < FAULTS_MAX) return
    this.#mismatches = 0
    this.#rest(REST_MS)
  }

  /** It asked to be left alone (HTTP 429). */
  coolDown(asked: Ms): void {
    this.#rest(Math.min(Math.max(asked, 0), ASKED_REST_MS_MAX))
  }

  #rest(duration: Ms): void {
    this.#restUntil = Math.max(this.#restUntil, this.#clock.monotonic() + duration)
  }
}
