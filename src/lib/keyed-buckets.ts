/**
 * A token bucket for each of many keys, such as peers. The one used longest ago is forgotten when there are too many, so
 * that a crowd of strangers takes no memory; whoever comes back then starts with a full one. In memory only.
 */
import type { Clock } from '../ports/clock.ts'
import { TokenBucket, type TokenBucketInit } from './token-bucket.ts'

export interface KeyedBucketsInit extends TokenBucketInit {
  /** Keys remembered. */
  readonly keysMax: number
}

export class KeyedBuckets {
  readonly #clock: Clock
  readonly #init: KeyedBucketsInit
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(components: { readonly clock: Clock }, init: KeyedBucketsInit) {
    this.#clock = components.clock
    this.#init = init
  }

  get size(): number {
    return this.#buckets.size
  }

  /** Whether {@link take} would succeed. */
  has(key: string, count = 1): boolean {
    return (this.#buckets.get(key)?.delayUntil(count) ?? 0) === 0
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
