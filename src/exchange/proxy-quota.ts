/**
 * How many bytes this node fetched for each peer today (UTC). Durable from above: what is stored is never less than
 * what was fetched, so a crash at worst costs a peer one reserve of its day, and never gives it a second one.
 */
import type { Bytes, Ms } from '../model/units.ts'
import { MIB } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'

/** Booked at a time, before it is fetched: one durable write for so many bytes. */
const RESERVE_BYTES: Bytes = 16 * MIB
const DAY_MS: Ms = 86_400_000

/** What is stored of a peer. */
interface Booked {
  /** Days since 1970. */
  readonly day: number
  readonly bytes: Bytes
}

export class ProxyQuota {
  readonly #clock: Clock
  readonly #table: StateTable<Booked>
  /** What was fetched by this process, exactly. */
  readonly #used = new Map<string, Booked>()

  constructor({ clock, state }: { readonly clock: Clock; readonly state: Pick<StateStore, 'table'> }) {
    this.#clock = clock
    this.#table = state.table('proxy-quota', readBooked)
  }

  /** Forgets earlier days. */
  async open(): Promise<void> {
    const today = this.#today()
    for (const [peer, { day }] of [...this.#table.entries()]) {
      if (day !== today) await this.#table.remove(peer)
    }
  }

  usedToday(peer: string): Bytes {
    const day = this.#today()
    const used = this.#used.get(peer)
    if (used?.day === day) return used.bytes
    const stored = this.#table.get(peer)
    return stored?.day === day ? stored.bytes : 0
  }

  /** Counts bytes that were fetched. Durable, or covered by what is, when it resolves. */
  async book(peer: string, bytes: Bytes): Promise<void> {
    const used: Booked = { day: this.#today(), bytes: this.usedToday(peer) + bytes }
    this.#used.set(peer, used)
    const stored = this.#table.get(peer)
    if (stored?.day === used.day && stored.bytes >= used.bytes) return
    await this.#table.put(peer, { day: used.day, bytes: used.bytes + RESERVE_BYTES })
  }

  /** Nothing more is fetched for the peer now: the reserve is given back. */
  settle(peer: string): void {
    const used = this.#used.get(peer)
    if (used !== undefined) this.#table.note(peer, used)
    for (const [other, { day }] of this.#used) {
      if (day !== this.#today()) this.#used.delete(other)
    }
  }

  #today(): number {
    return Math.floor(this.#clock.now() / DAY_MS)
  }
}

function readBooked(stored: unknown): Booked {
  if (typeof stored !== 'object' || stored === null || !('day' in stored) || !('bytes' in stored))
    throw new Error('not a day and its bytes')
  const { day, bytes } = stored
  if (typeof day !== 'number' || typeof bytes !== 'number') throw new Error('not a day and its bytes')
  return { day, bytes }
}
