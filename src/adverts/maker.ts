/**
 * Makes the own adverts: reads the roots, builds the filter, numbers and signs the head. Numbers are durable before
 * they are used (own-numbers.ts); all else is in memory.
 */
import { equals } from 'uint8arrays'
import type { Bytes, Ms } from '../model/units.ts'
import { signJwt } from '../peers/jwt.ts'
import type { Clock } from '../ports/clock.ts'
import type { Identity } from '../ports/identity.ts'
import type { Random } from '../ports/random.ts'
import type { ContentIndex, OwnCapabilities } from './claims.ts'
import { encodeAdvert, filterDigest } from './codec.ts'
import { elementOfMultihash } from './element.ts'
import { buildFilter } from './filter.ts'
import { encodeFilter } from './filter-codec.ts'
import type { PresentHead } from './info.ts'
import { HASH_KEY_BYTES } from './keyed-hash.ts'
import { ADVERTS_TOPIC, ADVERT_LIFETIME_SECONDS_MAX, ADVERT_VERSION, FILTER_INLINE_BYTES_MAX } from './limits.ts'
import { OwnNumbers, type SequenceStore } from './own-numbers.ts'

export interface AdvertisedRoot {
  /** Multihash bytes of the root. */
  readonly root: Uint8Array
  /** SHA-256 of the whole content. */
  readonly sha256?: Uint8Array | undefined
}

export interface AdvertMakerComponents {
  readonly identity: Identity
  readonly clock: Clock
  readonly random: Random
  /** Roots of realm `public`, most recently used first. Throws if the scan is interrupted: then nothing is made. */
  readonly roots: () => Iterable<AdvertisedRoot>
  readonly seqStore: SequenceStore
}

export interface AdvertMakerInit {
  /** 0: no heartbeat. */
  readonly heartbeat: Ms
  readonly grace: Ms
  readonly falsePositiveRate: number
  /** Largest encoded filter; 0: what gossip carries. */
  readonly maxBytes: Bytes
  /** Read anew for each advert. */
  readonly caps: () => OwnCapabilities
}

export interface AdvertBody {
  readonly encoded: Uint8Array
  readonly index: ContentIndex
}

export interface MadeAdvert {
  readonly head: PresentHead
  readonly body: AdvertBody
  readonly jwt: string
  /** Head and body together, encoded. */
  readonly message: Uint8Array
}

export class AdvertMaker {
  readonly #parts: AdvertMakerComponents
  readonly #init: AdvertMakerInit
  readonly #numbers: OwnNumbers

  constructor(components: AdvertMakerComponents, init: AdvertMakerInit) {
    this.#parts = components
    this.#init = init
    this.#numbers = new OwnNumbers(components.seqStore)
  }

  /** To be called once, before anything is made. */
  load(): void {
    this.#numbers.load()
  }

  /** Everything is read before anything is made: an interrupted scan leaves the last advert as it is. */
  build(): AdvertBody {
    const { falsePositiveRate, maxBytes } = this.#init
    const { filter, truncated } = buildFilter(elementsOf(this.#parts.roots()), {
      falsePositiveRate,
      salt: this.#parts.random.bytes(HASH_KEY_BYTES),
      bytesMax: maxBytes === 0 ? FILTER_INLINE_BYTES_MAX : maxBytes
    })
    const encoded = encodeFilter(filter)
    return { encoded, index: { digest: filterDigest(encoded), bytes: encoded.byteLength, count: filter.count, truncated } }
  }

  /** A body under a new number. */
  async sign(body: AdvertBody): Promise<MadeAdvert> {
    const { did, peerId } = this.#parts.identity
    const caps = { did, ...this.#init.caps(), contentIndex: body.index }
    const { jwt, seq, iat, exp } = await this.#sign({ caps })
    return {
      head: { did, peerId, seq, issuedAt: iat, expires: exp, caps },
      body,
      jwt,
      message: encodeAdvert({ jwt, filter: body.encoded })
    }
  }

  /** The message that takes back what was said. */
  async goodbye(): Promise<Uint8Array> {
    const { jwt } = await this.#sign({ goodbye: true })
    return encodeAdvert({ jwt })
  }

  /** Whether an advert signed with the own key was made by a second node that has it. */
  isForeign(advert: Uint8Array): boolean {
    return this.#numbers.isForeign(advert)
  }

  async #sign(claims: Record<string, unknown>): Promise<{ jwt: string; seq: number; iat: number; exp: number }> {
    const { clock, identity } = this.#parts
    const seq = await this.#numbers.draw(clock.now())
    const iat = Math.floor(clock.now() / 1000)
    const exp = iat + this.#lifetimeSeconds()
    const jwt = await signJwt({ ...claims, aud: ADVERTS_TOPIC, iat, exp, seq, peerId: identity.peerId, v: ADVERT_VERSION }, identity)
    return { jwt, seq, iat, exp }
  }

  #lifetimeSeconds(): number {
    const { heartbeat, grace } = this.#init
    if (heartbeat === 0) return ADVERT_LIFETIME_SECONDS_MAX
    return Math.min(ADVERT_LIFETIME_SECONDS_MAX, Math.ceil((heartbeat + grace) / 1000))
  }
}

function* elementsOf(roots: Iterable<AdvertisedRoot>): Iterable<Uint8Array> {
  for (const { root, sha256 } of roots) {
    const element = elementOfMultihash(root)
    yield element
    if (sha256 !== undefined && !equals(sha256, element)) yield sha256
  }
}
