/**
 * Judges adverts that arrive: hostile until shown otherwise, the cheap checks before the signature.
 * Remembers only rates, in memory.
 */
import { readUnverifiedJwt, verifyJwt } from '../peers/jwt.ts'
import { didFromPeerId } from '../peers/did-key.ts'
import type { Bytes } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { GossipMessage } from '../ports/network.ts'
import type { Offence } from '../ports/standing.ts'
import { TokenBucket } from '../lib/token-bucket.ts'
import { AdvertError, toAdvertError } from './advert-error.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import { readClaims, type AdvertHead } from './claims.ts'
import { decodeAdvert, filterDigest, headDigest } from './codec.ts'
import type { ContentFilter } from './filter.ts'
import { decodeFilter } from './filter-codec.ts'
import type { KnownSequence } from './known-sequences.ts'
import {
  ADVERTS_TOPIC,
  ADVERT_GOSSIP_BYTES_MAX,
  ADVERT_JWT_CHARACTERS_MAX,
  ADVERT_LIFETIME_SECONDS_MAX,
  ADVERT_OVERHEAD_BYTES_MAX,
  FILTER_BYTES_MAX,
  FILTER_INLINE_BYTES_MAX,
  HEADS_BURST,
  HEADS_PER_SECOND,
  ISSUERS_REMEMBERED_MAX,
  ISSUER_HEADS_BURST,
  ISSUER_HEADS_PER_SECOND
} from './limits.ts'

/** An advert whose signature, claims and filter hold together. */
export interface Advert {
  readonly jwt: string
  readonly head: AdvertHead
  /** Null when only the head came. */
  readonly filter: ContentFilter | null
}

/** What an issuer itself did, by name; what it costs is decided elsewhere. */
export type AdvertOffence = Extract<Offence, 'bad-advert' | 'equivocation' | 'flood'>

export interface AdvertValidatorComponents {
  readonly clock: Clock
  /** The newest advert or goodbye taken from this peer. */
  readonly known: (peer: string) => KnownSequence | undefined
  /** Whether this peer's adverts are our business: connected here, or trusted, and not shunned. */
  readonly isWelcome: (peer: string) => boolean
  /** Whether an advert of this peer is kept here. Its goodbye is taken then, though its connection closed on its heels. */
  readonly isKept: (peer: string) => boolean
  readonly onOffence: (peer: string, offence: AdvertOffence) => void
}

export interface AdvertValidatorInit {
  /** Largest encoded filter read. */
  readonly filterBytesMax: Bytes
}

export class AdvertValidator {
  readonly #parts: AdvertValidatorComponents
  readonly #filterBytesMax: Bytes
  readonly #buckets = new BoundedMap<TokenBucket>(ISSUERS_REMEMBERED_MAX)
  readonly #bucket: TokenBucket

  constructor(components: AdvertValidatorComponents, init: AdvertValidatorInit) {
    this.#parts = components
    this.#filterBytesMax = init.filterBytesMax
    this.#bucket = new TokenBucket(components, { capacity: HEADS_BURST, perSecond: HEADS_PER_SECOND })
  }

