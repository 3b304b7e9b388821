/**
 * Fetches filter bodies from peers in the background: one pull a peer at a time, a pause between two from the same
 * peer, a few at once. In memory only: what is lost is asked for again at the next head or connection.
 */
import { abortable, startDeadline } from '../lib/deadline.ts'
import { BoundedQueue } from '../lib/bounded-queue.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { AbortOptions } from '../ports/options.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import { ISSUERS_REMEMBERED_MAX, PULLS_RUNNING_MAX, PULLS_WAITING_MAX, PULL_BUDGET_MS, PULL_GAP_MS } from './limits.ts'

export interface BodyPullerComponents {
  readonly clock: Clock
  readonly log: Log
  /** The peer's current advert with its body, encoded; null if it has none. */
  readonly pull: (peer: string, options: AbortOptions) => Promise<Uint8Array | null>
  /** Takes what was pulled; may reject. */
  readonly take: (peer: string, bytes: Uint8Array) => Promise<void>
  /** Whether a pull would still be of use. */
  readonly isWanted: (peer: string) => boolean
}

export class BodyPuller {
  readonly #parts: BodyPullerComponents
  readonly #queue: BoundedQueue
  /** Peers whose pull waits or runs. */
  readonly #busy = new Set<string>()
  /** Peers asked for while their pull ran: its answer may be older than the question. */
  readonly #again = new Set<string>()
  readonly #timers = new Map<string, () => void>()
  /** Peers whose last pull was refused; it is tried once more. */
  readonly #refused = new BoundedMap<true>(PULLS_WAITING_MAX)
  readonly #notBefore = new BoundedMap<Ms>(ISSUERS_REMEMBERED_MAX)

  constructor(components: BodyPullerComponents) {
    this.#parts = components
    this.#queue = new BoundedQueue({
      concurrency: PULLS_RUNNING_MAX,
      waitingMax: PULLS_WAITING_MAX,
      onError: error => components.log.debug({ err: error }, 'an advert body could not be pulled')
    })
  }

  /** Asks for a pull from `peer`, now or as soon as its turn comes. */
  request(peer: string): void {
    if (this.#timers.has(peer)) return
    if (this.#busy.has(peer)) {
      this.#again.add(peer)
      return
    }
    const delay = (this.#notBefore.get(peer) ?? 0) - this.#parts.clock.monotonic()
    if (delay <= 0) this.#push(peer)
    else if (this.#timers.size < PULLS_WAITING_MAX)
      this.#timers.set(
        peer,
        this.#parts.clock.after(delay, () => this.#onTurn(peer))
      )
  }

  /** Resolves when no pull runs or waits for another; those that wait for their pause are not waited for. */
  async idle(): Promise<void> {
    await this.#queue.idle()
  }

  async close(): Promise<void> {
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
    this.#again.clear()
    await this.#queue.close()
  }

  #onTurn(peer: string): void {
    this.#timers.delete(peer)
    if (this.#parts.isWanted(peer)) this.#push(peer)
  }

  #push(peer: string): void {
    this.#busy.add(peer)
    if (!this.#queue.push(async options => await this.#run(peer, options))) this.#busy.delete(peer)
  }

  async #run(peer: string, options: AbortOptions): Promise<void> {
    try {
      const bytes = await this.#pull(peer, options)
      if (bytes !== null) await this.#parts.take(peer, bytes)
    } finally {
      this.#busy.delete(peer)
      this.#notBefore.set(peer, this.#parts.clock.monotonic() + PULL_GAP_MS)
      if (this.#again.delete(peer) && this.#parts.isWanted(peer)) this.request(peer)
    }
  }

  /** A peer that has just started, or is busy, refuses a first pull and answers the next: one refusal is made good. */
  async #pull(peer: string, options: AbortOptions): Promise<Uint8Array | null> {
    using deadline = startDeadline(this.#parts.clock, PULL_BUDGET_MS, options)
    const isSecond = this.#refused.delete(peer)
    try {
      return await abortable(this.#parts.pull(peer, deadline), deadline)
    } catch (error) {
      if (!isSecond && !deadline.signal.aborted) {
        this.#refused.set(peer, true)
        this.#again.add(peer)
      }
      throw error
    }
  }
}
