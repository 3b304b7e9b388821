/**
 * One direction of a link: bytes leave at its rate, one sender after the other, and arrive after its latency. Knows
 * nothing of sockets: it says when bytes may go on.
 */
import type { Bytes, Ms, Rate } from '../../src/model/units.ts'
import { deferred, type Deferred } from '../../src/lib/deferred.ts'
import type { Clock } from '../../src/ports/clock.ts'

/** What a link does to bytes, in either direction. Absent: not limited. */
export interface LinkTerms {
  /** One way. */
  readonly latency?: Ms
  readonly bandwidth?: Rate
}

/** Timers come late by a millisecond or more; so much unused time may be made up for, so that the rate is kept on average. */
const BURST_MS: Ms = 10

export class LinkLane {
  readonly #clock: Clock
  #terms: LinkTerms
  /** When what was let in so far has left. */
  #freeAt: Ms
  #held: Deferred<void> | undefined

  constructor({ clock }: { readonly clock: Clock }, terms: LinkTerms = {}) {
    this.#clock = clock
    this.#terms = terms
    this.#freeAt = clock.monotonic()
  }

  get latency(): Ms {
    return this.#terms.latency ?? 0
  }

  /** Holds for what comes; bytes that were let in already leave as they were told. */
  set(terms: LinkTerms): void {
    this.#terms = terms
  }

  /** Nothing leaves until {@link release}; nothing is lost. */
  hold(): void {
    this.#held ??= deferred<void>()
  }
  release(): void {
    this.#held?.resolve(undefined)
    this.#held = undefined
  }

  /** Resolves when the last of these bytes has left. Who asks first leaves first. */
  async pass(bytes: Bytes): Promise<void> {
    const { bandwidth } = this.#terms
    if (bandwidth !== undefined) {
      const now = this.#clock.monotonic()
      this.#freeAt = Math.max(this.#freeAt, now - BURST_MS) + (bytes / bandwidth) * 1000
      await this.#until(this.#freeAt)
    }
    while (this.#held !== undefined) await this.#held.promise
  }

  async #until(moment: Ms): Promise<void> {
    const wait = moment - this.#clock.monotonic()
    if (wait <= 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#clock.after(wait, resolve)
    await promise
  }
}
