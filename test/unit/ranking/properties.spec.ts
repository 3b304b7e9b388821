/** What must hold of every order, whatever the figures are. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import { MeasuredEstimates } from '../../../src/ranking/estimates.ts'
import { makeRanking, type RankingName } from '../../../src/ranking/make-ranking.ts'
import type { Candidate, Claim, Wanted } from '../../../src/ranking/ranking.ts'
import { candidateFor, HandClock, peersOf, play, SeededRandom } from './support.ts'

const NAMES: readonly RankingName[] = ['expected-time', 'weighted', 'random']
const FORMULAS: readonly RankingName[] = ['expected-time', 'weighted']

const positive = (max: number): fc.Arbitrary<number> => fc.double({ min: 0.1, max, noNaN: true })
const share = fc.double({ min: 0, max: 1, noNaN: true })
const estimate = fc.record({
  firstByteMs: fc.option(positive(60_000)),
  latencyMs: fc.option(positive(10_000)),
  rate: fc.option(positive(1e9)),
  bandwidth: fc.option(positive(1e9)),
  failShare: share,
  precision: share,
  inFlight: fc.nat(8),
  samples: fc.nat(200)
})
const facts = fc.record({
  claim: fc.constantFrom<Claim>('yes', 'no', 'unknown'),
  isAnswer: fc.boolean(),
  isTrusted: fc.boolean(),
  trust: fc.double({ min: -5, max: 10, noNaN: true }),
  isConnected: fc.boolean(),
  isRelayed: fc.boolean(),
  hasIpfs: fc.boolean(),
  estimate
})
const candidates = fc
  .array(facts, { minLength: 1, maxLength: 12 })
  .map(drawn => drawn.map((known, index) => candidateFor(`peer${index}`, known)))
const wanted: fc.Arbitrary<Wanted> = fc.record({ size: fc.option(fc.nat(1e9)) })

const rankOf = (ranked: readonly { readonly candidate: Candidate }[], peer: string): number =>
  ranked.findIndex(({ candidate }) => candidate.peer === peer)

/** Makes one candidate better and expects it to be asked no later than before. */
function neverLower(name: RankingName, better: (candidate: Candidate, factor: number) => Candidate): void {
  const ranking = makeRanking(name, { random: new SeededRandom(7) })
  fc.assert(
    fc.property(candidates, wanted, fc.nat(), share, (given, what, pick, factor) => {
      const chosen = given[pick % given.length]
      assert.ok(chosen !== undefined)
      const improved = given.map(candidate => (candidate === chosen ? better(candidate, factor) : candidate))
      const before = rankOf(ranking.order(given, what), chosen.peer)
      const after = rankOf(ranking.order(improved, what), chosen.peer)
      assert.ok(after <= before, `${before} → ${after}`)
    }),
    { numRuns: 500 }
  )
}

/** `factor` is 0 to 1. */
function less(value: number | null, factor: number): number | null {
  return value === null ? null : value * factor
}

function more(value: number | null, factor: number): number | null {
  return value === null ? null : value * (1 + 9 * factor)
}

const withEstimate = (candidate: Candidate, change: Partial<Candidate['estimate']>): Candidate => ({
  ...candidate,
  estimate: { ...candidate.estimate, ...change }
})

