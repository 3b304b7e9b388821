/** The retrieval of a node, put together: who may be asked, the plan, and what carries it out. */
import type { Config } from '../config/schema.ts'
import type { Library } from '../content/library.ts'
import { EXCHANGE_PROTOCOL } from '../exchange/protocol.ts'
import { Semaphore } from '../lib/semaphore.ts'
import type { Ms } from '../model/units.ts'
import type { BlockSource } from '../ports/block-source.ts'
import type { Clock } from '../ports/clock.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { ExchangeClient } from '../ports/exchange.ts'
import type { ConnectedPeer, Network } from '../ports/network.ts'
import type { Random } from '../ports/random.ts'
import type { Standing } from '../ports/standing.ts'
import type { StateStore } from '../ports/state-table.ts'
import { hedgeAfter, HedgeBudget } from '../ranking/hedge-budget.ts'
import type { Ranking } from '../ranking/ranking.ts'
import { LastSeen, readSighting } from '../retrieval/last-seen.ts'
import { PeerPlanner, type Claims, type PeerPlanComponents } from '../retrieval/plan-peers.ts'
import { PeerQuestions } from '../retrieval/peer-questions.ts'
import { PeersFirst } from '../retrieval/peers-first.ts'
import { Planner } from '../retrieval/planner.ts'
import { Retriever, type RetrieverComponents } from '../retrieval/retriever.ts'
import { Rungs, type Hedging } from '../retrieval/rungs.ts'
import { Unreachable } from '../retrieval/unreachable.ts'

/** Retrievals that may wait for a place: each is a promise and a closure, and a client that sends more is broken. */
const RETRIEVALS_WAITING_MAX = 10_000

export interface RetrievalComponents extends Pick<PeerPlanComponents, 'reach' | 'sharedBy'> {
  readonly library: Library
  readonly network: Network
  readonly exchange: ExchangeClient
  readonly directory: Claims
  readonly ranking: Ranking
  readonly standing: Standing
  readonly estimates: Estimates
  /** Absent: nothing is noted of who had what. */
  readonly state?: StateStore | undefined
  readonly ipfs: BlockSource | undefined
  readonly gateways: () => readonly BlockSource[]
  readonly signedRoots?: RetrieverComponents['signedRoots']
  readonly clock: Clock
  readonly random: Random
  readonly didOf: (peer: string) => string
}

export type RetrievalConfig = Pick<Config, 'routing'> & {
  readonly proxy: Pick<Config['proxy'], 'minTrust'>
  readonly limits: Pick<Config['limits'], 'maxConcurrent' | 'maxFileSize'>
}

export function buildRetrieval(parts: RetrievalComponents, { routing, proxy, limits }: RetrievalConfig): Retriever {
  const { askUnknownMinTrust, maxParallelPeers, strict, hedgeDelay } = routing
  const peers = new PeerPlanner({ ...parts, isKith }, { askUnknownMinTrust, proxyMinTrust: proxy.minTrust })
  const unreachable = new Unreachable(parts)
  parts.network.on({ connected: peer => unreachable.forget(peer) })
  const questions = new PeerQuestions({ ...parts, unreachable })
  const lastSeen = openLastSeen(parts)
  const seen = (content: Uint8Array, peer: string, what: 'had' | 'claimed'): void => lastSeen?.note(content, peer, what)
  return new Retriever(
    {
      ...parts,
      planner: new Planner({ ...parts, peers }, routing),
      peers,
      questions,
      peersFirst: new PeersFirst({ ...parts, peers, questions }),
      rungs: new Rungs({ ...parts, questions, hedging: hedgingWith(hedgeDelay), seen }, { maxParallelPeers }),
      lastSeen,
      slots: new Semaphore({ limit: limits.maxConcurrent, waitingMax: RETRIEVALS_WAITING_MAX, name: 'retrievals' })
    },
    { strict, maxFileSize: limits.maxFileSize }
  )
}

function isKith({ protocols }: ConnectedPeer): boolean {
  return protocols.includes(EXCHANGE_PROTOCOL)
}

function openLastSeen({ state, library, standing, clock, didOf }: RetrievalComponents): LastSeen | undefined {
  if (state === undefined) return undefined
  const keyedDigest = (bytes: Uint8Array): Uint8Array => library.digest(bytes)
  return new LastSeen({ table: state.table('last-seen', readSighting), keyedDigest, standing, didOf, clock })
}

/** A `hedgeDelay` of 0 says never: the next peer only when the one before has failed. */
function hedgingWith(hedgeDelay: Ms): Hedging {
  const budget = new HedgeBudget()
  return {
    request: () => budget.request(),
    take: () => hedgeDelay !== 0 && budget.take(),
    after: estimate => hedgeAfter(estimate, hedgeDelay === 0 ? Infinity : hedgeDelay)
  }
}
