import assert from 'node:assert/strict'
import fc from 'fast-check'
import { TrustGraph, type Assertion } from '../../../src/peers/trust-graph.ts'
import { DAY, didOf, peerOf, trustFixture } from './people.ts'

/** Numbers stand for DIDs. */
const node = fc.integer({ min: 0, max: 11 })
const web = fc.array(fc.record({ iss: node, sub: node, level: fc.integer({ min: 0, max: 100 }) }), { maxLength: 60 })
const levels = fc.dictionary(node.map(String), fc.integer({ min: 0, max: 100 }), { maxKeys: 4 })
const depth = fc.integer({ min: 0, max: 4 })

function graphOf(
  said: readonly { iss: number; sub: number; level: number }[],
  access: Record<string, number>,
  maxDepth: number
): TrustGraph {
  const assertions: Assertion[] = said
    .filter(({ iss, sub }) => iss !== sub)
    .map(({ iss, sub, level }) => ({ iss: String(iss), sub: String(sub), weight: level / 100 }))
  const accessOf = (did: string): number | undefined => (Object.hasOwn(access, did) ? (access[did] ?? 0) / 10 : undefined)
  return new TrustGraph({ accessOf, counts: did => accessOf(did) !== 0 }, { maxDepth, assertions })
}

describe('the word of others', () => {
  it('is worth the access of the first, less at each link', async () => {
    const { book, say, standing } = trustFixture()
    await book.setLevel(peerOf(1), 90)
    await say(1, 2, 80)
    await say(2, 3, 50)
    await say(3, 4, 100)
    assert.deepEqual([standing.trustOf(peerOf(2)), standing.trustOf(peerOf(3)), standing.trustOf(peerOf(4))], [7.2, 3.6, 0])
    assert.deepEqual(standing.pathsTo(didOf(3)), [{ through: [didOf(1), didOf(2)], trust: 3.6 }])
    for (const peer of [2, 3, 4]) assert.equal(standing.accessOf(peerOf(peer)), 0)
  })

  it('goes as far as `trust.maxDepth`, and nowhere with 0', async () => {
    for (const [maxDepth, expected] of [
      [0, [0, 0, 0]],
      [1, [9, 0, 0]],
      [3, [9, 9, 9]]
    ] as const) {
      // prettier-ignore
      const { book, say, standing } = trustFixture({ maxDepth })
      await book.setLevel(peerOf(1), 90)
      for (const n of [1, 2, 3]) await say(n, n + 1, 100)
      assert.deepEqual(
        [2, 3, 4].map(n => standing.trustOf(peerOf(n))),
        expected,
        `maxDepth ${maxDepth}`
      )
    }
  })

  it('takes the best of several chains, which never add up', async () => {
    const { book, say, standing } = trustFixture()
    for (const [n, level] of [
      [1, 60],
      [2, 80],
      [3, 80]
    ] as const) {
      // prettier-ignore
      await book.setLevel(peerOf(n), level)
      await say(n, 9, 50)
    }
    assert.equal(standing.trustOf(peerOf(9)), 4)
    assert.deepEqual(standing.pathsTo(didOf(9)).map(({ trust }) => trust), [4, 4, 3]) // prettier-ignore
  })

  it('fades by half in `trust.halfLife`, ends when it expires, and is taken back by a later 0', async () => {
    const { book, clock, say, standing } = trustFixture()
    await book.setLevel(peerOf(1), 100)
    await say(1, 2, 80)
    await clock.advance(90 * DAY)
    assert.ok(Math.abs(standing.trustOf(peerOf(2)) - 4) < 0.001)
    await clock.advance(280 * DAY)
    assert.equal(standing.trustOf(peerOf(2)), 0)
    await say(1, 2, 80)
    assert.equal(standing.trustOf(peerOf(2)), 8)
    await say(1, 2, 0)
    assert.equal(standing.trustOf(peerOf(2)), 0)
  })

  it('never fades with a half-life of 0', async () => {
    const { book, clock, say, standing } = trustFixture({ halfLife: 0 })
    await book.setLevel(peerOf(1), 100)
    await say(1, 2, 80)
    await clock.advance(300 * DAY)
    assert.equal(standing.trustOf(peerOf(2)), 8)
  })

  it('counts nothing against what the operator set, nor below the default', async () => {
    const { book, say, standing } = trustFixture({ default: 2 })
    await book.setLevel(peerOf(1), 100)
    await book.setLevel(peerOf(2), 10)
    await say(1, 2, 100)
    await say(1, 3, 10)
    assert.deepEqual([standing.trustOf(peerOf(2)), standing.trustOf(peerOf(3))], [1, 2])
  })

  it('of one who is blocked, suspended or given level 0 is worth nothing', async () => {
    const { book, say, standing } = trustFixture()
    await book.setLevel(peerOf(1), 90)
    await say(1, 2, 100)
    await say(2, 3, 100)
    assert.equal(standing.trustOf(peerOf(3)), 9)
    await book.setLevel(peerOf(2), 0)
    assert.equal(standing.trustOf(peerOf(3)), 0)
    await book.forgetLevel(didOf(2))
    standing.report(peerOf(2), 'wrong-bytes')
    assert.equal(standing.trustOf(peerOf(3)), 0)
    await book.block(peerOf(1))
    assert.equal(standing.trustOf(peerOf(2)), 0)
  })

  it('in circles adds nothing', async () => {
    const { book, say, standing } = trustFixture({ maxDepth: 4 })
    await book.setLevel(peerOf(1), 50)
    for (const [iss, sub] of [[1, 2], [2, 3], [3, 2], [3, 1], [2, 1]] as const) await say(iss, sub, 90) // prettier-ignore
    assert.deepEqual([standing.trustOf(peerOf(1)), standing.trustOf(peerOf(2)), standing.trustOf(peerOf(3))], [5, 4.5, 4.05])
    assert.deepEqual(standing.pathsTo(didOf(2)).map(({ through }) => through), [[didOf(1)]]) // prettier-ignore
  })

  it('of strangers, however many and in whatever circles, is worth nothing', () => {
    fc.assert(
      fc.property(web, depth, (said, maxDepth) => {
        const graph = graphOf(said, {}, maxDepth)
        for (let n = 0; n < 12; n++) assert.deepEqual([graph.best(String(n)), graph.paths(String(n))], [0, []])
      })
    )
  })

  it('is never worth more than the access of the one it begins with, and no chain is longer than allowed', () => {
    fc.assert(
      fc.property(web, levels, depth, (said, access, maxDepth) => {
        const graph = graphOf(said, access, maxDepth)
        for (let n = 0; n < 12; n++) {
          for (const { through, trust } of graph.paths(String(n))) {
            const [first = ''] = through
            assert.ok(trust <= (access[first] ?? 0) / 10, `${trust} by ${first}`)
            assert.ok(through.length <= maxDepth && !through.includes(String(n)) && new Set(through).size === through.length)
          }
          if (!Object.hasOwn(access, String(n))) assert.equal(graph.best(String(n)), graph.paths(String(n))[0]?.trust ?? 0)
        }
      })
    )
  })

  it('grows by no made-up identity: whatever those say whom only a liar vouches for, nobody is worth more than by the liar alone', () => {
    const sybils = fc.array(fc.record({ iss: fc.integer({ min: 4, max: 11 }), sub: node, level: fc.integer({ min: 0, max: 100 }) }), {
      maxLength: 80
    })
    fc.assert(
      fc.property(sybils, fc.integer({ min: 1, max: 100 }), depth, (said, level, maxDepth) => {
        // 0 is the liar, who vouches for all of 4 to 11; 1 to 3 are strangers that everybody speaks of.
        const vouching = Array.from({ length: 8 }, (_, index) => ({ iss: 0, sub: 4 + index, level: 100 }))
        const graph = graphOf([...vouching, ...said], { 0: level }, maxDepth)
        for (let n = 1; n < 12; n++) assert.ok(graph.best(String(n)) <= level / 10)
      })
    )
  })
})

describe('access', () => {
  it('is moved by no assertion and no offence', async () => {
    const words = fc.array(fc.record({ iss: node, sub: node, level: fc.integer({ min: 0, max: 100 }) }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(words, levels, async (said, access) => {
        const { book, say, standing } = trustFixture({ maxDepth: 4 })
        for (const [n, level] of Object.entries(access)) await book.setLevel(peerOf(Number(n)), level)
        for (const { iss, sub, level } of said) if (iss !== sub) await say(iss, sub, level)
        for (let n = 0; n < 12; n++) standing.report(peerOf(n), 'protocol-violation')
        for (let n = 0; n < 12; n++) assert.equal(standing.accessOf(peerOf(n)), (access[String(n)] ?? 0) / 10)
      }),
      { numRuns: 50 }
    )
  })
})
