/**
 * Which direct peers to ask for a content, and in which order: those whose advert says yes, then one round of
 * `have` among the others.
 */
import type { CID } from 'multiformats/cid'
import { startDeadline } from '../lib/deadline.ts'
import { SHA2_256_CODE } from '../model/content-id.ts'
import type { Attempt } from '../model/source.ts'
import type { Ms } from '../model/units.ts'
import { create as createDigest } from 'multiformats/hashes/digest'
import { SourceError } from '../ports/block-source.ts'
import type { Clock } from '../ports/clock.ts'
import type { ExchangeClient, HaveAnswer } from '../ports/exchange.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { ConnectedPeer, Network } from '../ports/network.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Standing } from '../ports/standing.ts'
import type { Claim, Ranking } from '../ranking/ranking.ts'
import type { Candidate } from './rung.ts'
import type { RetrievalRequest } from './retriever.ts'
import type { DagSession } from './session.ts'
import { peerCandidate } from './sources.ts'

/** Most peers asked in one round: beyond, the chance of a hit no longer pays for the questions. */
const HAVE_PEERS_MAX = 16
/** A peer that does not answer `have` within this long is not waited for. */
const HAVE_BUDGET_MS: Ms = 2_000

/** Roots that are tried for one hash: each may cost `limits.unconfirmedBytes` before it turns out to be a lie. */
const ROOTS_MAX = 3

/** How a content is looked up in adverts. */
export interface ContentKeys {
  readonly multihash?: Uint8Array
  readonly sha256?: Uint8Array
}

/** What adverts say; the directory of the adverts folder. */
export interface Claims {
  claims(peer: string, content: ContentKeys): Claim
  observe(peer: string, hit: boolean): void
}

export interface PeerFinderComponents {
  readonly network: Network
  readonly exchange: ExchangeClient
  readonly directory: Claims
  readonly ranking: Ranking
  readonly standing: Standing
  readonly estimates: Estimates
  readonly clock: Clock
  readonly didOf: (peer: string) => string
}

export interface PeerSearch {
  readonly claimants: readonly Candidate[]
  readonly askOthers: (signal: AbortSignal) => Promise<readonly Candidate[]>
}

interface Ranked {
  readonly peer: string
  readonly claim: Claim
}

export class PeerFinder {
  readonly #parts: PeerFinderComponents

  constructor(components: PeerFinderComponents) {
    this.#parts = components
  }

  search(request: RetrievalRequest, session: DagSession, requestId: Uint8Array, notes: Attempt[]): PeerSearch {
    const ranked = this.#rank({ multihash: request.context.multihash.bytes })
    const candidate = (peer: string, fromFilter: boolean): Candidate =>
      peerCandidate(this.#parts.exchange, session, {
        peer,
        did: this.#parts.didOf(peer),
        context: request.context,
        claims: true,
        requestId,
        ttl: request.ttl,
        hops: request.hops,
        ...(request.preferredSources === undefined ? {} : { preferredSources: request.preferredSources }),
        observe: hit => {
          if (fromFilter) this.#parts.directory.observe(peer, hit)
        }
      })
    return {
      claimants: ranked.filter(({ claim }) => claim === 'yes').map(({ peer }) => candidate(peer, true)),
      askOthers: async signal => {
        const others = ranked.filter(({ claim }) => claim !== 'yes').slice(0, HAVE_PEERS_MAX)
        const asked = await Promise.all(
          others.map(async ({ peer }) => await this.#have(peer, request.context.multihash.bytes, notes, { signal }))
        )
        return others.flatMap(({ peer }, index) => (asked[index]?.have === true ? [candidate(peer, false)] : []))
      }
    }
  }

  /**
   * Root CIDs that connected peers give for a content hash, each a claim: the one most of them give first, then that
   * of the best ranked. Empty when nobody knows one.
   */
  async rootsOf(sha256: Uint8Array, options: AbortOptions): Promise<readonly CID[]> {
    const multihash = createDigest(SHA2_256_CODE, sha256)
    const ranked = this.#rank({ sha256 }).slice(0, HAVE_PEERS_MAX)
    const answers = await Promise.all(ranked.map(async ({ peer }) => await this.#have(peer, multihash.bytes, [], options)))
    const roots = new Map<string, { readonly cid: CID; readonly votes: number }>()
    for (const answer of answers) {
      if (answer?.have !== true || answer.cid === undefined) continue
      const root = { cid: answer.cid, votes: (roots.get(answer.cid.toString())?.votes ?? 0) + 1 }
      roots.set(answer.cid.toString(), root)
    }
    return [...roots.values()]
      .toSorted((a, b) => b.votes - a.votes)
      .slice(0, ROOTS_MAX)
      .map(({ cid }) => cid)
  }

  #rank(content: ContentKeys): Ranked[] {
    const { network, exchange, directory, ranking, standing, estimates } = this.#parts
    const candidates = network
      .peers()
      .filter(({ peer }) => exchange.speaks(peer) && !standing.isShunned(peer))
      .map(({ peer, since, relayed }: ConnectedPeer) => ({
        peer,
        connectedSince: since,
        claim: directory.claims(peer, content),
        isTrusted: standing.isTrusted(peer),
        access: standing.accessOf(peer),
        trust: standing.trustOf(peer),
        isConnected: true,
        isRelayed: relayed,
        hasIpfs: false,
        estimate: estimates.of(peer)
      }))
    return ranking.order(candidates, { size: null }).map(({ candidate }) => candidate)
  }

  async #have(peer: string, multihash: Uint8Array, notes: Attempt[], options: AbortOptions): Promise<HaveAnswer | undefined> {
    const startedAt = this.#parts.clock.monotonic()
    using budget = startDeadline(this.#parts.clock, HAVE_BUDGET_MS, options)
    const note = (outcome: Attempt['outcome']): void => {
      notes.push({
        stage: 'peer',
        peer,
        did: this.#parts.didOf(peer),
        outcome,
        ms: Math.round(this.#parts.clock.monotonic() - startedAt),
        bytes: 0,
        reason: 'have'
      })
    }
    try {
      const [answer] = await this.#parts.exchange.have(peer, [multihash], budget)
      if (answer?.have !== true) note('not-found')
      return answer
    } catch (error) {
      note(options.signal?.aborted === true ? 'cancelled' : error instanceof SourceError ? error.outcome : 'timeout')
      return undefined
    }
  }
}
