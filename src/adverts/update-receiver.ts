/**
 * News of public contents: judges what comes by gossip or is told by a peer, tells the apps of this node, and passes
 * gossip on to direct peers that may not hear it. An announcement never makes this node fetch anything. Remembers in
 * memory who told what, for some minutes.
 */
import { toString } from 'uint8arrays'
import { KithError } from '../errors.ts'
import { KeyedBuckets } from '../lib/keyed-buckets.ts'
import { TokenBucket } from '../lib/token-bucket.ts'
import { hex } from '../model/content-id.ts'
import type { Ms } from '../model/units.ts'
import type { EventBus } from '../observe/events.ts'
import { JwtError } from '../peers/jwt.ts'
import type { Clock } from '../ports/clock.ts'
import type { ControlValue } from '../ports/control.ts'
import type { Log } from '../ports/log.ts'
import type { GossipMessage, Validity } from '../ports/network.ts'
import type { Standing } from '../ports/standing.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import type { KnownPublic } from './known-public.ts'
import { ISSUERS_REMEMBERED_MAX, UPDATE_NEWS_MS } from './limits.ts'
import { readUpdate, UPDATE_CHARACTERS_MAX, verifyUpdate, type Update } from './update.ts'

/** Updates of one issuer looked at: twice what an honest one sends. */
const ISSUER_RATE = { capacity: 20, perSecond: 2, keysMax: ISSUERS_REMEMBERED_MAX }
/** Signatures checked for all together, at about a millisecond each; also what peers are told and tell. */
const ALL_RATE = { capacity: 50, perSecond: 50 }
/** (Content, source) pairs remembered. Count. */
const HEARD_MAX = 8192
/** Updates between their validation and their delivery, which follow each other at once. Count. */
const IN_DELIVERY_MAX = 256

export interface UpdateReceiverComponents {
  readonly clock: Clock
  readonly log: Log
  readonly events: EventBus
  /** Own PeerId. */
  readonly self: string
  readonly isConnected: (peer: string) => boolean
  readonly standing: Pick<Standing, 'trustOf' | 'isShunned' | 'report'>
  readonly known: Pick<KnownPublic, 'add'>
  /** Connected peers that take `available`, the most trusted first. */
  readonly listeners: () => readonly string[]
  /** Tells one of them; may reject. */
  readonly tell: (peer: string, jwt: string) => Promise<void>
}

interface Heard {
  readonly update: Update
  readonly jwt: string
}

export class UpdateReceiver {
  readonly #parts: UpdateReceiverComponents
  readonly #issuers: KeyedBuckets
  readonly #gossipRate: TokenBucket
  readonly #toldRate: TokenBucket
  readonly #tellRate: TokenBucket
  /** When a content was heard of from its source. */
  readonly #heard = new BoundedMap<Ms>(HEARD_MAX)
  readonly #inDelivery = new BoundedMap<Heard>(IN_DELIVERY_MAX)

  constructor(components: UpdateReceiverComponents) {
    this.#parts = components
    this.#issuers = new KeyedBuckets(components, ISSUER_RATE)
    this.#gossipRate = new TokenBucket(components, ALL_RATE)
    this.#toldRate = new TokenBucket(components, ALL_RATE)
    this.#tellRate = new TokenBucket(components, ALL_RATE)
  }

