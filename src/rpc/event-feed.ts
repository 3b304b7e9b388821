/**
 * Events on their way to one connection: what waits while the connection is slow, and what is given up when it is
 * too slow. Bounded: progress merges first, then the oldest go and one `events.dropped` says which. Messages of topics,
 * which may be large, are also bounded by their bytes.
 * In memory only; a client that comes back asks for what it missed by sequence number.
 */
import { KithError } from '../errors.ts'
import { KIB, MIB, type Bytes } from '../model/units.ts'
import type { EventBus, EventType, KithEvent } from '../observe/events.ts'
import type { Clock } from '../ports/clock.ts'
import type { Attachment, EventFilter } from './method.ts'

/** Events that wait for one slow connection; a promise of the contract. */
const WAITING_EVENTS_MAX = 1024
/** Messages of topics that wait for one slow connection: a second of the largest, or hours of small ones. */
const WAITING_BYTES_MAX: Bytes = 4 * MIB
/** What a waiting message costs beside its data. */
const MESSAGE_OVERHEAD: Bytes = KIB
/** Subscriptions of one connection: each costs a call per event. */
const SUBSCRIPTIONS_MAX = 64

export interface FeedItem {
  readonly event: KithEvent
  readonly subscription?: string
  /** Memory it takes while it waits; absent: little. */
  readonly bytes?: Bytes
}

export interface EventFeedInit {
  /** Whether this connection may hear of an event of the node; asked when it is about to be queued. */
  readonly isSeen?: (event: KithEvent) => boolean

  /** Sends one item. False: no more until {@link EventFeed.resume}. */
  readonly write: (item: FeedItem) => boolean
}

export class EventFeed {
  readonly #bus: EventBus
  readonly #clock: Clock
  readonly #write: (item: FeedItem) => boolean
  readonly #isSeen: (event: KithEvent) => boolean
  readonly #subscriptions = new Map<string, () => void>()
  #replay: FeedItem[] = []
  #replayed = 0
  #waiting: FeedItem[] = []
  #waitingBytes: Bytes = 0
  /** Messages of topics that were given up. */
  #lost = 0
  readonly #keys = new Map<string, string>()
  #gap: { from: number; to: number } | undefined
  #blocked = false
  #closed = false
  #named = 0

  constructor(components: { readonly events: EventBus; readonly clock: Clock }, init: EventFeedInit) {
    this.#bus = components.events
    this.#clock = components.clock
    this.#write = init.write
    this.#isSeen = init.isSeen ?? (() => true)
  }

  get subscriptions(): number {
    return this.#subscriptions.size
  }

