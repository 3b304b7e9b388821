/**
 * Turns a plan into the rungs of a ladder: the same peers in the same order, the same stages with the same delays. What
 * is asked is measured here, and offences are reported.
 */
import { abortable } from '../lib/deadline.ts'
import { DIAL_MS, FIRST_BYTE_UNKNOWN_MS, RATE_UNKNOWN } from '../model/hopes.ts'
import { isComing } from '../model/slow-line.ts'
import type { Attempt, Outcome } from '../model/source.ts'
import type { Ms } from '../model/units.ts'
import { SourceError } from '../ports/block-source.ts'
import type { Estimates, Measurement, PeerEstimate } from '../ports/estimates.ts'
import type { Clock } from '../ports/clock.ts'
import type { ExchangeClient, Heard } from '../ports/exchange.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Random } from '../ports/random.ts'
import type { Standing } from '../ports/standing.ts'
import { PeerWords } from './found-private.ts'
import { STALL_MS } from './ladder.ts'
import { LeafShares } from './leaf-shares.ts'
import type { Expected } from './pace.ts'
import { peerCandidate, type PeerAsk } from './peer-source.ts'
import type { PlannedCandidate } from './plan.ts'
import type { Reach } from './plan-peers.ts'
import { estimateName, type FullPlan } from './planner.ts'
import type { PeerQuestions } from './peer-questions.ts'
import type { RetrievalRequest } from './retriever.ts'
import type { Candidate, Rung, RunMeasurement } from './rung.ts'
import type { DagSession } from './session.ts'
import { skippedStages } from './skipped-stages.ts'
import { blockCandidate } from './sources.ts'

/** While a trusted peer that says it has the content is asked, later stages wait this long if its p90 is unknown. */
const CLAIM_PATIENCE_MS: Ms = 1_000
/** However slow it usually is: by then another way has earned its chance. */
const CLAIM_PATIENCE_MAX_MS: Ms = 5_000
/** A peer reads from its disk: without a verified byte for this long it has timed out, and the next one is asked. */
const PEER_SILENCE_MS: Ms = 10_000
/** A proxy searches for others: half the usual search is what one of them gets. */
const PROXY_SILENCE_MS: Ms = 15_000
/** A gateway that says nothing for this long is joined by the next one. */
const GATEWAY_PATIENCE_MS: Ms = 2_000

/** When one more peer is asked beside those who are being asked, and how often that may happen. */
export interface Hedging {
  /** A content is asked for. */
  request(): void
  /** Takes one hedge out of the budget. */
  take(): boolean
  /** How long a peer is waited for before the next one may be asked as well. */
  after(estimate: PeerEstimate): Ms
}

export interface RungsComponents {
  readonly exchange: ExchangeClient
  readonly questions: PeerQuestions
  readonly standing: Standing
  readonly estimates: Estimates
  readonly hedging: Hedging
  readonly random: Random
  readonly clock: Clock
  readonly didOf: (peer: string) => string
  readonly reach?: Reach | undefined
  /** Told when a peer had, or says it has, public content. */
  readonly seen?: ((content: Uint8Array, peer: string, what: 'had' | 'claimed') => void) | undefined
}

export interface RungsInit {
  readonly maxParallelPeers: number
}

/** What the rungs of one search share. */
interface Search {
  readonly requestId: Uint8Array
  readonly words: PeerWords
  readonly notes: Attempt[]
  readonly shares: LeafShares
}

export class Rungs {
  readonly #parts: RungsComponents
  readonly #init: RungsInit

  constructor(components: RungsComponents, init: RungsInit) {
    this.#parts = components
    this.#init = init
  }

