import assert from 'node:assert/strict'
import { HedgeBudget, hedgeAfter } from '../../../src/ranking/hedge-budget.ts'

describe('ranking: hedge budget', () => {
  it('spends at most one hedge in twenty requests, after a few saved up', () => {
    const budget = new HedgeBudget()
    let hedges = 0
    for (let request = 0; request < 2_000; request++) {
      budget.request()
      if (budget.take()) hedges++
    }
    assert.ok(hedges >= 100 && hedges <= 5 + 2_000 / 20, `${hedges}`)
  })

  it('saves up no more than a few', () => {
    const budget = new HedgeBudget()
    for (let request = 0; request < 10_000; request++) budget.request()
    assert.deepEqual(
      Array.from({ length: 7 }, () => budget.take()),
      [true, true, true, true, true, false, false]
    )
  })

  it('waits for the percentile of the peer or the configured delay, whichever is less, but not for nothing', () => {
    assert.equal(hedgeAfter({ firstByteP90Ms: null }, 250), 250)
    assert.equal(hedgeAfter({ firstByteP90Ms: 80 }, 250), 80)
    assert.equal(hedgeAfter({ firstByteP90Ms: 900 }, 250), 250)
    assert.equal(hedgeAfter({ firstByteP90Ms: 2 }, 250), 20)
    assert.equal(hedgeAfter({ firstByteP90Ms: 80 }, Infinity), Infinity)
  })
})
