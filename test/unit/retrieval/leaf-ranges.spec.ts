import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { LeafRange } from '../../../src/ports/exchange.ts'
import { tailOf, without } from '../../../src/retrieval/leaf-ranges.ts'
import { Pace } from '../../../src/retrieval/pace.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const MIB = 1_048_576

/** Members, ascending, as ranges. */
function rangesOf(members: readonly number[]): LeafRange[] {
  const ranges: [number, number][] = []
  for (const index of [...new Set(members)].toSorted((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && last[0] + last[1] === index) last[1] += 1
    else ranges.push([index, 1])
  }
  return ranges
}
const membersOf = (ranges: readonly LeafRange[]): number[] =>
  ranges.flatMap(([start, count]) => Array.from({ length: count }, (_, at) => start + at))
const sets = fc.array(fc.nat(40))

describe('Ranges of leaves', () => {
  it('are subtracted as sets are', () => {
    fc.assert(
      fc.property(sets, sets, (all, taken) => {
        const left = membersOf(without(rangesOf(all), rangesOf(taken)))
        assert.deepEqual(
          left,
          membersOf(rangesOf(all)).filter(index => !taken.includes(index))
        )
      })
    )
    assert.deepEqual(without([[0, 5]], 'all'), [])
  })

  it('give their end away: no more than asked for, in order, and never the first leaf', () => {
    fc.assert(
      fc.property(sets, fc.nat(60), (all, bytes) => {
        const members = membersOf(rangesOf(all))
        const tail = membersOf(tailOf(rangesOf(all), bytes, () => 1))
        assert.deepEqual(tail, members.slice(Math.max(1, members.length - bytes)))
      })
    )
    assert.deepEqual(
      tailOf([[0, 4]], 1.8, () => 1),
      [[2, 2]],
      'most of a leaf counts as one'
    )
  })
})

describe('The pace of a source', () => {
  it('is what is expected until something is seen, and then what is seen', async () => {
    const clock = new VirtualClock()
    const pace = new Pace(clock, { firstByteMs: 100, rate: 10 * MIB, isMeasured: false })
    await clock.advance(100)
    assert.equal(Math.round(pace.rate(MIB) / MIB), 10)
    for (let i = 0; i < 20; i++) {
      await clock.advance(1_000)
      pace.delivered(2 * MIB)
    }
    assert.equal(Math.abs(pace.rate(0) / MIB - 2) < 0.05, true)
  })

  it('falls while nothing comes, and recovers', async () => {
    const clock = new VirtualClock()
    const pace = new Pace(clock, { firstByteMs: 0, rate: 10 * MIB, isMeasured: true })
    await clock.advance(4_000)
    assert.equal(pace.rate(MIB) < MIB / 2, true)
    assert.equal(pace.waitedMs, 4_000)
    for (let i = 0; i < 200; i++) {
      await clock.advance(100)
      pace.delivered(MIB)
    }
    assert.equal(pace.rate(MIB) > 9 * MIB, true)
  })
})
