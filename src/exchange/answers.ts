/**
 * The answers under way: how many at once, for whom, and which of them are to end because their asker has lost
 * rights. Strangers never take all places, so that a crowd of them does not shut out who is trusted.
 */
import type { ServedContent } from '../ports/serving.ts'

/** Answers under way at once, in all: each may hold some 3 MiB. */
const ANSWERS_MAX = 64
/** Answers under way for one peer. */
const ANSWERS_PER_PEER_MAX = 4
/** Of all places, the share kept for trusted peers. */
const TRUSTED_SHARE = 1 / 4

export interface AnswersInit {
  readonly answersMax?: number
  readonly answersPerPeerMax?: number
}

/** One place; disposing gives it back. */
export interface Place extends Disposable {
  readonly peer: string
  readonly isTrusted: boolean
}

/** Its asker may see less than when the answer began. */
export class RightsLostError extends Error {
  constructor() {
    super('the rights of the asker have changed')
    this.name = 'RightsLostError'
  }
}

interface Running {
  readonly rank: number
  readonly end: (reason: Error) => void
}

export class Answers {
  readonly #max: number
  readonly #perPeerMax: number
  readonly #strangersMax: number
  readonly #running = new Map<string, Set<Running>>()
  #inAll = 0
  #strangers = 0

  constructor({ answersMax = ANSWERS_MAX, answersPerPeerMax = ANSWERS_PER_PEER_MAX }: AnswersInit = {}) {
    this.#max = answersMax
    this.#perPeerMax = answersPerPeerMax
    this.#strangersMax = Math.max(1, Math.ceil(answersMax * (1 - TRUSTED_SHARE)))
  }

  /** @param end - ends the answer early. @returns undefined when there is no place */
  enter(
    peer: string,
    { view, isTrusted, end }: { view: ServedContent; isTrusted: boolean; end: (reason: Error) => void }
  ): Place | undefined {
    const own = this.#running.get(peer) ?? new Set<Running>()
    if (this.#inAll >= this.#max || own.size >= this.#perPeerMax) return undefined
    if (!isTrusted && this.#strangers >= this.#strangersMax) return undefined
    const running: Running = { rank: rankOf(view), end }
    this.#running.set(peer, own.add(running))
    this.#count(1, isTrusted)
    return {
      peer,
      isTrusted,
      [Symbol.dispose]: () => {
        if (!own.delete(running)) return
        this.#count(-1, isTrusted)
        if (own.size === 0) this.#running.delete(peer)
      }
    }
  }

  /** What a peer may see now; answers that began with more end. */
  reconsider(peer: string, view: ServedContent): void {
    for (const { rank, end } of this.#running.get(peer) ?? []) {
      if (rankOf(view) < rank) end(new RightsLostError())
    }
  }

  isAnswering(peer: string): boolean {
    return this.#running.has(peer)
  }

  #count(change: number, isTrusted: boolean): void {
    this.#inAll += change
    if (!isTrusted) this.#strangers += change
  }
}

function rankOf(view: ServedContent): number {
  return view.rights?.rank ?? 0
}
