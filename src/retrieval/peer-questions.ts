/**
 * Questions put to peers before content is asked for: who has it, what a content hash belongs to, and whether the peers
 * one trusts know it as private. Each is one `have`; nobody is waited for longer than its budget.
 */
import type { CID } from 'multiformats/cid'
import { abortable, startDeadline, wait } from '../lib/deadline.ts'
import { SHA2_256_CODE } from '../model/content-id.ts'
import type { Attempt } from '../model/source.ts'
import type { Ms } from '../model/units.ts'
import { create as createDigest } from 'multiformats/hashes/digest'
import { SourceError } from '../ports/block-source.ts'
import type { Clock } from '../ports/clock.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { ExchangeClient, HaveAnswer } from '../ports/exchange.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Standing } from '../ports/standing.ts'
import { isPrivateAnswer } from './found-private.ts'
import type { Reach } from './plan-peers.ts'
import type { Unreachable } from './unreachable.ts'

/** A peer that does not answer `have` within this long is not waited for. Public ways open then, too. */
export const HAVE_BUDGET_MS: Ms = 2_000

/** Who gave no answer is asked again after this long, then after ever longer: what refused it may be over by then. */
const ASKED_AGAIN_MS: Ms = 250

/** Roots that are tried for one hash: each may cost `limits.unconfirmedBytes` before it turns out to be a lie. */
const ROOTS_MAX = 3

export interface PeerQuestionsComponents {
  readonly exchange: ExchangeClient
  readonly clock: Clock
  readonly estimates: Estimates
  readonly standing: Standing
  readonly didOf: (peer: string) => string
  readonly reach?: Reach | undefined
  readonly unreachable: Unreachable
}

/** A root that peers give for a content hash. */
export interface ClaimedRoot {
  readonly cid: CID
  /** A trusted peer is among those who say so. */
  readonly isVouched: boolean
}

/** What peers say a content hash belongs to. */
export interface RootsOfHash {
  readonly roots: readonly ClaimedRoot[]
  /** A trusted peer has it as private. */
  readonly isPrivate: boolean
}

export interface HaveOptions extends AbortOptions {
  /** Told of each answer as it comes, before the others have; what it throws, the call rejects with at once. */
  readonly onAnswer?: (peer: string, answer: HaveAnswer) => void
  /** Absent: {@link HAVE_BUDGET_MS}. */
  readonly budget?: Ms
}

export class PeerQuestions {
  readonly #parts: PeerQuestionsComponents

  constructor(components: PeerQuestionsComponents) {
    this.#parts = components
  }

  /** What each peer that answered said; the others are noted. Peers that are not connected are dialled if they can be. */
  async have(
    peers: readonly string[],
    multihash: Uint8Array,
    notes: Attempt[],
    options: HaveOptions
  ): Promise<ReadonlyMap<string, HaveAnswer>> {
    const answers = await Promise.all(
      peers.map(async peer => {
        const answer = await this.#ask(peer, multihash, notes, options)
        if (answer !== undefined) options.onAnswer?.(peer, answer)
        return [peer, answer] as const
      })
    )
    return new Map(answers.flatMap(([peer, answer]) => (answer === undefined ? [] : [[peer, answer] as const])))
  }

  /**
   * The answer of one peer, however often it takes to get one: a refusal, a stream that breaks and a dial that fails say
   * nothing about the content. Resolves without one when {@link HAVE_BUDGET_MS} is over; who was waited for that long and
   * could not be reached counts as away for a while, and is not waited for meanwhile.
   */
  async haveInTime(peer: string, multihash: Uint8Array, notes: Attempt[], options: AbortOptions): Promise<HaveAnswer | undefined> {
    const { clock, exchange, unreachable } = this.#parts
    const end = clock.monotonic() + HAVE_BUDGET_MS
    const isAway = !exchange.speaks(peer) && unreachable.has(peer)
    const tries: Attempt[] = []
    let answer: HaveAnswer | undefined
    for (let pause = ASKED_AGAIN_MS; ; pause *= 2) {
      answer = (await this.have([peer], multihash, tries, { ...options, budget: Math.max(0, end - clock.monotonic()) })).get(peer)
      const left = end - clock.monotonic()
      if (answer !== undefined || isAway || left <= 0) break
      await wait(clock, Math.min(pause, left), options).catch(() => {})
      if (pause >= left || options.signal?.aborted === true) break // the time is over, or nobody waits for it any more
    }
    const told = tries.at(-1) // one source, one attempt
    if (told !== undefined && answer?.have !== true) notes.push({ ...told, ms: Math.round(clock.monotonic() - end + HAVE_BUDGET_MS) })
    if (answer === undefined && clock.monotonic() >= end && !exchange.speaks(peer)) unreachable.note(peer)
    return answer
  }

  /**
   * Root CIDs that these peers give for a content hash, each a claim: the one most of them give first, then that of the
   * best ranked. Empty when nobody knows one.
   */
  async rootsOf(peers: readonly string[], sha256: Uint8Array, options: AbortOptions): Promise<RootsOfHash> {
    const answers = await this.have(peers, createDigest(SHA2_256_CODE, sha256).bytes, [], options)
    const roots = new Map<string, ClaimedRoot & { readonly votes: number }>()
    for (const peer of peers) {
      const cid = answers.get(peer)?.cid
      if (answers.get(peer)?.have !== true || cid === undefined) continue
      const known = roots.get(cid.toString())
      const isVouched = known?.isVouched === true || this.#parts.standing.isTrusted(peer)
      roots.set(cid.toString(), { cid, votes: (known?.votes ?? 0) + 1, isVouched })
    }
    return {
      roots: [...roots.values()].toSorted((a, b) => b.votes - a.votes).slice(0, ROOTS_MAX),
      isPrivate: [...answers].some(([peer, answer]) => isPrivateAnswer(answer) && this.#parts.standing.isTrusted(peer))
    }
  }

  async #ask(peer: string, multihash: Uint8Array, notes: Attempt[], options: HaveOptions): Promise<HaveAnswer | undefined> {
    const { clock, exchange, estimates, didOf } = this.#parts
    const startedAt = clock.monotonic()
    using budget = startDeadline(clock, options.budget ?? HAVE_BUDGET_MS, options)
    const note = (outcome: Attempt['outcome']): void => {
      notes.push({
        stage: 'peer',
        peer,
        did: didOf(peer),
        outcome,
        ms: Math.round(clock.monotonic() - startedAt),
        bytes: 0,
        reason: 'have'
      })
    }
    try {
      if (!exchange.speaks(peer)) await this.#reach(peer, budget)
      const askedAt = clock.monotonic()
      const [answer] = await exchange.have(peer, [multihash], budget)
      estimates.latency(peer, clock.monotonic() - askedAt)
      if (answer?.have !== true) note('not-found')
      return answer
    } catch (error) {
      note(options.signal?.aborted === true ? 'cancelled' : error instanceof SourceError ? error.outcome : 'timeout')
      return undefined
    }
  }

  /** Who was waited for lately and could not be reached is not tried: that would cost each question its whole budget. */
  async #reach(peer: string, budget: AbortOptions): Promise<void> {
    const { reach, unreachable } = this.#parts
    if (reach === undefined) return
    if (unreachable.has(peer)) throw new Error('it could not be reached a moment ago')
    await abortable(reach(peer, budget), budget)
  }
}
