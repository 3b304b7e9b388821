/** How long ranking takes: a thousand candidates, each with other figures. */
import { systemRandom } from '../../src/adapters/system/random.ts'
import { makeRanking, type RankingName } from '../../src/ranking/make-ranking.ts'
import type { Candidate } from '../../src/ranking/ranking.ts'
import { absoluteLine, median, type BenchSettings, type Line } from './measure.ts'

const CANDIDATES = 1_000
const TARGET_MS = 1
/** Code that ran less often is not compiled yet. */
const WARM_UP = 50

export async function rank({ quick, say }: BenchSettings): Promise<Line[]> {
  const runs = quick ? 20 : 200
  const candidates = Array.from({ length: CANDIDATES }, (_, index) => candidateOf(index))
  const numbers = candidates.map(({ estimate }) => estimate.firstByteMs ?? 0)
  const sort = timesOf(runs, () => numbers.toSorted((a, b) => a - b))
  const reference = { name: 'sorting 1,000 numbers', value: median(sort) }
  return (['expected-time', 'weighted'] as const satisfies RankingName[]).map(name => {
    say(`rank: ${runs} orders by ${name}`)
    const ranking = makeRanking(name, { random: systemRandom })
    const times = timesOf(runs, () => ranking.order(candidates, { size: 1_000_000, draw: 0.5 }))
    return absoluteLine(
      { case: 'rank', name: `rank ${CANDIDATES} candidates, ${name}`, value: median(times), unit: 'ms', runs: times, reference },
      { atMost: TARGET_MS }
    )
  })
}

/** A tenth are strangers nothing is known of: all alike, so that ties have to be broken. */
function candidateOf(index: number): Candidate {
  const isKnown = index % 10 !== 0
  const known = <T>(value: T): T | null => (isKnown ? value : null)
  return {
    peer: `12D3KooW${index.toString(36).padStart(44, 'x')}`,
    claim: index % 3 === 0 ? 'unknown' : 'yes',
    isTrusted: index % 2 === 0 && isKnown,
    access: isKnown ? 5 : 0,
    trust: isKnown ? (index * 7) % 10 : 0,
    isConnected: true,
    isRelayed: false,
    connectedSince: index,
    hasIpfs: index % 5 === 0,
    estimate: {
      firstByteMs: known(5 + ((index * 7919) % 997)),
      firstByteP90Ms: null,
      latencyMs: known(1 + ((index * 31) % 400)),
      rate: known(1e5 * (1 + ((index * 13) % 200))),
      bandwidth: known(1e5 * (1 + ((index * 17) % 50))),
      failShare: 0.01 + (index % 7) / 100,
      precision: 0.95,
      hits: { yes: 0, no: 0 },
      inFlight: index % 3,
      samples: isKnown ? index % 100 : 0
    }
  }
}

function timesOf(runs: number, work: () => unknown): number[] {
  for (let run = 0; run < WARM_UP; run++) work()
  return Array.from({ length: runs }, () => {
    const startedAt = performance.now()
    work()
    return performance.now() - startedAt
  })
}
