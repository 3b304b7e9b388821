/** One token bucket for each of many keys. Keys that rest long enough are full again, so the least used may be forgotten. */
import type { Clock } from '../ports/clock.ts'
import { TokenBucket, type TokenBucketInit } from './token-bucket.ts'

export interface BucketTableInit extends TokenBucketInit {
  /** Keys remembered; beyond, the one not used for longest goes. */
  readonly keysMax: number
}

export class BucketTable {
  readonly #clock: Clock
  readonly #init: BucketTableInit
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(components: { readonly clock: Clock }, init: BucketTableInit) {
    this.#clock = components.clock
    this.#init = init
  }

  /** Takes `count` tokens of this key if they are there. */
  take(key: string, count = 1): boolean {
    const bucket = this.#buckets.get(key) ?? new TokenBucket({ clock: this.#clock }, this.#init)
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    const [oldest] = this.#buckets.keys()
    if (this.#buckets.size > this.#init.keysMax && oldest !== undefined) this.#buckets.delete(oldest)
    return bucket.take(count)
  }
}
