/**
 * The one place where things that happened are told: a sequence of events with a bounded memory, from which
 * sockets, HTTP streams and tests read. Nothing here waits for a listener.
 */
import type { Clock } from '../ports/clock.ts'

export type EventType =
  | 'content.stored'
  | 'content.retrieved'
  | 'content.available'
  | 'content.progress'
  | 'peer.connected'
  | 'peer.disconnected'
  | 'advert.received'
  | 'pin.state'
  | 'swarm.invited'
  | 'swarm.joined'
  | 'gc.done'
  | 'pubsub.message'
  | 'health.changed'
  | 'events.dropped'

export const EVENT_TYPES: readonly EventType[] = [
  'content.stored',
  'content.retrieved',
  'content.available',
  'content.progress',
  'peer.connected',
  'peer.disconnected',
  'advert.received',
  'pin.state',
  'swarm.invited',
  'swarm.joined',
  'gc.done',
  'pubsub.message',
  'health.changed',
  'events.dropped'
]

/** Key of an event's {@link Audience}: a symbol, so that it never reaches the wire. */
export const AUDIENCE = Symbol('audience')

/** Whose content an event is about: who does not see that content must not hear of it either. */
export interface Audience {
  readonly realm: string
  /** Names of the tokens that put the content, as its record has them. */
  readonly putBy?: readonly string[]
}

export interface KithEvent {
  /** Rises with each event of this process; never reused. What only one connection is told takes numbers, too. */
  readonly seq: number
  readonly type: EventType
  /** ISO 8601. */
  readonly at: string
  readonly [AUDIENCE]?: Audience
  readonly [field: string]: unknown
}

/** Events kept for `since`; enough for a client that reconnects within minutes. */
const EVENTS_KEPT_MAX = 10_000

export class EventBus {
  readonly #clock: Clock
  readonly #kept: KithEvent[] = []
  readonly #listeners = new Set<(event: KithEvent) => void>()
  #seq = 0

  constructor(components: { readonly clock: Clock }) {
    this.#clock = components.clock
  }

  /** Events about content name its `audience`; without one only an admin hears of them. */
  emit(type: EventType, fields: Record<string, unknown> = {}, audience?: Audience): void {
    const event: KithEvent = {
      ...fields,
      seq: ++this.#seq,
      type,
      at: new Date(this.#clock.now()).toISOString(),
      ...(audience === undefined ? {} : { [AUDIENCE]: audience })
    }
    this.#kept.push(event)
    if (this.#kept.length > EVENTS_KEPT_MAX * 1.1) this.#kept.splice(0, this.#kept.length - EVENTS_KEPT_MAX)
    for (const listener of this.#listeners) listener(event)
  }

  /** Sequence number of the newest event; 0 before the first. */
  get seq(): number {
    return this.#seq
  }

  /** A number for what one connection alone is told, and nobody remembers. */
  number(): number {
    return ++this.#seq
  }

  /** Sequence number of the oldest event that is still remembered; the next one's while there is none. */
  get oldest(): number {
    return this.#kept[0]?.seq ?? this.#seq + 1
  }

  /** Events after `seq` that are still remembered, oldest first. */
  since(seq: number): KithEvent[] {
    const before = this.#kept.findLastIndex(event => event.seq <= seq)
    return this.#kept.slice(before + 1)
  }

  /** `listener` must return at once. The returned function takes it away. */
  subscribe(listener: (event: KithEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
