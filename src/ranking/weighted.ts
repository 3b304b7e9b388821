/**
 * The fixed formula: a sum of points for a direct connection, an IPFS node, trust and bandwidth, less points for
 * latency. It looks neither at claims nor at faults, and is there because it is known and easy to reckon by hand.
 */
import type { Ms, Rate } from '../model/units.ts'
import { bandwidthWithin } from './bandwidth.ts'
import type { Candidate, Ranked, Ranking } from './ranking.ts'
import type { TieBreak } from './tie-break.ts'

const DIRECT_POINTS = 100
const IPFS_POINTS = 50
/** For each of the ten steps of T. */
const TRUST_POINTS = 10
const BANDWIDTH_POINTS = 20
/** Bytes a second a peer must have delivered more than, to get them. */
const BANDWIDTH_FOR_POINTS: Rate = 1_000_000
/** Milliseconds that cost a point. */
const LATENCY_MS_PER_POINT = 10
const LATENCY_UNKNOWN_MS: Ms = 250
const LATENCY_MS_MAX: Ms = 5_000

export class Weighted implements Ranking {
  readonly #tieBreak: TieBreak

  constructor({ tieBreak }: { readonly tieBreak: TieBreak }) {
    this.#tieBreak = tieBreak
  }

  order(candidates: readonly Candidate[]): readonly Ranked[] {
    return candidates.map(ranked).toSorted((a, b) => this.#compare(a, b))
  }

  #compare(a: Ranked, b: Ranked): number {
    return (
      b.score - a.score ||
      b.candidate.trust - a.candidate.trust ||
      latencyOf(a.candidate) - latencyOf(b.candidate) ||
      this.#tieBreak(a.candidate.peer, b.candidate.peer)
    )
  }
}

function ranked(candidate: Candidate): Ranked {
  const direct = candidate.isConnected && !candidate.isRelayed ? DIRECT_POINTS : 0
  const ipfs = candidate.hasIpfs ? IPFS_POINTS : 0
  const trust = TRUST_POINTS * candidate.trust
  const bandwidth = (bandwidthWithin(candidate, candidate.estimate.bandwidth) ?? 0) > BANDWIDTH_FOR_POINTS ? BANDWIDTH_POINTS : 0
  const latency = 0 - latencyOf(candidate) / LATENCY_MS_PER_POINT
  return {
    candidate,
    score: direct + ipfs + trust + bandwidth + latency,
    terms: { direct, ipfs, trust, bandwidth, latency },
    expectedMs: null
  }
}

function latencyOf({ estimate: { latencyMs } }: Candidate): Ms {
  return Math.min(LATENCY_MS_MAX, Math.max(0, latencyMs ?? LATENCY_UNKNOWN_MS))
}
