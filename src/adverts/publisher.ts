/**
 * Tells others what this node has: publishes its advert on change and as a heartbeat, says goodbye. What it says is made
 * by maker.ts; a crash loses at most sequence numbers, and never makes an older advert look newer.
 */
import { KithError } from '../errors.ts'
import { abortable, startDeadline } from '../lib/deadline.ts'
import type { Ms } from '../model/units.ts'
import type { Log } from '../ports/log.ts'
import type { AdvertInfo } from '../rpc/services.ts'
import { encodeAdvert } from './codec.ts'
import { advertInfo, type PresentHead } from './info.ts'
import {
  ADVERTS_TOPIC,
  ADVERT_LIFETIME_SECONDS_MAX,
  ADVERT_SETTLE_MS,
  FILTER_INLINE_BYTES_MAX,
  GOODBYE_BUDGET_MS,
  PUBLISH_BUDGET_MS,
  PUBLISH_NOW_GAP_MS
} from './limits.ts'
import { AdvertMaker, type AdvertMakerComponents, type AdvertMakerInit, type MadeAdvert } from './maker.ts'

/** Share of the heartbeat by which it comes early, at random, so that nodes started together drift apart. */
const HEARTBEAT_JITTER = 0.2

export interface AdvertPublisherComponents extends AdvertMakerComponents {
  readonly log: Log
  readonly publish: (topic: string, data: Uint8Array) => Promise<void>
}

export interface AdvertPublisherInit extends AdvertMakerInit {
  /** Least time between two changes published; 0: none. */
  readonly interval: Ms
}

export class AdvertPublisher {
  readonly #parts: AdvertPublisherComponents
  readonly #init: AdvertPublisherInit
  #current: MadeAdvert | null = null
  #state: 'new' | 'running' | 'stopped' = 'new'
  readonly #maker: AdvertMaker
  #tail: Promise<unknown> = Promise.resolve()
  /** Monotonic time of the first change not yet published. */
  #changedAt: Ms | undefined
  #changePublishedAt: Ms = -Infinity
  #cancelChange = (): void => {}
  #cancelHeartbeat = (): void => {}

  constructor(components: AdvertPublisherComponents, init: AdvertPublisherInit) {
    this.#parts = components
    this.#init = init
    this.#maker = new AdvertMaker(components, init)
  }

  /** Builds the first advert, for peers that connect and ask. Nothing is gossiped: nobody is there yet. */
  async start(): Promise<void> {
    this.#maker.load()
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

  /**
   * Publishes now, whatever the interval says. Asked again at once it answers what it published a moment ago.
   *
   * @throws KithError RATE_LIMITED if something changed in that moment · UNAVAILABLE while the node starts or stops
   */
  async publishNow(): Promise<AdvertInfo> {
    if (this.#state !== 'running')
      throw new KithError('UNAVAILABLE', 'the node is starting or stopping and publishes nothing. Ask again in a moment')
    const isRecent = this.#parts.clock.monotonic() < this.#changePublishedAt + PUBLISH_NOW_GAP_MS
    if (isRecent && this.#changedAt !== undefined)
      throw new KithError(
        'RATE_LIMITED',
        `the advert was published less than ${PUBLISH_NOW_GAP_MS / 1000} s ago. Changes go out by themselves; or ask again in a moment`
      )
    const isDone = isRecent || (await this.#enqueue(async () => await this.#publishChange()))
    const info = this.info()
    if (isDone && info !== null) return info
    throw new KithError('UNAVAILABLE', 'the advert could not be made; the last one stays in force. The log of the daemon says why')
  }

  /** The whole advert as the exchange hands it out; null before the first and after the goodbye. */
  current(): Uint8Array | null {
    return this.#current?.message ?? null
  }

  /** Whether an advert signed with the own key was made by a second node that has it. */
  isForeign(advert: Uint8Array): boolean {
    return this.#maker.isForeign(advert)
  }

  /** What the current advert says; null without one. */
  head(): PresentHead | null {
    return this.#current?.head ?? null
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

  /** Jobs run one after another and never reject. @returns whether this one was done */
  async #enqueue(job: () => Promise<void>): Promise<boolean> {
    const done = this.#tail.then(async () => {
      try {
        await job()
        return true
      } catch (error) {
        this.#parts.log.warn({ err: error }, 'the advert could not be renewed; the last one stays in force')
        return false
      }
    })
    this.#tail = done
    return await done
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
      this.#current = await this.#maker.sign(this.#current.body)
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
    this.#current = await this.#maker.sign(this.#maker.build())
  }

  async #gossip(how: 'with-body' | 'head-only'): Promise<void> {
    if (this.#current === null) return
    const { jwt, message, body } = this.#current
    const isInline = how === 'with-body' && body.encoded.byteLength <= FILTER_INLINE_BYTES_MAX
    await this.#send(isInline ? message : encodeAdvert({ jwt }))
  }

  async #sayGoodbye(): Promise<void> {
    if (this.#current === null) return
    await this.#send(await this.#maker.goodbye())
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
