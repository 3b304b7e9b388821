/**
 * What other nodes say they have: the last valid advert of each peer. In memory, but for the numbers that stop
 * replays; after a restart peers are asked again when they connect. What is said here only orders and chooses whom to
 * ask; it proves nothing.
 */
import { toString } from 'uint8arrays'
import { sha256 as digestOf } from '../model/sha256.ts'
import type { Bytes, Ms } from '../model/units.ts'
import type { EventBus } from '../observe/events.ts'
import { JWT_SKEW_SECONDS } from '../peers/jwt.ts'
import type { Clock } from '../ports/clock.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { Log } from '../ports/log.ts'
import type { GossipMessage, Validity } from '../ports/network.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Standing } from '../ports/standing.ts'
import type { StateStore } from '../ports/state-table.ts'
import type { AdvertInfo } from '../rpc/services.ts'
import { toAdvertError } from './advert-error.ts'
import { BodyPuller } from './body-puller.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import { ClaimWatch } from './claim-watch.ts'
import type { Capabilities, IpfsCapability } from './claims.ts'
import { headDigest } from './codec.ts'
import type { ContentFilter } from './filter.ts'
import { ADVERTS_IN_DELIVERY_MAX, FILTER_BYTES_MAX, FILTER_INLINE_BYTES_MAX } from './limits.ts'
import { advertInfo, type PresentHead } from './info.ts'
import { ContentLookUp, type Claimed, type ContentKeys } from './look-up.ts'
import { makeRoom } from './room.ts'
import { KnownSequences } from './known-sequences.ts'
import { AdvertValidator, type Advert } from './validate.ts'

export interface AdvertDirectoryComponents {
  readonly clock: Clock
  readonly log: Log
  readonly events: EventBus
  /** Own peer id. */
  readonly self: string
  /** `ExchangeClient.advert`. */
  readonly pull: (peer: string, options: AbortOptions) => Promise<Uint8Array | null>
  readonly isConnected: (peer: string) => boolean
  /** With T above 0 a peer's adverts are taken and passed on also when it is not connected; of those it shuns, none. */
  readonly standing: Pick<Standing, 'trustOf' | 'isShunned' | 'report'>
  readonly estimates: Pick<Estimates, 'of'>
  /** Holds the last sequence numbers. */
  readonly state: StateStore
}

export interface AdvertDirectoryInit {
  /** Largest encoded filter taken (`adverts.maxBytes`); 0: {@link FILTER_BYTES_MAX}. */
  readonly maxBytes: Bytes
}

/** For `peers.list`. */
export interface AdvertSummary {
  readonly seq: number
  readonly ageSeconds: number
  readonly count: number
  /** Share of true hits among those observed; null before the first. */
  readonly precision: number | null
}

interface Entry extends Claimed {
  readonly head: PresentHead
  /** Its filter is the one the head names. */
  readonly isCurrent: boolean
  readonly receivedAt: Ms
}

export class AdvertDirectory {
  readonly #parts: AdvertDirectoryComponents
  readonly #filterBytesMax: Bytes
  readonly #validator: AdvertValidator
  readonly #puller: BodyPuller
  /** Ordered by arrival, oldest first. */
  readonly #entries = new Map<string, Entry>()
  /** Outlives the entry, so that a goodbye cannot be undone by a replay. */
  readonly #known: KnownSequences
  readonly #watch: ClaimWatch
  readonly #inDelivery = new BoundedMap<Advert>(ADVERTS_IN_DELIVERY_MAX)

