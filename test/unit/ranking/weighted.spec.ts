import assert from 'node:assert/strict'
import fc from 'fast-check'
import { makeRanking } from '../../../src/ranking/make-ranking.ts'
import type { Candidate } from '../../../src/ranking/ranking.ts'
import { candidateFor, peersOf, SeededRandom } from './support.ts'

const WANTED = { size: null }
const ranking = makeRanking('weighted', { random: new SeededRandom(1) })
const scored = (candidate: Candidate): { score: number; terms: Readonly<Record<string, number>> } => {
  const [ranked] = ranking.order([candidate], WANTED)
  assert.ok(ranked !== undefined)
  return { score: ranked.score, terms: ranked.terms }
}

describe('ranking: weighted', () => {
  it('gives the points of the formula and says which', () => {
    const all = candidateFor('a', { trust: 8, hasIpfs: true, estimate: { latencyMs: 40, bandwidth: 1_000_001 } })
    assert.deepEqual(scored(all), { score: 246, terms: { direct: 100, ipfs: 50, trust: 80, bandwidth: 20, latency: -4 } })
    const none = candidateFor('b', { trust: 0, isConnected: false })
    assert.deepEqual(scored(none), { score: -25, terms: { direct: 0, ipfs: 0, trust: 0, bandwidth: 0, latency: -25 } })
  })

  it('counts a relayed connection as none', () => {
    assert.equal(scored(candidateFor('a', { isRelayed: true })).terms['direct'], 0)
  })

  it('believes at most what a peer says it gives, and only more than a million bytes a second', () => {
    const points = (bandwidth: number | null, bandwidthLimit?: number): number | undefined =>
      scored(candidateFor('a', { estimate: { bandwidth }, ...(bandwidthLimit === undefined ? {} : { bandwidthLimit }) })).terms['bandwidth']
    assert.deepEqual(
      [points(null), points(1_000_000), points(1_000_000.5), points(9e6, 1_000_000), points(9e6, 2_000_000), points(9e6, 0)],
      [0, 0, 20, 0, 20, 20]
    )
  })

  it('clamps latency, and takes 250 ms for what it does not know', () => {
    const points = (latencyMs: number | null): number | undefined => scored(candidateFor('a', { estimate: { latencyMs } })).terms['latency']
    assert.deepEqual([points(null), points(0), points(-5), points(5_000), points(80_000)], [-25, 0, 0, -500, -500])
  })

  it('breaks ties by trust, then by latency', () => {
    const a = candidateFor('a', { trust: 5, estimate: { latencyMs: 100 } })
    const b = candidateFor('b', { trust: 4, estimate: { latencyMs: 0 } })
    assert.deepEqual(peersOf(ranking.order([b, a], WANTED)), ['a', 'b'], 'both 140')
    const far = candidateFor('far', { estimate: { latencyMs: 9_000 } })
    const further = candidateFor('further', { estimate: { latencyMs: 90_000 } })
    const [first, second] = ranking.order([further, far], WANTED)
    assert.equal(first?.score, second?.score)
  })

  it('adds its terms up to the score, for any candidate', () => {
    const any = fc.record({
      trust: fc.double({ min: -5, max: 10, noNaN: true }),
      hasIpfs: fc.boolean(),
      isRelayed: fc.boolean(),
      latencyMs: fc.option(fc.double({ min: 0, max: 1e5, noNaN: true })),
      bandwidth: fc.option(fc.double({ min: 1, max: 1e9, noNaN: true }))
    })
    fc.assert(
      fc.property(any, ({ latencyMs, bandwidth, ...rest }) => {
        const { score, terms } = scored(candidateFor('a', { ...rest, estimate: { latencyMs, bandwidth } }))
        assert.equal(
          score,
          Object.values(terms).reduce((sum, term) => sum + term, 0)
        )
      })
    )
  })
})
