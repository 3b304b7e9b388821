/**
 * Tells by gossip what was made public here, without storms: contents wait until things have settled, go out at a
 * bounded rate, and of many only the newest. The advert names them all anyway. In memory: a crash forgets what waits.
 */
import type { CID } from 'multiformats/cid'
import { abortable, startDeadline } from '../lib/deadline.ts'
import { TokenBucket } from '../lib/token-bucket.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Identity } from '../ports/identity.ts'
import type { Log } from '../ports/log.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import { PUBLISH_BUDGET_MS, UPDATE_NEWS_MS } from './limits.ts'
import { signUpdate, UPDATES_TOPIC, type PublicContent } from './update.ts'

/** From the first content to its update: what is put and removed at once is no news. */
const SETTLE_MS: Ms = 1_000
/** Updates a second, and at once after a pause: well within what receivers take of one issuer. */
const RATE = { capacity: 8, perSecond: 1 }
/** Contents that wait; of more the newest. A minute's worth. Count. */
const WAITING_MAX = 64
/** Contents told lately, which are no news. Count. */
const TOLD_MAX = 1024

export interface UpdatePublisherComponents {
  readonly identity: Identity
  readonly clock: Clock
  readonly log: Log
  readonly publish: (topic: string, data: Uint8Array) => Promise<void>
  /** Whether a content is (still) public here. */
  readonly isPublic: (root: CID) => boolean
}

export class UpdatePublisher {
  readonly #parts: UpdatePublisherComponents
  readonly #bucket: TokenBucket
  readonly #waiting = new BoundedMap<PublicContent>(WAITING_MAX)
  readonly #told = new BoundedMap<Ms>(TOLD_MAX)
  #cancel: (() => void) | undefined
  #sending: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(components: UpdatePublisherComponents) {
    this.#parts = components
    this.#bucket = new TokenBucket(components, RATE)
  }

  /** A content was made public here. */
  announce(content: PublicContent): void {
    if (this.#isClosed) return
    this.#waiting.set(content.cid.toString(), content)
    this.#arm(SETTLE_MS)
  }

  /** Forgets what waits; resolves when nothing is on its way. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    await this.#sending
  }

  #arm(delay: Ms): void {
    this.#cancel ??= this.#parts.clock.after(delay, () => {
      this.#cancel = undefined
      this.#sending = this.#pump()
    })
  }

  async #pump(): Promise<void> {
    for (let next = this.#next(); next !== undefined && !this.#isClosed; next = this.#next()) {
      if (!this.#bucket.take()) return this.#arm(this.#bucket.delayUntil())
      const key = next.cid.toString()
      this.#waiting.delete(key)
      this.#told.set(key, this.#parts.clock.monotonic())
      await this.#send(next)
    }
  }

  /** The oldest that is still news. */
  #next(): PublicContent | undefined {
    for (const content of [...this.#waiting.values()]) {
      const toldAt = this.#told.get(content.cid.toString()) ?? -Infinity
      if (this.#parts.clock.monotonic() - toldAt >= UPDATE_NEWS_MS && this.#parts.isPublic(content.cid)) return content
      this.#waiting.delete(content.cid.toString())
    }
    return undefined
  }

  /** A message that reaches nobody is no failure. */
  async #send(content: PublicContent): Promise<void> {
    const { clock, identity, publish, log } = this.#parts
    using deadline = startDeadline(clock, PUBLISH_BUDGET_MS)
    try {
      const jwt = await signUpdate(content, identity, clock.now())
      await abortable(publish(UPDATES_TOPIC, new TextEncoder().encode(jwt)), deadline)
    } catch (err) {
      log.debug({ err }, 'an update was not gossiped')
    }
  }
}
