import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ClaimsFirst } from '../../../src/ranking/claims-first.ts'
import type { Candidate, Claim } from '../../../src/ranking/ranking.ts'
import { UNMEASURED } from '../../../src/ranking/unmeasured.ts'

const candidate = (peer: string, claim: Claim, connectedSince: number): Candidate => ({
  peer,
  claim,
  connectedSince,
  isTrusted: false,
  access: 0,
  trust: 0,
  isConnected: true,
  isRelayed: false,
  hasIpfs: false,
  estimate: UNMEASURED.of(peer)
})
const order = (candidates: readonly Candidate[]): string =>
  new ClaimsFirst()
    .order(candidates)
    .map(({ candidate: { peer } }) => peer)
    .join('')

describe('ranking: claims first', () => {
  it('asks who claims the content, then who may have it, then who says no', () => {
    assert.equal(order([candidate('c', 'no', 1), candidate('b', 'unknown', 2), candidate('a', 'yes', 3)]), 'abc')
  })

  it('asks the longest connected first among equals', () => {
    assert.equal(order([candidate('b', 'yes', 20), candidate('a', 'yes', 10), candidate('d', 'no', 2), candidate('c', 'no', 1)]), 'abcd')
  })

  it('lets no peer id win a tie', () => {
    assert.equal(order([candidate('z', 'yes', 1), candidate('a', 'yes', 1)]), 'za')
  })

  it('gives back exactly the candidates it got and leaves the input alone', () => {
    const any = fc.array(fc.record({ peer: fc.string(), claim: fc.constantFrom<Claim>('yes', 'no', 'unknown'), connectedSince: fc.nat() }))
    fc.assert(
      fc.property(any, drawn => {
        const candidates = drawn.map(({ peer, claim, connectedSince }) => candidate(peer, claim, connectedSince))
        const before = [...candidates]
        const ordered = new ClaimsFirst().order(candidates)
        assert.deepEqual(candidates, before)
        assert.deepEqual(new Set(ordered.map(ranked => ranked.candidate)), new Set(candidates))
        assert.equal(ordered.length, candidates.length)
      })
    )
  })
})