describe('ranking: properties', () => {
  for (const name of NAMES) {
    it(`${name} gives back exactly the candidates it got and leaves the input alone`, () => {
      const ranking = makeRanking(name, { random: new SeededRandom(7) })
      fc.assert(
        fc.property(candidates, wanted, fc.option(share, { nil: undefined }), (given, what, draw) => {
          const before = [...given]
          const ranked = ranking.order(given, draw === undefined ? what : { ...what, draw })
          assert.deepEqual(given, before)
          assert.equal(ranked.length, given.length)
          assert.deepEqual(new Set(ranked.map(({ candidate }) => candidate)), new Set(given))
        })
      )
      assert.deepEqual(ranking.order([], { size: null }), [])
    })

    it(`${name} has scores that fall along the order`, () => {
      const ranking = makeRanking(name, { random: new SeededRandom(7) })
      fc.assert(
        fc.property(candidates, wanted, (given, what) => {
          const scores = ranking.order(given, what).map(({ score }) => score)
          assert.deepEqual(
            scores,
            scores.toSorted((a, b) => b - a)
          )
        })
      )
    })
  }

  for (const name of FORMULAS) {
    it(`${name}: more bandwidth never lowers a rank`, () => {
      neverLower(name, (candidate, factor) =>
        withEstimate(candidate, { rate: more(candidate.estimate.rate, factor), bandwidth: more(candidate.estimate.bandwidth, factor) })
      )
    })

    it(`${name}: less latency never lowers a rank`, () => {
      neverLower(name, (candidate, factor) =>
        withEstimate(candidate, {
          firstByteMs: less(candidate.estimate.firstByteMs, factor),
          latencyMs: less(candidate.estimate.latencyMs, factor)
        })
      )
    })

    it(`${name}: more trust never lowers a rank`, () => {
      neverLower(name, (candidate, factor) => ({ ...candidate, trust: candidate.trust + (10 - candidate.trust) * factor, isTrusted: true }))
    })

    it(`${name}: fewer failures never lower a rank`, () => {
      neverLower(name, (candidate, factor) => withEstimate(candidate, { failShare: candidate.estimate.failShare * factor }))
    })

    it(`${name}: the order it came in decides nothing`, () => {
      const ranking = makeRanking(name, { random: new SeededRandom(7) })
      fc.assert(
        fc.property(candidates, wanted, (given, what) => {
          assert.deepEqual(peersOf(ranking.order(given.toReversed(), what)), peersOf(ranking.order(given, what)))
        })
      )
    })

    it(`${name}: no id can be made up that wins ties everywhere`, () => {
      const ids = Array.from({ length: 8 }, (_, index) => `peer${index}`)
      const firsts = new Set<string>()
      for (let seed = 0; seed < 200; seed++) {
        const ranking = makeRanking(name, { random: new SeededRandom(seed) })
        const order = peersOf(
          ranking.order(
            ids.map(id => candidateFor(id)),
            { size: null }
          )
        )
        assert.deepEqual(
          peersOf(
            ranking.order(
              ids.map(id => candidateFor(id)),
              { size: null }
            )
          ),
          order,
          'the same within a process'
        )
        firsts.add(order[0] ?? '')
      }
      assert.equal(firsts.size, ids.length)
    })
  }

  it('expected-time: trusted peers come before all others', () => {
    const ranking = makeRanking('expected-time', { random: new SeededRandom(7) })
    fc.assert(
      fc.property(candidates, wanted, fc.option(share, { nil: undefined }), (given, what, draw) => {
        const classes = ranking.order(given, draw === undefined ? what : { ...what, draw }).map(({ candidate }) => candidate.isTrusted)
        assert.deepEqual(
          classes,
          classes.toSorted((a, b) => Number(b) - Number(a))
        )
      })
    )
  })

  it('expected-time: a gap of one percent is no reason to ask only one', () => {
    const ranking = makeRanking('expected-time', { random: new SeededRandom(7) })
    const random = new SeededRandom(11)
    const given = [100, 101, 103].map((firstByteMs, index) => candidateFor(`peer${index}`, { estimate: { firstByteMs, samples: 50 } }))
    const firsts = Array.from({ length: 5_000 }, () => peersOf(ranking.order(given, { size: null, draw: random.number() }))[0])
    for (const { peer } of given) assert.ok(firsts.filter(first => first === peer).length >= 25, `${peer} is asked first now and then`)
  })

  it('expected-time: what is nobody’s fault never puts a peer behind one it was ahead of', () => {
    const innocent = fc.array(fc.tuple(fc.constantFrom('not-found', 'refused', 'cancelled'), fc.nat(40)), { maxLength: 20 })
    fc.assert(
      fc.property(innocent, ends => {
        const clock = new HandClock()
        const estimates = new MeasuredEstimates({ clock, state: memoryState(), isTrusted: () => true })
        for (const peer of ['a', 'b'])
          for (let request = 0; request < 20; request++) play(estimates, clock, peer, { firstByteMs: peer === 'a' ? 50 : 70 })
        for (const [outcome, totalMs] of ends) play(estimates, clock, 'a', { outcome, totalMs })
        const ranking = makeRanking('expected-time', { random: new SeededRandom(7) })
        const given = ['b', 'a'].map(peer => candidateFor(peer, { estimate: estimates.of(peer) }))
        assert.equal(peersOf(ranking.order(given, { size: null }))[0], 'a')
      })
    )
  })

  it('expected-time: a favourite that fails three times in a row is left, and may come back', () => {
    const clock = new HandClock()
    const estimates = new MeasuredEstimates({ clock, state: memoryState(), isTrusted: () => true })
    const ranking = makeRanking('expected-time', { random: new SeededRandom(7) })
    const first = (): string | undefined =>
      peersOf(
        ranking.order(
          ['good', 'other'].map(peer => candidateFor(peer, { estimate: estimates.of(peer) })),
          { size: null }
        )
      )[0]
    for (let request = 0; request < 500; request++) {
      play(estimates, clock, 'good', { firstByteMs: 10 })
      play(estimates, clock, 'other', { firstByteMs: 60 })
    }
    assert.equal(first(), 'good')
    for (let failure = 0; failure < 3; failure++) play(estimates, clock, 'good', { outcome: 'fault' })
    assert.equal(first(), 'other')
    clock.pass(3_600_000)
    for (const peer of ['good', 'other'])
      for (let request = 0; request < 10; request++) play(estimates, clock, peer, { firstByteMs: peer === 'good' ? 10 : 60 })
    assert.equal(first(), 'good')
  })
})
