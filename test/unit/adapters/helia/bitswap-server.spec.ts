import assert from 'node:assert/strict'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { PeerId } from '@libp2p/interface'
import { MemoryBlockstore } from 'blockstore-core'
import type { CID } from 'multiformats/cid'
import { BitswapServer } from '../../../../src/adapters/helia/bitswap-server.ts'
import type { WantEntry, WireMessage } from '../../../../src/adapters/helia/bitswap-wire.ts'
import { rawCid } from '../../../../src/model/content-id.ts'
import { sha256 } from '../../../../src/model/sha256.ts'
import { silentLog } from '../../../support/silent-log.ts'
import { settle } from '../../../support/virtual-clock.ts'

interface Sent {
  readonly peer: PeerId
  readonly message: WireMessage
  readonly done: () => void
}

describe('bitswap server', () => {
  let store: MemoryBlockstore
  let server: BitswapServer
  let sent: Sent[]
  let peer: PeerId

  beforeEach(async () => {
    store = new MemoryBlockstore()
    sent = []
    peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    const network = {
      sendMessage: async (to: PeerId, message: WireMessage) => {
        await new Promise<void>(resolve => sent.push({ peer: to, message, done: resolve }))
      }
    }
    server = new BitswapServer({ wire: { network }, readFrom: store, log: silentLog })
  })

  async function put(seed: number, length: number): Promise<CID> {
    const bytes = new Uint8Array(length).fill(seed)
    const cid = rawCid(sha256(bytes))
    await store.put(cid, bytes)
    return cid
  }

  const want = (cid: CID, more: Partial<WantEntry> = {}): WantEntry => ({
    cid: cid.bytes,
    priority: 1,
    wantType: 'WantBlock',
    sendDontHave: true,
    ...more
  })

  async function ask(...entries: WantEntry[]): Promise<void> {
    server.receive(peer, { wantlist: { entries } })
    await settle()
  }

  /** Lets every turn be sent until the peer has got all it wanted. */
  async function drain(): Promise<WireMessage[]> {
    const messages: WireMessage[] = []
    for (let next = sent.shift(); next !== undefined; next = sent.shift()) {
      messages.push(next.message)
      next.done()
      await settle()
    }
    return messages
  }

  it('never holds more than a turn of blocks, however many are wanted', async () => {
    const cids = await Promise.all(Array.from({ length: 10 }, async (_, at) => await put(at, 700_000)))
    await ask(...cids.map(cid => want(cid)))
    assert.equal(sent.length, 1, 'one turn at a time')
    const messages = await drain()
    assert.deepEqual(
      messages.map(({ blocks }) => blocks.size),
      [3, 3, 3, 1]
    )
  })

  it('answers HAVE with the block only if it is small, and absence if asked to', async () => {
    const [small, large] = [await put(1, 1024), await put(2, 1025)]
    const absent = rawCid(sha256(new Uint8Array([1])))
    await ask(want(small, { wantType: 'WantHave' }), want(large, { wantType: 'WantHave' }), want(absent))
    const [message] = await drain()
    assert.equal(message?.blocks.size, 1)
    assert.deepEqual(
      [...message.blockPresences.values()].map(({ type }) => type),
      ['HaveBlock', 'DoNotHaveBlock']
    )
  })

  it('answers a want each time it comes', async () => {
    const cid = await put(3, 10)
    for (let round = 0; round < 3; round++) {
      await ask(want(cid))
      assert.equal((await drain())[0]?.blocks.size, 1)
    }
  })

  it('sends what becomes public later to who still wants it, and not after a cancel', async () => {
    const bytes = new Uint8Array([7, 7])
    const cid = rawCid(sha256(bytes))
    await ask(want(cid))
    await drain()
    await store.put(cid, bytes)
    server.stored(cid)
    await settle()
    assert.equal((await drain())[0]?.blocks.size, 1)
    await ask(want(rawCid(sha256(new Uint8Array([8])))))
    await drain()
    await ask(want(rawCid(sha256(new Uint8Array([8]))), { cancel: true }))
    server.stored(rawCid(sha256(new Uint8Array([8]))))
    await settle()
    assert.equal(sent.length, 0)
  })

  it('remembers a bounded number of wants, and forgets a peer that left', async () => {
    const entries = Array.from({ length: 2_000 }, (_, at) => want(rawCid(sha256(new Uint8Array([at >> 8, at & 255])))))
    await ask(...entries)
    const messages = await drain()
    assert.equal(
      messages.reduce((sum, { blockPresences }) => sum + blockPresences.size, 0),
      1024
    )
    server.left(peer)
    const first = entries[0]
    assert.ok(first)
    server.stored(rawCid(sha256(new Uint8Array([0, 0]))))
    await settle()
    assert.equal(sent.length, 0)
  })

  it('ignores what is no CID', async () => {
    await ask(want(await put(1, 5), { cid: new Uint8Array([1, 2, 3]) }), want(await put(1, 5), { cid: new Uint8Array(5000) }))
    assert.equal(sent.length, 0)
  })
})