  /**
   * Reserves a subscription; its events flow after `start`, so that the answer naming it can go first. Nothing
   * that happens in between is lost.
   */
  subscribe(filter: EventFilter): { readonly subscription: string; readonly start: () => void } {
    this.#assertRoom()
    const subscription = `s${++this.#named}`
    const asked = filter.since
    const after = asked ?? this.#bus.seq
    this.#subscriptions.set(subscription, () => {})
    return { subscription, start: () => this.#start(subscription, filter, after, asked !== undefined) }
  }

  unsubscribe(subscription: string): boolean {
    this.#subscriptions.get(subscription)?.()
    this.#keys.delete(subscription)
    return this.#subscriptions.delete(subscription)
  }

  /** As {@link subscribe}, to something else than the events of the node: what comes before `start` is nobody's. */
  attach(attachment: Attachment): { readonly subscription: string; readonly start: () => void } {
    const { type, key } = attachment
    this.#assertRoom()
    const subscription = `s${++this.#named}`
    let started = false
    const stop = attachment.open((fields, size) => {
      if (started) this.pushOwn(type, fields, { subscription, bytes: size + MESSAGE_OVERHEAD })
    })
    this.#subscriptions.set(subscription, stop)
    this.#keys.set(subscription, key)
    const start = (): void => {
      started = true
    }
    return { subscription, start }
  }

  /** Ends every attachment with this key. */
  detach(key: string): boolean {
    const found = [...this.#keys].filter(([, other]) => other === key)
    for (const [subscription] of found) this.unsubscribe(subscription)
    return found.length > 0
  }

  /** An event for this connection alone: the progress of its own call, or a message. A message has a number of its own, progress that of the newest event. */
  pushOwn(type: EventType, fields: Readonly<Record<string, unknown>>, item: Omit<FeedItem, 'event'> = {}): void {
    const seq = type === 'pubsub.message' ? this.#bus.number() : this.#bus.seq
    this.push({ ...item, event: { ...fields, seq, type, at: new Date(this.#clock.now()).toISOString() } })
  }

  push(item: FeedItem): void {
    if (this.#closed) return
    if (this.#isIdle()) {
      this.#blocked = !this.#write(item)
      return
    }
    if (this.#waiting.length >= WAITING_EVENTS_MAX) this.#mergeProgress()
    if (this.#waiting.length >= WAITING_EVENTS_MAX) this.#dropOldest()
    const bytes = item.bytes ?? 0
    if (bytes > 0) this.#makeRoom(bytes)
    this.#waitingBytes += bytes
    this.#waiting.push(item)
  }

  /** The connection takes bytes again. */
  resume(): void {
    this.#blocked = false
    while (!this.#blocked && !this.#closed) {
      const item = this.#next()
      if (item === undefined) return
      this.#blocked = !this.#write(item)
    }
  }

  close(): void {
    this.#closed = true
    this.reset()
  }

  /** Ends every subscription, and forgets what waits. */
  reset(): void {
    for (const stop of this.#subscriptions.values()) stop()
    this.#subscriptions.clear()
    this.#keys.clear()
    this.#replay = []
    this.#replayed = 0
    this.#waiting = []
    this.#waitingBytes = 0
    this.#lost = 0
    this.#gap = undefined
  }

  #start(subscription: string, { types }: EventFilter, after: number, isReplay: boolean): void {
    if (this.#closed || !this.#subscriptions.has(subscription)) return
    const wanted = types === undefined ? undefined : new Set(types)
    const isWanted = (event: KithEvent): boolean => (wanted === undefined || wanted.has(event.type)) && this.#isSeen(event)
    this.#subscriptions.set(
      subscription,
      this.#bus.subscribe(event => {
        if (isWanted(event)) this.push({ event, subscription })
      })
    )
    // A number from before a restart is larger than any of this process: then everything is new to the caller.
    const from = after > this.#bus.seq ? 0 : after
    const missed = this.#bus.since(from)
    const { oldest } = this.#bus
    if (isReplay && from < oldest - 1) this.#replay.push({ event: this.#dropped(from + 1, oldest - 1), subscription })
    for (const event of missed) if (isWanted(event)) this.#replay.push({ event, subscription })
    if (!this.#blocked) this.resume()
  }

  #assertRoom(): void {
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX)
      throw new KithError('RATE_LIMITED', `this connection has ${SUBSCRIPTIONS_MAX} subscriptions already; end one first`, {
        limit: SUBSCRIPTIONS_MAX
      })
  }

  #isIdle(): boolean {
    return (
      !this.#blocked && this.#waiting.length === 0 && this.#gap === undefined && this.#lost === 0 && this.#replay.length === this.#replayed
    )
  }

  #next(): FeedItem | undefined {
    const replayed = this.#replay[this.#replayed]
    if (replayed !== undefined) {
      this.#replayed++
      return replayed
    }
    this.#replay = []
    this.#replayed = 0
    if (this.#lost > 0) return { event: this.#lostMessages() }
    const gap = this.#gap
    if (gap === undefined) return this.#shift()
    this.#gap = undefined
    return { event: this.#dropped(gap.from, gap.to) }
  }

  #shift(): FeedItem | undefined {
    const item = this.#waiting.shift()
    this.#waitingBytes -= item?.bytes ?? 0
    return item
  }

  #makeRoom(bytes: Bytes): void {
    while (this.#waitingBytes + bytes > WAITING_BYTES_MAX) {
      const at = this.#waiting.findIndex(item => item.bytes !== undefined)
      if (at < 0) return
      const [dropped] = this.#waiting.splice(at, 1)
      this.#waitingBytes -= dropped?.bytes ?? 0
      this.#lost++
    }
  }

  /** Their numbers are nothing that `since` could ask for: the range is empty, and their count says what is missing. */
  #lostMessages(): KithEvent {
    const messages = this.#lost
    this.#lost = 0
    return { ...this.#dropped(this.#bus.seq + 1, this.#bus.seq), messages }
  }

  #dropOldest(): void {
    const oldest = this.#shift()
    if (oldest === undefined || isOwnProgress(oldest)) return
    if (oldest.bytes !== undefined) {
      this.#lost++
      return
    }
    const { seq } = oldest.event
    this.#gap = { from: this.#gap?.from ?? seq, to: seq }
  }

  /** Of several reports on the same transfer only the newest says anything. */
  #mergeProgress(): void {
    const seen = new Set<string>()
    const kept: FeedItem[] = []
    for (const item of this.#waiting.toReversed()) {
      const key = progressKey(item)
      if (key !== undefined && seen.has(key)) continue
      if (key !== undefined) seen.add(key)
      kept.push(item)
    }
    this.#waiting = kept.toReversed()
  }

  #dropped(from: number, to: number): KithEvent {
    return { seq: to, type: 'events.dropped', at: new Date(this.#clock.now()).toISOString(), from, to }
  }
}

function isOwnProgress({ event, subscription }: FeedItem): boolean {
  return event.type === 'content.progress' && subscription === undefined
}

function progressKey({ event, subscription }: FeedItem): string | undefined {
  if (event.type !== 'content.progress') return undefined
  return JSON.stringify([subscription, event['call'], event['cid'], event['id']])
}
