/**
 * Tells others what this node has: builds the filter over the public roots, signs the head, publishes on change and as
 * a heartbeat, says goodbye. The sequence number is stored before it is used, so a crash loses at most numbers, and
 * never makes an older advert look newer.
 */
import { equals } from 'uint8arrays'
import { abortable, startDeadline } from '../lib/deadline.ts'
import type { Bytes, Ms } from '../model/units.ts'
import { signJwt } from '../peers/jwt.ts'
import type { Clock } from '../ports/clock.ts'
import type { Identity } from '../ports/identity.ts'
import type { Log } from '../ports/log.ts'
import type { Random } from '../ports/random.ts'
import type { AdvertInfo } from '../rpc/services.ts'
import type { ContentIndex, OwnCapabilities } from './claims.ts'
import { encodeAdvert, filterDigest } from './codec.ts'
import { elementOfMultihash } from './element.ts'
import { buildFilter } from './filter.ts'
import { encodeFilter } from './filter-codec.ts'
import { advertInfo, type PresentHead } from './info.ts'
import { HASH_KEY_BYTES } from './keyed-hash.ts'
import {
  ADVERTS_TOPIC,
  ADVERT_LIFETIME_SECONDS_MAX,
  ADVERT_SETTLE_MS,
  ADVERT_VERSION,
  FILTER_INLINE_BYTES_MAX,
  GOODBYE_BUDGET_MS,
  PUBLISH_BUDGET_MS
} from './limits.ts'
import { OwnNumbers, type SequenceStore } from './own-numbers.ts'

/** Share of the heartbeat by which it comes early, at random, so that nodes started together drift apart. */
const HEARTBEAT_JITTER = 0.2

export interface AdvertisedRoot {
  /** Multihash bytes of the root. */
  readonly root: Uint8Array
  /** SHA-256 of the whole content. */
  readonly sha256?: Uint8Array | undefined
}

export interface AdvertPublisherComponents {
  readonly identity: Identity
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly publish: (topic: string, data: Uint8Array) => Promise<void>
  /** Roots of realm `public`, most used first. Throws if the scan is interrupted: then nothing is published. */
  readonly roots: () => Iterable<AdvertisedRoot>
  readonly seqStore: SequenceStore
}

export interface AdvertPublisherInit {
  /** Least time between two changes published; 0: none. */
  readonly interval: Ms
  /** 0: no heartbeat. */
  readonly heartbeat: Ms
  readonly grace: Ms
  readonly falsePositiveRate: number
  /** Largest encoded filter; 0: what gossip carries. */
  readonly maxBytes: Bytes
  /** Read anew for each advert. */
  readonly caps: () => OwnCapabilities
}

interface Body {
  readonly encoded: Uint8Array
  readonly index: ContentIndex
}
interface Current {
  readonly head: PresentHead
  readonly body: Body
  readonly jwt: string
  readonly message: Uint8Array
}

export class AdvertPublisher {
  readonly #parts: AdvertPublisherComponents
  readonly #init: AdvertPublisherInit
  #current: Current | null = null
  #state: 'new' | 'running' | 'stopped' = 'new'
  readonly #numbers: OwnNumbers
  #tail: Promise<void> = Promise.resolve()
  /** Monotonic time of the first change not yet published. */
  #changedAt: Ms | undefined
  #changePublishedAt: Ms = -Infinity
  #cancelChange = (): void => {}
  #cancelHeartbeat = (): void => {}

  constructor(components: AdvertPublisherComponents, init: AdvertPublisherInit) {
    this.#parts = components
    this.#init = init
    this.#numbers = new OwnNumbers(components.seqStore)
  }

