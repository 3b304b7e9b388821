/**
 * How much each peer may ask in vain. What is answered with content costs nothing here, questions and misses do: so
 * whoever fetches is not slowed down, and whoever tries out what a node may have gets nowhere quickly.
 *
 * Whether a question counts is decided by what the asker may see, so that the count tells nothing either.
 */
import { TokenBucket, type TokenBucketInit } from '../lib/token-bucket.ts'
import type { Clock } from '../ports/clock.ts'

/** Questions of one stranger: a folder of a thousand contents at once, then 256 a second. */
const STRANGER: TokenBucketInit = { capacity: 1_024, perSecond: 256 }
/** Of a trusted peer, which asks before each of its own retrievals. */
const TRUSTED: TokenBucketInit = { capacity: 16_384, perSecond: 2_000 }
/** Peers remembered. Whoever is forgotten starts afresh, and a new identity costs about as much. */
const PEERS_MAX = 4_096

export class AskRate {
  readonly #clock: Clock
  /** Least recently charged first. */
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(components: { readonly clock: Clock }) {
    this.#clock = components.clock
  }

  /** Before an answer. @returns false when the peer has asked too much, and is to be refused whatever it asks for */
  admits({ peer, isTrusted }: { readonly peer: string; readonly isTrusted: boolean }, count: number): boolean {
    const bucket = this.#buckets.get(keyOf(peer, isTrusted))
    return bucket === undefined || bucket.delayUntil(count) === 0
  }

  charge({ peer, isTrusted }: { readonly peer: string; readonly isTrusted: boolean }, count: number): void {
    const key = keyOf(peer, isTrusted)
    const bucket = this.#buckets.get(key) ?? new TokenBucket({ clock: this.#clock }, limitOf(isTrusted))
    bucket.take(count)
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= PEERS_MAX) return
      this.#buckets.delete(oldest)
    }
  }
}

function limitOf(isTrusted: boolean): TokenBucketInit {
  return isTrusted ? TRUSTED : STRANGER
}

function keyOf(peer: string, isTrusted: boolean): string {
  return `${isTrusted ? 'trusted' : 'stranger'} ${peer}`
}
