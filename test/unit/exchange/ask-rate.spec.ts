import assert from 'node:assert/strict'
import type { DagAsk } from '../../../src/exchange/codec.ts'
import { rawCid } from '../../../src/model/content-id.ts'
import { sha256 } from '../../../src/model/sha256.ts'
import { MemoryContent, patterned } from '../../integration/exchange-support.ts'
import { FakeStanding } from '../../support/fake-standing.ts'
import { rawExchange, reasonOf, type RawExchange } from '../../support/raw-exchange.ts'

describe('asking in vain', () => {
  let content: MemoryContent
  let exchange: RawExchange
  beforeEach(async () => {
    content = new MemoryContent()
    const standing = new FakeStanding()
    standing.set('friend', 5)
    exchange = await rawExchange({ policy: content, standing })
  })

  const hashes = Array.from({ length: 64 }, (_, i) => rawCid(sha256(patterned(i + 1))).multihash.bytes)
  async function have(peer: string): Promise<string | undefined> {
    return reasonOf(await exchange.ask(peer, { kind: 'have', multihashes: hashes }))
  }
  async function dag(peer: string, ask: Partial<DagAsk>): Promise<string | undefined> {
    return reasonOf(await exchange.ask(peer, { kind: 'dag', ...ask }))
  }

  it('refuses a stranger who tries out addresses after a thousand, and lets 256 a second through', async () => {
    for (let i = 0; i < 16; i++) assert.equal(await have('stranger'), undefined)
    assert.equal(await have('stranger'), 'rate')
    assert.equal(await have('another'), undefined, 'others are not held back')
    await exchange.clock.advance(250)
    assert.equal(await have('stranger'), undefined)
    assert.equal(await have('stranger'), 'rate')
  })

  it('refuses alike what exists and what does not, once a peer has asked too much', async () => {
    const cid = await content.addFile(patterned(10))
    for (let i = 0; i < 16; i++) await have('stranger')
    assert.equal(await dag('stranger', { cid }), 'rate')
    assert.equal(await dag('stranger', { cid: rawCid(sha256(patterned(999))) }), 'rate')
  })

  it('counts answers that found nothing, and not those that brought content', async () => {
    const cid = await content.addFile(patterned(10))
    for (let i = 0; i < 1_100; i++) assert.equal(await dag('fetcher', { cid }), undefined)
    const missing = rawCid(sha256(patterned(999)))
    for (let i = 0; i < 1_024; i++) assert.equal(await dag('prober', { cid: missing }), undefined)
    assert.equal(await dag('prober', { cid: missing }), 'rate')
  })

  it('gives trusted peers sixteen times as much', async () => {
    for (let i = 0; i < 200; i++) assert.equal(await have('friend'), undefined)
  })
})
