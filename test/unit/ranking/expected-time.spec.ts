import assert from 'node:assert/strict'
import { makeRanking } from '../../../src/ranking/make-ranking.ts'
import type { Candidate, Wanted } from '../../../src/ranking/ranking.ts'
import { candidateFor, peersOf, SeededRandom } from './support.ts'

const MIB = 1_048_576
const ranking = makeRanking('expected-time', { random: new SeededRandom(1) })
const order = (candidates: readonly Candidate[], wanted: Wanted = { size: 64_000 }): string =>
  peersOf(ranking.order(candidates, wanted)).join(' ')
/** Asked often, and as fast as said. */
const known = (peer: string, firstByteMs: number, rest: Parameters<typeof candidateFor>[1] = {}): Candidate =>
  candidateFor(peer, {
    ...rest,
    estimate: { firstByteMs, rate: 20 * MIB, samples: 100, failShare: 0.01, precision: 0.95, ...rest.estimate }
  })

describe('ranking: expected time', () => {
  it('asks the faster one first, by first byte for small and by rate for large contents', () => {
    const near = known('near', 10, { estimate: { rate: MIB } })
    const wide = known('wide', 100, { estimate: { rate: 50 * MIB } })
    assert.equal(order([wide, near], { size: 10_000 }), 'near wide')
    assert.equal(order([near, wide], { size: 100 * MIB }), 'wide near')
  })

  it('asks those the operator trusts before everybody else, however slow', () => {
    const slow = known('slow', 30_000, { trust: 5, access: 5 })
    const stranger = known('stranger', 1, { isTrusted: false, access: 0, trust: 10 })
    assert.equal(order([stranger, slow]), 'slow stranger')
  })

  it('lets trust decide among those that are about as fast', () => {
    const a = known('a', 100, { trust: 5 })
    const b = known('b', 110, { trust: 9 })
    const c = known('c', 200, { trust: 10 })
    assert.equal(order([a, b, c]), 'b a c')
  })

  it('counts the requests that are under way already', () => {
    assert.equal(order([known('busy', 50, { estimate: { inFlight: 3 } }), known('idle', 90)]), 'idle busy')
  })

  it('avoids who fails often, and who claims what it has not', () => {
    assert.equal(order([known('failing', 20, { estimate: { failShare: 0.4 } }), known('slow', 200)]), 'slow failing')
    assert.equal(order([known('liar', 20, { estimate: { precision: 0.3 } }), known('slow', 150)]), 'slow liar')
  })

  it('believes an answer more than a filter, and a filter more than nothing', () => {
    const answer = known('answer', 50, { isAnswer: true, estimate: { precision: 0.5 } })
    const filter = known('filter', 50, { estimate: { precision: 0.8 } })
    const silent = known('silent', 50, { claim: 'unknown' })
    const denies = known('denies', 50, { claim: 'no' })
    assert.equal(order([denies, silent, filter, answer]), 'answer filter silent denies')
  })

  it('lets the numbers say when a claim is not worth waiting for', () => {
    assert.equal(order([known('crawling', 5_000), known('quick', 10, { claim: 'unknown' })]), 'quick crawling')
  })

  it('gives newcomers a chance before those it knows to be slow', () => {
    assert.equal(order([known('slow', 400), candidateFor('new', { estimate: { failShare: 0.4 / 4.4, precision: 0.95 } })]), 'new slow')
  })

  it('counts a dial for who is not connected', () => {
    assert.equal(order([known('away', 50, { isConnected: false }), known('here', 200)]), 'here away')
  })

  it('believes no rate above the one a peer says it gives', () => {
    const limited = known('limited', 50, { bandwidthLimit: 100_000 })
    assert.equal(order([limited, known('open', 90)], { size: 10 * MIB }), 'open limited')
  })

  it('says in milliseconds what adds up to the expected time', () => {
    const [ranked] = ranking.order([known('a', 100, { estimate: { inFlight: 1 } })], { size: MIB })
    const { firstByte, queue, transfer, faults, miss, dial, hope } = ranked?.terms ?? {}
    assert.deepEqual([firstByte, queue, transfer, dial], [100, 100, 50, 0])
    assert.ok((faults ?? 0) > 0 && (miss ?? 0) > 0 && (hope ?? 0) < 0)
    const sum = Object.values(ranked?.terms ?? {}).reduce((total, term) => total + term, 0)
    assert.equal(Math.round(sum * 1e6), Math.round((ranked?.expectedMs ?? NaN) * 1e6))
  })

  it('begins one small request in a hundred with each of the others of its kind', () => {
    const candidates = [known('a', 100), known('b', 101), known('c', 900), known('denies', 10, { claim: 'no' })]
    const first = (draw: number, size: number | null): string | undefined => peersOf(ranking.order(candidates, { size, draw }))[0]
    const draws = Array.from({ length: 1_000 }, (_, index) => index / 1_000)
    const firsts = draws.map(draw => first(draw, null))
    const count = (peer: string): number => firsts.filter(name => name === peer).length
    assert.deepEqual([count('a'), count('b'), count('c'), count('denies')], [980, 10, 10, 0])
    assert.equal(first(0.001, 5 * MIB), 'a', 'large contents are not for trying somebody out')
    assert.equal(order(candidates, { size: null, draw: 0.015 }), 'c a b denies')
  })

  it('spends no more than a tenth of the requests on trying others, however many there are', () => {
    const candidates = Array.from({ length: 50 }, (_, index) => known(`p${index}`, 10 + index))
    const best = order(candidates).split(' ')[0]
    const draws = Array.from({ length: 1_000 }, (_, index) => (index + 0.5) / 1_000)
    const others = draws.filter(draw => order(candidates, { size: null, draw }).split(' ')[0] !== best)
    assert.equal(others.length, 100)
  })

  it('never tries a stranger before somebody trusted', () => {
    const candidates = [known('friend', 500), known('stranger', 5, { isTrusted: false, trust: 0, access: 0 })]
    for (let draw = 0; draw < 1; draw += 0.001) assert.equal(order(candidates, { size: null, draw }), 'friend stranger')
  })
})
