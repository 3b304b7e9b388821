/**
 * Whether this node's clock is wrong, judged by the adverts of others: one peer may be wrong, three that agree are
 * rarely. A hint for the operator and nothing else. In memory only.
 */
import type { Ms } from '../model/units.ts'
import { readUnverifiedJwt, type UnverifiedJwt } from '../peers/jwt.ts'
import type { Clock } from '../ports/clock.ts'
import type { GossipMessage } from '../ports/network.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import { decodeAdvert } from './codec.ts'
import { ADVERT_GOSSIP_BYTES_MAX, ADVERT_JWT_CHARACTERS_MAX } from './limits.ts'

/** Less is none of an operator's business: tokens allow for it. */
const SKEW_MIN: Ms = 5 * 60_000
/** Peers that must agree on the direction. */
const PEERS_MIN = 3
/** Peers whose last word is kept: more than enough to judge by. */
const PEERS_MAX = 64
/** A word counts this long: three heartbeats. */
const FRESH_MAX: Ms = 15 * 60_000
/** One peer is listened to at most this often. */
const PEER_GAP: Ms = 30_000
/** A change of less is not told again. */
const STEP_MIN: Ms = 60_000

export interface ClockSkewComponents {
  readonly clock: Clock
  /** How far the own clock is ahead of the others' (below 0: behind); 0 when it agrees again. Called on changes only. */
  readonly onSkew: (ms: Ms) => void
}

interface Sample {
  readonly peer: string
  readonly skew: Ms
  readonly at: Ms
}

export class ClockSkew {
  readonly #parts: ClockSkewComponents
  readonly #samples = new Map<string, Sample>()
  readonly #heard = new BoundedMap<Ms>(PEERS_MAX * 4)
  #told: Ms = 0

  constructor(components: ClockSkewComponents) {
    this.#parts = components
  }

  /** A gossip message; counted only if it comes from its author, whose envelope then is signed now: what others pass on may be old. */
  gossip({ from, via, data }: GossipMessage): void {
    if (from !== via) return
    this.#take(from, data, ({ iat }) => (typeof iat === 'number' ? this.#parts.clock.now() - iat * 1000 : undefined))
  }

  /** The advert a peer gave when asked: it is valid by that peer's own clock, which is all that is known. */
  pulled(peer: string, data: Uint8Array): void {
    this.#take(peer, data, ({ iat, exp }) => {
      if (typeof iat !== 'number' || typeof exp !== 'number') return undefined
      const now = this.#parts.clock.now()
      return now > exp * 1000 ? now - exp * 1000 : Math.min(0, now - iat * 1000)
    })
  }

  #take(peer: string, data: Uint8Array, skewOf: (claims: UnverifiedJwt) => Ms | undefined): void {
    const at = this.#parts.clock.monotonic()
    if (at - (this.#heard.get(peer) ?? -Infinity) < PEER_GAP) return
    this.#heard.set(peer, at)
    const skew = readSkew(data, skewOf)
    if (skew === undefined) return
    this.#samples.delete(peer)
    this.#samples.set(peer, { peer, skew, at })
    const [oldest] = this.#samples.keys()
    if (this.#samples.size > PEERS_MAX && oldest !== undefined) this.#samples.delete(oldest)
    this.#judge(at)
  }

  #judge(at: Ms): void {
    for (const [peer, sample] of this.#samples) if (at - sample.at > FRESH_MAX) this.#samples.delete(peer)
    const skews = [...this.#samples.values()].map(({ skew }) => skew)
    const now =
      agreed(
        skews.filter(skew => skew > SKEW_MIN),
        skews.length
      ) ??
      agreed(
        skews.filter(skew => skew + SKEW_MIN < 0),
        skews.length
      ) ??
      0
    const isNews = now === 0 ? this.#told !== 0 : Math.abs(now - this.#told) >= STEP_MIN
    if (!isNews) return
    this.#told = now
    this.#parts.onSkew(now)
  }
}

/** The median of those on one side, if they are enough and the majority. */
function agreed(side: readonly Ms[], all: number): Ms | undefined {
  if (side.length < PEERS_MIN || side.length * 2 <= all) return undefined
  return side.toSorted((a, b) => a - b)[Math.floor(side.length / 2)]
}

function readSkew(data: Uint8Array, skewOf: (claims: UnverifiedJwt) => Ms | undefined): Ms | undefined {
  try {
    return skewOf(readUnverifiedJwt(decodeAdvert(data, Math.max(ADVERT_GOSSIP_BYTES_MAX, data.byteLength)).jwt, ADVERT_JWT_CHARACTERS_MAX))
  } catch {
    return undefined
  }
}