  /**
   * Judges a gossip message.
   *
   * @throws AdvertError saying whether to ignore or reject; nothing else
   */
  async gossip({ from, via, data }: GossipMessage): Promise<Advert> {
    return await this.#guarded(from, async () => {
      const { jwt, filter } = decodeAdvert(data, ADVERT_GOSSIP_BYTES_MAX)
      if (filter !== undefined && filter.byteLength > FILTER_INLINE_BYTES_MAX)
        throw new AdvertError('reject', 'its filter is too large for gossip')
      this.#checkIssuer(jwt, from)
      if (!this.#parts.isWelcome(from) && !this.#takesBack(jwt, from))
        throw new AdvertError('ignore', 'its issuer is neither connected nor trusted')
      await this.#checkSequence(jwt, from, known => known.seq)
      this.#checkRate(from, via)
      return await this.#verify(jwt, from, filter)
    })
  }

  /**
   * Judges what `peer` gave over the exchange: a head with its whole filter. The head may be known already.
   *
   * @throws AdvertError; nothing else
   */
  async pulled(peer: string, bytes: Uint8Array): Promise<Advert> {
    return await this.#guarded(peer, async () => {
      const bytesMax = Math.max(this.#filterBytesMax, FILTER_BYTES_MAX) + ADVERT_JWT_CHARACTERS_MAX + ADVERT_OVERHEAD_BYTES_MAX
      const { jwt, filter } = decodeAdvert(bytes, bytesMax)
      if (filter === undefined) throw new AdvertError('reject', 'the filter is missing')
      // Others may allow themselves larger filters than this node takes.
      if (filter.byteLength > this.#filterBytesMax) throw new AdvertError('ignore', 'its filter is larger than this node takes')
      this.#checkIssuer(jwt, peer)
      await this.#checkSequence(jwt, peer, known => (known.digest === headDigest(jwt) ? known.seq - 1 : known.seq))
      const advert = await this.#verify(jwt, peer, filter)
      if (advert.head.caps === null) throw new AdvertError('reject', 'a goodbye is not an answer')
      return advert
    })
  }

  /** What deserves a rejection was signed by `author` as a whole, whoever passed it on. */
  async #guarded(author: string, judge: () => Promise<Advert>): Promise<Advert> {
    try {
      return await judge()
    } catch (error) {
      const refused = toAdvertError(error)
      if (refused.refusal === 'reject' && this.#parts.isWelcome(author)) this.#parts.onOffence(author, 'bad-advert')
      throw refused
    }
  }

  #checkIssuer(jwt: string, peer: string): void {
    const { iss } = readUnverifiedJwt(jwt, ADVERT_JWT_CHARACTERS_MAX)
    if (iss !== ownDid(peer)) throw new AdvertError('reject', 'its issuer is not the peer it came from')
  }

  /** A goodbye to what is kept here. */
  #takesBack(jwt: string, peer: string): boolean {
    return this.#parts.isKept(peer) && readUnverifiedJwt(jwt, ADVERT_JWT_CHARACTERS_MAX)['goodbye'] === true
  }

  async #checkSequence(jwt: string, peer: string, bar: (known: KnownSequence) => number): Promise<void> {
    const { seq } = readUnverifiedJwt(jwt, ADVERT_JWT_CHARACTERS_MAX)
    const known = this.#parts.known(peer)
    if (known === undefined || typeof seq !== 'number' || seq > bar(known)) return
    if (seq === known.seq && headDigest(jwt) !== known.digest) await this.#proveEquivocation(jwt, peer)
    throw new AdvertError('ignore', 'its sequence number is not above the one known')
  }

  /** Two tokens with one number are an offence only if the second is signed as well. */
  async #proveEquivocation(jwt: string, peer: string): Promise<void> {
    this.#checkRate(peer, peer)
    await this.#verify(jwt, peer, undefined)
    this.#parts.onOffence(peer, 'equivocation')
  }

  /** Only who sends too much itself is blamed: a relay could hold messages back and let them go all at once. */
  #checkRate(peer: string, via: string): void {
    const bucket =
      this.#buckets.get(peer) ?? new TokenBucket(this.#parts, { capacity: ISSUER_HEADS_BURST, perSecond: ISSUER_HEADS_PER_SECOND })
    this.#buckets.set(peer, bucket)
    if (!bucket.take()) {
      if (via === peer) this.#parts.onOffence(peer, 'flood')
      throw new AdvertError('ignore', 'its issuer sends too many')
    }
    if (!this.#bucket.take()) throw new AdvertError('ignore', 'too many adverts arrive')
  }

  async #verify(jwt: string, peer: string, encoded: Uint8Array | undefined): Promise<Advert> {
    const { claims } = await verifyJwt(jwt, {
      audience: ADVERTS_TOPIC,
      issuer: ownDid(peer),
      now: Math.floor(this.#parts.clock.now() / 1000),
      expMaxSeconds: ADVERT_LIFETIME_SECONDS_MAX,
      charactersMax: ADVERT_JWT_CHARACTERS_MAX
    })
    const head = readClaims(claims)
    return { jwt, head, filter: encoded === undefined ? null : this.#openFilter(head, encoded) }
  }

  #openFilter({ caps }: AdvertHead, encoded: Uint8Array): ContentFilter {
    if (caps === null) throw new AdvertError('reject', 'a goodbye carries no filter')
    const { bytes, count, digest } = caps.contentIndex
    if (bytes !== encoded.byteLength || digest !== filterDigest(encoded))
      throw new AdvertError('reject', 'its filter is not the one it signed')
    const filter = decodeFilter(encoded, this.#filterBytesMax)
    if (filter.count !== count) throw new AdvertError('reject', 'its filter declares another count')
    return filter
  }
}

function ownDid(peer: string): string {
  try {
    return didFromPeerId(peer)
  } catch (error) {
    throw new AdvertError('reject', 'the peer it came from has no Ed25519 key', { cause: error })
  }
}
