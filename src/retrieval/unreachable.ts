/**
 * Peers that were waited for in full a moment ago and could not be reached: who is away is not waited for again with every
 * question. A connection makes this node forget it. In memory.
 */
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'

/** So long a peer that could not be reached is not dialled for a question: most that are away stay away for longer. */
const REMEMBERED: Ms = 30_000
/** Peers remembered, the newest: each is an id and a time. */
const PEERS_MAX = 1024

export class Unreachable {
  readonly #clock: Clock
  /** Until when, oldest first. */
  readonly #until = new Map<string, Ms>()

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock
  }

  has(peer: string): boolean {
    return (this.#until.get(peer) ?? 0) > this.#clock.monotonic()
  }

  note(peer: string): void {
    this.#until.delete(peer)
    this.#until.set(peer, this.#clock.monotonic() + REMEMBERED)
    const [oldest] = this.#until.keys()
    if (this.#until.size > PEERS_MAX && oldest !== undefined) this.#until.delete(oldest)
  }

  forget(peer: string): void {
    this.#until.delete(peer)
  }
}
