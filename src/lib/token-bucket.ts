/** A rate with a burst: tokens drip in, each action takes some. Starts full. */
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'

export interface TokenBucketInit {
  /** Tokens it holds at most: the burst. */
  readonly capacity: number
  readonly perSecond: number
}

export class TokenBucket {
  readonly #clock: Clock
  readonly #init: TokenBucketInit
  #tokens: number
  #at: Ms

  constructor(components: { readonly clock: Clock }, init: TokenBucketInit) {
    this.#clock = components.clock
    this.#init = init
    this.#tokens = init.capacity
    this.#at = components.clock.monotonic()
  }

  /** Takes `count` tokens if they are there. */
  take(count = 1): boolean {
    this.#drip()
    if (this.#tokens < count) return false
    this.#tokens -= count
    return true
  }

  /** Time until `take(count)` succeeds if nobody else takes; Infinity for more than the bucket holds. */
  delayUntil(count = 1): Ms {
    this.#drip()
    if (count > this.#init.capacity) return Number.POSITIVE_INFINITY
    return Math.max(0, Math.ceil(((count - this.#tokens) / this.#init.perSecond) * 1000))
  }

  #drip(): void {
    const now = this.#clock.monotonic()
    this.#tokens = Math.min(this.#init.capacity, this.#tokens + ((now - this.#at) / 1000) * this.#init.perSecond)
    this.#at = now
  }
}
