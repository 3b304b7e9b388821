/**
 * The answers under way: how many at once, for whom, and which of them end early: because their asker has lost rights,
 * or does not take what it asked for while others have no place. Strangers never take all places, so that a crowd of
 * them does not shut out who was given something, and neither do both shut out who is trusted.
 */
import { KIB, type Bytes, type Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { ServedContent } from '../ports/serving.ts'
import { PeerGoneError, type Writing } from './answer-writer.ts'

/** Answers under way at once, in all: each may hold some 3 MiB. */
const ANSWERS_MAX = 64
/** Answers under way for one peer. */
const ANSWERS_PER_PEER_MAX = 4
/** Of all places, the share kept for trusted peers. */
const TRUSTED_SHARE = 1 / 4
/** Of all places, the share kept for peers that were given single contents. */
const GUESTS_SHARE = 1 / 8
/** Who takes less than that of a batch in so long gives its place to who has none. Yamux tells of progress in steps of 128 KiB. */
const SLOW_AFTER: Ms = 3_000
const PROGRESS_BYTES_MIN: Bytes = 16 * KIB

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

export interface Entering {
  readonly view: ServedContent
  readonly isTrusted: boolean
  /** Ends the answer early. */
  readonly end: (reason: Error) => void
  /** How far it is with sending; undefined while it does not wait for the peer. Absent: never known to. */
  readonly writing?: () => Writing | undefined
}

/** In the order in which they are displaced. */
type Kind = 'stranger' | 'guest' | 'trusted'

interface Running {
  readonly kind: Kind
  readonly rank: number
  readonly end: (reason: Error) => void
  readonly writing: () => Writing | undefined
  readonly leave: () => void
  /** How far it was when a place was missing. */
  seen: { readonly at: Ms; readonly taken: Bytes } | undefined
}

export class Answers {
  readonly #clock: Clock
  readonly #max: number
  readonly #perPeerMax: number
  /** Most answers at once of strangers, and of all who are not trusted. */
  readonly #strangersMax: number
  readonly #untrustedMax: number
  readonly #running = new Map<string, Set<Running>>()
  readonly #counts: Record<Kind, number> = { stranger: 0, guest: 0, trusted: 0 }

  constructor(
    components: { readonly clock: Clock },
    { answersMax = ANSWERS_MAX, answersPerPeerMax = ANSWERS_PER_PEER_MAX }: AnswersInit = {}
  ) {
    this.#clock = components.clock
    this.#max = answersMax
    this.#perPeerMax = answersPerPeerMax
    this.#untrustedMax = Math.max(1, Math.ceil(answersMax * (1 - TRUSTED_SHARE)))
    this.#strangersMax = Math.max(1, Math.ceil(answersMax * (1 - TRUSTED_SHARE - GUESTS_SHARE)))
  }

  /** @returns undefined when there is no place */
  enter(peer: string, { view, isTrusted, end, writing = () => undefined }: Entering): Place | undefined {
    const kind = isTrusted ? 'trusted' : view.rights?.isGuest === true ? 'guest' : 'stranger'
    if ((this.#running.get(peer)?.size ?? 0) >= this.#perPeerMax) return undefined
    if (!this.#hasRoom(kind) && !this.#displace(kind)) return undefined
    const own = this.#running.get(peer) ?? new Set<Running>()
    const leave = (): void => {
      if (!own.delete(running)) return
      this.#counts[kind]--
      if (own.size === 0) this.#running.delete(peer)
    }
    const running: Running = { kind, rank: rankOf(view), end, writing, leave, seen: undefined }
    this.#running.set(peer, own.add(running))
    this.#counts[kind]++
    return { peer, isTrusted, [Symbol.dispose]: leave }
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

  #hasRoom(kind: Kind): boolean {
    const { stranger, guest, trusted } = this.#counts
    if (stranger + guest + trusted >= this.#max) return false
    if (kind === 'trusted') return true
    return stranger + guest < this.#untrustedMax && (kind === 'guest' || stranger < this.#strangersMax)
  }

  /** Ends the answer of somebody who does not take it, a stranger's before a guest's. @returns false when all go on */
  #displace(kind: Kind): boolean {
    const now = this.#clock.monotonic()
    const slow = [...this.#running.values()].flatMap(own => [...own].filter(running => isSlow(running, now)))
    const victim =
      slow.find(running => running.kind === 'stranger') ?? slow.find(running => running.kind === 'guest' && kind !== 'stranger')
    if (victim === undefined) return false
    victim.leave()
    victim.end(new PeerGoneError('the peer took too little of the answer while others had no place'))
    return true
  }
}

/** Looks at it each time a place is missing, and judges by what happened since the last time. */
function isSlow(running: Running, now: Ms): boolean {
  const writing = running.writing()
  const { seen } = running
  if (writing === undefined) {
    running.seen = undefined
    return false
  }
  const { since, taken } = writing
  if (seen === undefined || since > seen.at || taken - seen.taken >= PROGRESS_BYTES_MIN) {
    running.seen = { at: now, taken }
    return false
  }
  return now - seen.at >= SLOW_AFTER
}

function rankOf(view: ServedContent): number {
  return view.rights?.rank ?? 0
}