  /** Builds the first advert, for peers that connect and ask. Nothing is gossiped: nobody is there yet. */
  async start(): Promise<void> {
    this.#numbers.load()
    this.#state = 'running'
    await this.#enqueue(async () => await this.#renew())
    if (this.#current === null) this.changed()
    this.#armHeartbeat()
  }

  /** The roots or the capabilities changed: published when they have settled and the interval allows. */
  changed(): void {
    if (this.#state !== 'running') return
    const now = this.#parts.clock.monotonic()
    const { interval } = this.#init
    this.#changedAt ??= now
    // Without this bound a node that changes all the time would never publish.
    const latest = this.#changedAt + Math.max(ADVERT_SETTLE_MS, interval)
    const due = Math.max(Math.min(now + ADVERT_SETTLE_MS, latest), this.#changePublishedAt + interval)
    this.#cancelChange()
    this.#cancelChange = this.#parts.clock.after(due - now, () => {
      void this.#enqueue(async () => await this.#publishChange())
    })
  }

  /** The whole advert as the exchange hands it out; null before the first and after the goodbye. */
  current(): Uint8Array | null {
    return this.#current?.message ?? null
  }

  /** Whether an advert signed with the own key was made by a second node that has it. */
  isForeign(advert: Uint8Array): boolean {
    return this.#numbers.isForeign(advert)
  }

  /** The own advert as operators see it. */
  info(): AdvertInfo | null {
    return this.#current === null ? null : advertInfo(this.#current.head)
  }

  /** Resolves when nothing is being built or published. */
  async idle(): Promise<void> {
    await this.#tail
  }

  /** Says goodbye, within {@link GOODBYE_BUDGET_MS}. */
  async stop(): Promise<void> {
    if (this.#state !== 'running') return
    this.#state = 'stopped'
    this.#cancelChange()
    this.#cancelHeartbeat()
    const goodbye = this.#enqueue(async () => await this.#sayGoodbye())
    using deadline = startDeadline(this.#parts.clock, GOODBYE_BUDGET_MS)
    await abortable(goodbye, deadline).catch((error: unknown) =>
      this.#parts.log.debug({ err: error }, 'the goodbye was not handed on in time')
    )
    this.#current = null
  }

  /** Jobs run one after another and never reject. */
  async #enqueue(job: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail.then(async () => {
      try {
        await job()
      } catch (error) {
        this.#parts.log.warn({ err: error }, 'the advert could not be renewed; the last one stays in force')
      }
    })
    await this.#tail
  }

  async #publishChange(): Promise<void> {
    if (this.#state !== 'running') return
    const changedAt = this.#changedAt
    this.#changedAt = undefined
    this.#cancelChange()
    try {
      await this.#renew()
    } catch (error) {
      this.#changedAt ??= changedAt
      this.#changePublishedAt = this.#parts.clock.monotonic()
      this.changed()
      throw error
    }
    this.#changePublishedAt = this.#parts.clock.monotonic()
    await this.#gossip('with-body')
    this.#armHeartbeat()
  }

  async #beat(): Promise<void> {
    if (this.#state !== 'running') return
    try {
      if (this.#current === null || this.#changedAt !== undefined) return await this.#publishChange()
      this.#current = await this.#signed(this.#current.body)
      await this.#gossip('head-only')
    } finally {
      this.#armHeartbeat()
    }
  }

  #armHeartbeat(): void {
    this.#cancelHeartbeat()
    if (this.#state !== 'running' || this.#init.heartbeat === 0) return
    const longest = Math.min(this.#init.heartbeat, ADVERT_LIFETIME_SECONDS_MAX * 1000)
    const delay = longest * (1 - HEARTBEAT_JITTER * this.#parts.random.number())
    this.#cancelHeartbeat = this.#parts.clock.after(delay, () => {
      void this.#enqueue(async () => await this.#beat())
    })
  }

  async #renew(): Promise<void> {
    this.#current = await this.#signed(this.#build())
  }

  /** Everything is read before anything is replaced: an interrupted scan leaves the last advert as it is. */
  #build(): Body {
    const { falsePositiveRate, maxBytes } = this.#init
    const { filter, truncated } = buildFilter(elementsOf(this.#parts.roots()), {
      falsePositiveRate,
      salt: this.#parts.random.bytes(HASH_KEY_BYTES),
      bytesMax: maxBytes === 0 ? FILTER_INLINE_BYTES_MAX : maxBytes
    })
    const encoded = encodeFilter(filter)
    return { encoded, index: { digest: filterDigest(encoded), bytes: encoded.byteLength, count: filter.count, truncated } }
  }

  async #signed(body: Body): Promise<Current> {
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

  async #gossip(how: 'with-body' | 'head-only'): Promise<void> {
    if (this.#current === null) return
    const { jwt, message, body } = this.#current
    const isInline = how === 'with-body' && body.encoded.byteLength <= FILTER_INLINE_BYTES_MAX
    await this.#send(isInline ? message : encodeAdvert({ jwt }))
  }

  async #sayGoodbye(): Promise<void> {
    if (this.#current === null) return
    const { jwt } = await this.#sign({ goodbye: true })
    await this.#send(encodeAdvert({ jwt }))
  }

  /** A message that reaches nobody is no failure: peers ask when they connect. */
  async #send(data: Uint8Array): Promise<void> {
    using deadline = startDeadline(this.#parts.clock, PUBLISH_BUDGET_MS)
    try {
      await abortable(this.#parts.publish(ADVERTS_TOPIC, data), deadline)
    } catch (error) {
      this.#parts.log.debug({ err: error }, 'an advert was not gossiped')
    }
  }
}

function* elementsOf(roots: Iterable<AdvertisedRoot>): Iterable<Uint8Array> {
  for (const { root, sha256 } of roots) {
    const element = elementOfMultihash(root)
    yield element
    if (sha256 !== undefined && !equals(sha256, element)) yield sha256
  }
}