  /** @param notes - takes what is worth telling of stages that are not asked, and of questions */
  build(plan: FullPlan, request: RetrievalRequest, session: DagSession, notes: Attempt[]): Rung[] {
    const requestId = this.#parts.random.bytes(16)
    const isOpen = request.class === 'public' && request.isClassDoubtful === true
    const words = new PeerWords(this.#parts, request.context, isOpen, request.inquiry?.answers)
    notes.push(...skippedStages(plan))
    const { clock, hedging } = this.#parts
    const shares = new LeafShares({ clock, mayHedge: () => hedging.take() }, session)
    const search = { requestId, words, notes, shares }
    return plan.stages.flatMap(({ stage, startsAfterMs, reason }): Rung[] => {
      if (startsAfterMs === null && reason !== 'strict') return []
      const delay = startsAfterMs ?? 0
      if (stage === 'ipfs' || stage === 'gateway') return [this.#outside(stage, delay, plan, request, session, search)]
      if (stage === 'peer') return [this.#peers(delay, plan, request, session, search)]
      if (stage === 'proxy') return [this.#proxies(delay, plan, request, session, search)]
      return []
    })
  }

  #outside(stage: 'ipfs' | 'gateway', delay: Ms, plan: FullPlan, request: RetrievalRequest, session: DagSession, { shares }: Search): Rung {
    const { estimates } = this.#parts
    const candidates = plan.outside[stage]
      .filter(({ planned }) => planned.eligible)
      .map(({ source }) => {
        const name = estimateName(source)
        const expected = (): Expected => expectedOf(estimates.of(name))
        return blockCandidate(source, session, request.context, { shares, expected, measure: () => estimates.begin(name) })
      })
    return { stage, delay, candidates, hedgeDelay: GATEWAY_PATIENCE_MS, maxParallel: candidates.length }
  }

  #peers(delay: Ms, plan: FullPlan, request: RetrievalRequest, session: DagSession, search: Search): Rung {
    const { questions, hedging } = this.#parts
    hedging.request()
    const candidate = (planned: PlannedCandidate): Candidate[] => this.#peer(planned, request, session, search)
    const { round } = plan.peers
    return {
      stage: 'peer',
      delay,
      candidates: plan.peers.asked.flatMap(candidate),
      ...(round.length === 0
        ? {}
        : {
            more: async (signal: AbortSignal) => {
              const peers = round.flatMap(({ peer }) => (peer === undefined ? [] : [peer]))
              const answers = await questions.have(peers, request.context.multihash.bytes, search.notes, {
                signal,
                onAnswer: (peer, answer) => search.words.note(peer, answer)
              })
              const isOpen = (peer: string): boolean => answers.get(peer)?.have === true && answers.get(peer)?.class !== 'private'
              return round.filter(({ peer }) => peer !== undefined && isOpen(peer)).flatMap(each => candidate({ ...each, claim: 'yes' }))
            }
          }),
      hedgeDelay: Infinity,
      maxParallel: this.#init.maxParallelPeers,
      mayHedge: () => hedging.take(),
      silenceMax: PEER_SILENCE_MS
    }
  }

  #peer(planned: PlannedCandidate, request: RetrievalRequest, session: DagSession, { requestId, words, shares }: Search): Candidate[] {
    const { exchange, standing, estimates, hedging } = this.#parts
    const { peer, claim } = planned
    if (peer === undefined) return []
    const content = request.context.multihash.bytes
    const fromFilter = planned.reason !== 'have-round' && !(request.inquiry?.answers.has(peer) ?? false)
    if (claim === 'yes' && exchange.speaks(peer)) this.#seen(request, peer, 'claimed') // of who is away nothing new is known
    const estimate = estimates.of(peer)
    const ask: PeerAsk = {
      ...this.#askOf(peer, request, requestId),
      stage: 'peer',
      hops: 0,
      claims: claim === 'yes',
      shares,
      mayHelp: () => claim === 'yes' || (standing.isTrusted(peer) && exchange.speaks(peer)),
      hedgeAfter: hedging.after(estimate),
      ...(claim === 'yes' && standing.isTrusted(peer)
        ? { patience: Math.min(estimate.firstByteP90Ms ?? CLAIM_PATIENCE_MS, CLAIM_PATIENCE_MAX_MS) }
        : {}),
      clear: async options => await words.clear(peer, options),
      ...this.#measured(peer),
      observe: hit => {
        if (hit) this.#seen(request, peer, 'had')
        const isWhole = session.root.multihash.bytes === content || session.root.equals(request.context)
        if (fromFilter && claim === 'yes' && isWhole) estimates.observeClaim(peer, hit)
      }
    }
    return [peerCandidate(exchange, session, ask)]
  }

  #proxies(delay: Ms, plan: FullPlan, request: RetrievalRequest, session: DagSession, { requestId, words, shares }: Search): Rung {
    const { exchange } = this.#parts
    const candidates = plan.candidates.flatMap(({ stage, peer, eligible }) => {
      if (stage !== 'proxy' || peer === undefined || !eligible) return []
      const ask: PeerAsk = {
        ...this.#askOf(peer, request, requestId),
        stage: 'proxy',
        hops: 1,
        claims: false,
        shares,
        mayHelp: () => false, // it serves one request of a search, and that is everything or nothing
        // First: what it would fetch for this node it must not have as private itself.
        reach: async options => await words.clearProxy(peer, options),
        clear: async () => {},
        measure: () => ({ firstByte() {}, end: (outcome, _bytes, error) => this.#report(peer, outcome, error, 'proxy') }),
        observe: () => {}
      }
      return [peerCandidate(exchange, session, ask)]
    })
    return { stage: 'proxy', delay, candidates, hedgeDelay: Infinity, maxParallel: 1, silenceMax: PROXY_SILENCE_MS }
  }

  #askOf(
    peer: string,
    { class: cls, context, ttl, preferredSources, heads }: RetrievalRequest,
    requestId: Uint8Array
  ): Omit<PeerAsk, 'stage' | 'hops' | 'claims' | 'shares' | 'mayHelp' | 'reach' | 'clear' | 'measure' | 'observe'> {
    return {
      peer,
      did: this.#parts.didOf(peer),
      context,
      requestId,
      ttl,
      isPublic: cls === 'public',
      head: head => heads?.note(peer, head),
      expected: () => this.#expectedOf(peer),
      ...(preferredSources === undefined ? {} : { preferredSources })
    }
  }

  #expectedOf(peer: string): Expected {
    const { exchange, estimates, standing } = this.#parts
    const expected = expectedOf(estimates.of(peer))
    return {
      ...expected,
      firstByteMs: expected.firstByteMs + (exchange.speaks(peer) ? 0 : DIAL_MS),
      isTrusted: standing.isTrusted(peer)
    }
  }