  constructor(components: AdvertDirectoryComponents, init: AdvertDirectoryInit) {
    this.#parts = components
    const { clock, standing, estimates } = components
    this.#known = new KnownSequences(components)
    this.#watch = new ClaimWatch({
      clock,
      hitsOf: peer => estimates.of(peer).hits,
      onFalseClaims: peer => standing.report(peer, 'false-claims')
    })
    this.#filterBytesMax = init.maxBytes === 0 ? FILTER_BYTES_MAX : Math.max(init.maxBytes, FILTER_INLINE_BYTES_MAX)
    this.#validator = new AdvertValidator(
      {
        clock,
        known: peer => this.#known.get(peer),
        isWelcome: peer => this.#isWelcome(peer),
        isKept: peer => this.#fresh(peer) !== undefined,
        onOffence: (peer, offence) => standing.report(peer, offence)
      },
      { filterBytesMax: this.#filterBytesMax }
    )
    this.#puller = new BodyPuller({
      ...components,
      take: async (peer, bytes) => this.#admit(peer, await this.#validator.pulled(peer, bytes)),
      isWanted: peer => components.isConnected(peer) && this.#fresh(peer)?.isCurrent !== true
    })
  }

  /** The topic's validator. Never rejects as a promise. */
  async validate(message: GossipMessage): Promise<Validity> {
    try {
      this.#inDelivery.set(deliveryKey(message), await this.#validator.gossip(message))
      return 'accept'
    } catch (error) {
      const { refusal, message: why } = toAdvertError(error)
      this.#parts.log.debug({ from: message.from, refusal, why }, 'an advert was not taken')
      return refusal
    }
  }

  /** Takes a message that {@link validate} accepted; any other is passed over. */
  receive(message: GossipMessage): void {
    const key = deliveryKey(message)
    const advert = this.#inDelivery.get(key)
    this.#inDelivery.delete(key)
    if (advert !== undefined) this.#admit(message.from, advert)
  }

  /** The peer is connected and identified: its current advert is asked for in the background. */
  onConnected(peer: string): void {
    if (peer !== this.#parts.self) this.#puller.request(peer)
  }

  /** What adverts say of one content now: to be asked at once, of as many peers as one likes. */
  claimsOn(content: ContentKeys): ContentLookUp {
    const onExpired = (peer: string): void => void this.#entries.delete(peer)
    return new ContentLookUp({ adverts: this.#entries, watch: this.#watch, onExpired }, content, this.#parts.clock.now())
  }

  ipfsOf(peer: string): IpfsCapability | undefined {
    return this.capabilitiesOf(peer)?.ipfsNode
  }

  /** What the peer says about itself; undefined without a valid advert. */
  capabilitiesOf(peer: string): Capabilities | undefined {
    return this.#fresh(peer)?.head.caps
  }

  list(): AdvertInfo[] {
    return [...this.#entries.keys()].flatMap(peer => {
      const entry = this.#fresh(peer)
      return entry === undefined ? [] : [advertInfo(entry.head)]
    })
  }

  summary(peer: string): AdvertSummary | undefined {
    const entry = this.#fresh(peer)
    if (entry === undefined) return undefined
    const ageSeconds = Math.round((this.#parts.clock.monotonic() - entry.receivedAt) / 1000)
    return { seq: entry.head.seq, ageSeconds, count: entry.head.caps.contentIndex.count, precision: this.precision(peer) }
  }

  /** Share of true hits, 0 to 1; null before the first was observed. */
  precision(peer: string): number | null {
    const { yes, no } = this.#parts.estimates.of(peer).hits
    return yes + no === 0 ? null : yes / (yes + no)
  }

  /** The standing of a peer has changed: what a peer said that is now shunned counts no longer. */
  onStanding(peer: string): void {
    if (this.#parts.standing.isShunned(peer)) this.#entries.delete(peer)
  }

  /** Resolves when no body is being pulled. */
  async idle(): Promise<void> {
    await this.#puller.idle()
  }

  async close(): Promise<void> {
    await this.#puller.close()
  }

  #isWelcome(peer: string): boolean {
    const { self, standing, isConnected } = this.#parts
    return peer !== self && !standing.isShunned(peer) && (isConnected(peer) || standing.trustOf(peer) > 0)
  }

  #admit(peer: string, { head, jwt, filter }: Advert): void {
    if (this.#parts.standing.isShunned(peer)) return // since it was validated
    const known = this.#known.get(peer)
    const digest = headDigest(jwt)
    const isSame = known !== undefined && known.seq === head.seq && known.digest === digest
    // Two may have been under way at once; the order they end in does not decide.
    if (known !== undefined && known.seq >= head.seq && !isSame) return
    const before = this.#fresh(peer)
    if (isSame && before?.isCurrent === true) return
    this.#known.set(peer, { seq: head.seq, digest })
    this.#entries.delete(peer)
    const { caps } = head
    if (caps === null) return
    const goodUntil = (head.expires + JWT_SKEW_SECONDS) * 1000
    const arrived = { receivedAt: this.#parts.clock.monotonic(), goodUntil, watched: this.#watch.of(peer) }
    const entry = { ...arrived, ...renewed(before, { ...head, caps }, filter) }
    this.#entries.set(peer, entry)
    this.#makeRoom()
    if (entry.isCurrent) this.#announce(entry.head)
    else if (this.#parts.isConnected(peer) && caps.contentIndex.bytes <= this.#filterBytesMax) this.#puller.request(peer)
  }

  #announce({ peerId, did, seq, caps }: PresentHead): void {
    this.#parts.events.emit('advert.received', { peerId, did, advertSeq: seq, count: caps.contentIndex.count })
  }

  /** The peer's entry, forgotten once expired. */
  #fresh(peer: string): Entry | undefined {
    const entry = this.#entries.get(peer)
    if (entry === undefined || this.#parts.clock.now() < entry.goodUntil) return entry
    this.#entries.delete(peer)
    return undefined
  }

  #makeRoom(): void {
    const { standing, isConnected } = this.#parts
    makeRoom(this.#entries, {
      isConnected,
      trustOf: peer => standing.trustOf(peer),
      dropExpired: () => {
        for (const peer of [...this.#entries.keys()]) this.#fresh(peer)
      },
      dropFilter: peer => {
        const entry = this.#entries.get(peer)
        if (entry !== undefined) this.#entries.set(peer, { ...entry, filter: null, isCurrent: false, isComplete: false })
      },
      drop: peer => this.#entries.delete(peer)
    })
  }
}

type Said = Pick<Entry, 'head' | 'filter' | 'isCurrent' | 'isComplete'>

function renewed(before: Entry | undefined, head: PresentHead, filter: ContentFilter | null): Said {
  const { digest, truncated } = head.caps.contentIndex
  const isCurrent = filter !== null || (before?.isCurrent === true && before.head.caps.contentIndex.digest === digest)
  return { head, filter: filter ?? before?.filter ?? null, isCurrent, isComplete: isCurrent && !truncated }
}

/** Equal for the same message whether or not the network hands over the same object twice. */
function deliveryKey({ from, data }: GossipMessage): string {
  return `${from}:${toString(digestOf(data), 'base64')}`
}
