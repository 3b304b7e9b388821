import assert from 'node:assert/strict'
import { BlockSearch } from '../../../../src/adapters/helia/block-search.ts'
import { rawCid } from '../../../../src/model/content-id.ts'
import { sha256 } from '../../../../src/model/sha256.ts'
import { SourceError } from '../../../../src/ports/block-source.ts'
import { VirtualClock } from '../../../support/virtual-clock.ts'

const BYTES = new TextEncoder().encode('wanted')
const cid = rawCid(sha256(BYTES))

function start(connected: string[], proven: string[] = [], elsewhere?: () => boolean) {
  const clock = new VirtualClock()
  const wants: string[] = []
  const delivered: string[] = []
  const search = new BlockSearch(
    {
      clock,
      peers: { ids: () => connected, has: peer => connected.includes(peer) },
      outbox: {
        want: (peer, _cid, type) => {
          wants.push(`${peer} ${type}`)
        }
      }
    },
    {
      cid,
      timeout: 60_000,
      proven,
      ...(elsewhere === undefined ? {} : { elsewhere }),
      delivered: peer => {
        delivered.push(peer)
      }
    }
  )
  const result = search.run()
  result.catch(() => {})
  return { clock, wants, delivered, search, result }
}

const isOutcome = (outcome: string) => (error: unknown) => error instanceof SourceError && error.outcome === outcome

describe('block search', () => {
  it('asks a single peer for the block at once', async () => {
    const { wants, search, result, delivered, clock } = start(['a'])
    assert.deepEqual(wants, ['a WantBlock'])
    search.answer('a', true, BYTES)
    assert.equal(await result, BYTES)
    assert.deepEqual(delivered, ['a'])
    assert.equal(clock.pending, 0)
  })

  it('asks several who has it, and one of those for the block', async () => {
    const { wants, search, result } = start(['a', 'b', 'c'])
    assert.deepEqual(wants.splice(0), ['a WantHave', 'b WantHave', 'c WantHave'])
    search.answer('a', false)
    search.answer('c', true)
    search.answer('b', true)
    assert.deepEqual(wants.splice(0), ['c WantBlock'])
    search.answer('c', false)
    assert.deepEqual(wants, ['b WantBlock'])
    search.answer('b', true, BYTES)
    assert.equal(await result, BYTES)
  })

  it('asks who delivered before first, and the others only when that fails', () => {
    const { wants, search } = start(['a', 'b', 'c'], ['b', 'gone'])
    assert.deepEqual(wants.splice(0), ['b WantBlock'])
    search.answer('b', false)
    assert.deepEqual(wants, ['a WantHave', 'c WantHave'])
  })

  it('asks others too when the one that owes the block is slow, and takes whichever comes', async () => {
    const { wants, search, clock, result } = start(['a', 'b', 'c'], ['b'])
    wants.splice(0)
    await clock.advance(1_999)
    assert.deepEqual(wants, [])
    await clock.advance(1)
    assert.deepEqual(wants, ['a WantHave', 'c WantHave'])
    search.answer('b', true, BYTES)
    assert.equal(await result, BYTES)
  })

  it('is not-found as soon as the last peer has said so', async () => {
    const { search, result } = start(['a', 'b'])
    search.answer('a', false)
    search.answer('b', false)
    await assert.rejects(result, isOutcome('not-found'))
  })

  it('ends empty as not-found when nobody answers, as a timeout when one has claimed the block', async () => {
    const silent = start(['a', 'b'])
    await silent.clock.advance(60_000)
    await assert.rejects(silent.result, isOutcome('not-found'))
    const claimed = start(['a', 'b'])
    claimed.search.answer('a', true)
    await claimed.clock.advance(60_000)
    await assert.rejects(claimed.result, isOutcome('timeout'))
  })

  it('asks a peer that connects meanwhile', () => {
    const { wants, search } = start(['a', 'b'])
    search.joined('c')
    search.joined('c')
    assert.deepEqual(wants, ['a WantHave', 'b WantHave', 'c WantHave'])
  })

  it('asks at most 64 peers', () => {
    assert.equal(start(Array.from({ length: 200 }, (_, at) => `p${at}`)).wants.length, 64)
  })

  it('goes on while others are looked for, asks whoever is found, and is over when the looking is', async () => {
    let looking = true
    const connected: string[] = []
    const { search, wants, result, clock } = start(connected, [], () => looking)
    assert.deepEqual(wants, [])
    connected.push('found')
    search.joined('found')
    assert.deepEqual(wants, ['found WantHave'])
    search.answer('found', false)
    looking = false
    search.nobodyElse()
    await assert.rejects(result, isOutcome('not-found'))
    assert.equal(clock.pending, 0)
    search.nobodyElse()
  })

  it('takes the block from a provider that was found', async () => {
    const connected = ['a']
    const { search, wants, result } = start(connected, [], () => true)
    search.answer('a', false)
    connected.push('b')
    search.joined('b')
    search.answer('b', true)
    assert.deepEqual(wants, ['a WantBlock', 'b WantHave', 'b WantBlock'])
    search.answer('b', true, BYTES)
    assert.equal(await result, BYTES)
  })
})