  /** A peer is measured from when it is asked: that it sleeps is no fault of it, nor that it sends this node something else first. */
  #measured(peer: string): { readonly reach: PeerAsk['reach']; readonly measure: PeerAsk['measure'] } {
    const { exchange, estimates, clock } = this.#parts
    return {
      measure: (): RunMeasurement => {
        let running: Measurement | undefined
        let asked: Heard | undefined
        return {
          asked: () => {
            asked = { bytes: exchange.heard(peer).bytes, at: clock.monotonic() }
            running = estimates.begin(peer)
          },
          firstByte: bytes => running?.firstByte(bytes),
          end: (outcome, bytes, error, awaited) => {
            running?.end(outcome, bytes, awaited)
            if (asked !== undefined && !(outcome === 'timeout' && this.#isHeard(peer, asked))) this.#report(peer, outcome, error, 'peer')
          }
        }
      },
      reach: async options => {
        if (!exchange.speaks(peer)) await this.#dial(peer, options)
      }
    }
  }

  /** It sent something while it was waited for: its line, or this node's, is slow. */
  #isHeard(peer: string, asked: Heard): boolean {
    const { exchange, clock } = this.#parts
    const { bytes, at } = exchange.heard(peer)
    return at > Math.max(asked.at, clock.monotonic() - STALL_MS) || isComing(bytes - asked.bytes, clock.monotonic() - asked.at)
  }

  async #dial(peer: string, options: AbortOptions): Promise<void> {
    try {
      if (this.#parts.reach !== undefined) await abortable(this.#parts.reach(peer, options), options)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw new SourceError('fault', 'it is not connected, and could not be reached', { cause: error })
    }
    options.signal?.throwIfAborted()
    if (!this.#parts.exchange.speaks(peer)) throw new SourceError('fault', 'it is not connected, or speaks another version')
  }

  #report(peer: string, outcome: Outcome, error: unknown, stage: 'peer' | 'proxy'): void {
    const { standing } = this.#parts
    if (outcome === 'corrupt') standing.report(peer, 'wrong-bytes')
    else if (outcome === 'timeout' && stage === 'peer') standing.report(peer, 'timeout')
    else if (outcome === 'fault' && isOffence(error)) standing.report(peer, 'protocol-violation')
  }

  #seen(request: RetrievalRequest, peer: string, what: 'had' | 'claimed'): void {
    if (request.class === 'public') this.#parts.seen?.(request.context.multihash.bytes, peer, what)
  }
}

/** It broke the form of the protocol. A stream that ends, be it inside a frame, is how a connection is lost: nobody's offence. */
function isOffence(error: unknown): boolean {
  const cause = error instanceof SourceError ? error.cause : undefined
  if (!(cause instanceof Error) || cause.name !== 'ProtocolOffence') return false
  return !('offence' in cause) || cause.offence !== 'truncated-frame'
}

function expectedOf({ firstByteMs, latencyMs, rate, bandwidth }: PeerEstimate): Expected {
  return {
    firstByteMs: firstByteMs ?? latencyMs ?? FIRST_BYTE_UNKNOWN_MS,
    rate: rate ?? bandwidth ?? RATE_UNKNOWN,
    isMeasured: rate !== null || bandwidth !== null
  }
}
