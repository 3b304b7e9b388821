import assert from 'node:assert/strict'
import type { RankingName } from '../../../src/ranking/make-ranking.ts'
import { percentile, simulate } from './simulation.ts'

const SEEDS = [1, 2, 3, 4, 5]
const REQUESTS = 600

const p95 = (name: RankingName, hedged: boolean): number[] =>
  SEEDS.map(seed => percentile(simulate(name, { seed, requests: REQUESTS, hedged }).times, 0.95))

describe('ranking: a small simulated world', () => {
  for (const hedged of [false, true]) {
    it(`has its slow requests faster by expected time than by the formula or by chance, ${hedged ? 'with' : 'without'} hedges`, () => {
      const expected = p95('expected-time', hedged)
      for (const name of ['weighted', 'random'] as const) {
        const others = p95(name, hedged)
        const ratios = expected.map((ms, index) => ms / (others[index] ?? NaN))
        assert.ok(percentile(ratios, 0.5) <= 0.9, `${name}: ${ratios.map(ratio => ratio.toFixed(2)).join(' ')}`)
        assert.ok(
          ratios.every(ratio => ratio <= 1),
          `${name}: ${ratios.map(ratio => ratio.toFixed(2)).join(' ')}`
        )
      }
    })
  }

  it('spends at most one extra request in twenty on hedges, and a few at the start', () => {
    const { extraRequests } = simulate('expected-time', { seed: 1, requests: REQUESTS, hedged: true })
    assert.ok(extraRequests > 0 && extraRequests <= REQUESTS / 20 + 5, `${extraRequests}`)
  })

  it('plays the same again with the same seed', () => {
    const run = (): readonly number[] => simulate('expected-time', { seed: 3, requests: 100 }).times
    assert.deepEqual(run(), run())
  })
})
