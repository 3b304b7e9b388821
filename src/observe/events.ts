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

export interface KithEvent {
  /** Rises by one with each event of this process; never reused. */
  readonly seq: number
  readonly type: EventType
  /** ISO 8601. */
  readonly at: string
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

  emit(type: EventType, fields: Record<string, unknown> = {}): void {
    const event: KithEvent = { ...fields, seq: ++this.#seq, type, at: new Date(this.#clock.now()).toISOString() }
    this.#kept.push(event)
    if (this.#kept.length > EVENTS_KEPT_MAX * 1.1) this.#kept.splice(0, this.#kept.length - EVENTS_KEPT_MAX)
    for (const listener of this.#listeners) listener(event)
  }

  /** Sequence number of the newest event; 0 before the first. */
  get seq(): number {
    return this.#seq
  }

  /** Events after `seq` that are still remembered, oldest first. */
  since(seq: number): KithEvent[] {
    return this.#kept.filter(event => event.seq > seq)
  }

  /** `listener` must return at once. The returned function takes it away. */
  subscribe(listener: (event: KithEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