  /** The topic's validator. Never rejects as a promise. */
  async validate({ from, via, data }: GossipMessage): Promise<Validity> {
    try {
      return await this.#judge(from, via, data)
    } catch (error) {
      if (!(error instanceof JwtError)) return 'ignore'
      this.#parts.log.debug({ from, why: error.message }, 'an update was not taken')
      if (error.reason === 'time') return 'ignore'
      if (this.#isWelcome(from)) this.#parts.standing.report(from, 'bad-advert')
      return 'reject'
    }
  }

  /** Takes a message that {@link validate} accepted; any other is passed over. */
  receive({ from, via, data }: GossipMessage): void {
    const key = `${from} ${textOf(data)}`
    const heard = this.#inDelivery.get(key)
    this.#inDelivery.delete(key)
    if (heard === undefined || !this.#isNews(heard.update)) return
    this.#take(heard.update)
    this.#passOn(heard, via)
  }

  /**
   * Answers `available`: a direct peer tells what it heard.
   *
   * @throws KithError INVALID_PARAMS for what is no signed update, RATE_LIMITED beyond the rate
   */
  async told(peer: string, body: ControlValue): Promise<null> {
    const { clock } = this.#parts
    const jwt = typeof body === 'object' && body !== null && 'jwt' in body ? body['jwt'] : undefined
    if (typeof jwt !== 'string') throw new KithError('INVALID_PARAMS', 'news of a content is a map with a signed update')
    try {
      const claimed = readUpdate(jwt, clock.now())
      if (claimed === null || !this.#isWelcome(claimed.peerId) || !this.#isNews(claimed)) return null
      if (!this.#toldRate.take()) throw new KithError('RATE_LIMITED', 'this node hears of too many contents at once; tell less')
      const update = await verifyUpdate(jwt, clock.now())
      if (update !== null && this.#isNews(update)) this.#take(update, peer)
      return null
    } catch (error) {
      if (error instanceof JwtError)
        throw new KithError('INVALID_PARAMS', 'the update is not signed, current and well-formed', {}, { cause: error })
      throw error
    }
  }

  async #judge(from: string, via: string, data: Uint8Array): Promise<Validity> {
    const { clock, standing } = this.#parts
    const jwt = textOf(data)
    const claimed = readUpdate(jwt, clock.now())
    if (claimed === null) return 'ignore'
    if (claimed.peerId !== from) throw new JwtError('issuer', 'its issuer is not the peer it came from')
    if (!this.#isWelcome(from) || !this.#isNews(claimed)) return 'ignore'
    if (!this.#issuers.take(from)) {
      // Only who sends too much itself is blamed: a relay could hold messages back and let them go all at once.
      if (via === from) standing.report(from, 'flood')
      return 'ignore'
    }
    if (!this.#gossipRate.take()) return 'ignore'
    const update = await verifyUpdate(jwt, clock.now())
    if (update === null) return 'ignore'
    this.#inDelivery.set(`${from} ${jwt}`, { update, jwt })
    return 'accept'
  }

  #isWelcome(peer: string): boolean {
    const { self, standing, isConnected } = this.#parts
    return peer !== self && !standing.isShunned(peer) && (isConnected(peer) || standing.trustOf(peer) > 0)
  }

  #isNews(update: Update): boolean {
    const heardAt = this.#heard.get(keyOf(update))
    return heardAt === undefined || this.#parts.clock.monotonic() - heardAt >= UPDATE_NEWS_MS
  }

  #take(update: Update, toldBy?: string): void {
    const { cid, sha256, size, contentType, did, peerId } = update
    this.#heard.set(keyOf(update), this.#parts.clock.monotonic())
    this.#parts.known.add(update)
    this.#parts.events.emit(
      'content.available',
      {
        cid: cid.toString(),
        ...(sha256 === undefined ? {} : { sha256: hex(sha256) }),
        size,
        ...(contentType === undefined ? {} : { contentType }),
        did,
        peerId,
        ...(toldBy === undefined ? {} : { toldBy })
      },
      { realm: 'public' }
    )
  }

  /** What was told by a peer goes no further: each hop would multiply it. */
  #passOn({ update, jwt }: Heard, via: string): void {
    for (const peer of this.#parts.listeners()) {
      if (peer === via || peer === update.peerId || this.#parts.standing.isShunned(peer)) continue
      if (!this.#tellRate.take()) return
      this.#parts.tell(peer, jwt).catch((err: unknown) => this.#parts.log.debug({ peer, err }, 'a peer was not told of a content'))
    }
  }
}

function keyOf({ cid, peerId }: Update): string {
  return `${peerId} ${cid.toString()}`
}

function textOf(data: Uint8Array): string {
  if (data.byteLength > UPDATE_CHARACTERS_MAX) throw new JwtError('size', `it has ${data.byteLength} bytes`)
  return toString(data, 'latin1')
}
