/** The IPFS adapter against plain Helia nodes on loopback. */
import assert from 'node:assert/strict'
import type { Libp2p } from '@libp2p/interface'
import { MemoryBlockstore } from 'blockstore-core'
import { CID } from 'multiformats/cid'
import { startHeliaSource } from '../../src/adapters/helia/helia-source.ts'
import type { HeliaSource } from '../../src/adapters/helia/helia-source.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import { SourceError } from '../../src/ports/block-source.ts'
import { blockSourceConformance } from '../conformance/block-source.ts'
import { connectHosts, startHeliaNode, startTestHost } from '../support/helia-node.ts'
import type { HeliaNode } from '../support/helia-node.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { silentLog } from '../support/silent-log.ts'

const MIB = 1_048_576
const FILE = new Uint8Array(3 * MIB).fill(7)
const FILE_CID = CID.parse('bafybeihdndb4izktxzkwahg3pwgg4f3ijstijw4522czwyhfl4r4noyliq')

interface Ours extends AsyncDisposable {
  readonly host: Libp2p
  readonly source: HeliaSource
  readonly clock: VirtualClock
  readonly publicBlocks: MemoryBlockstore
  readonly cacheBlocks: MemoryBlockstore
}

async function startOurs(): Promise<Ours> {
  const host = await startTestHost()
  const [publicBlocks, cacheBlocks, clock] = [new MemoryBlockstore(), new MemoryBlockstore(), new VirtualClock()]
  const source = await startHeliaSource(
    { libp2p: host, log: silentLog, clock, readFrom: publicBlocks, writeTo: cacheBlocks },
    { timeout: 60_000 }
  )
  return {
    host,
    source,
    clock,
    publicBlocks,
    cacheBlocks,
    [Symbol.asyncDispose]: async () => {
      await source.stop()
      await host.stop()
    }
  }
}

/** A raw block and its CID. */
function blockOf(text: string): { cid: CID; bytes: Uint8Array } {
  const bytes = new TextEncoder().encode(text)
  return { cid: rawCid(sha256(bytes)), bytes }
}

const isOutcome = (outcome: string) => (error: unknown) => error instanceof SourceError && error.outcome === outcome
const budget = () => ({ signal: AbortSignal.timeout(50_000) })

describe('helia source', () => {
  let ours: Ours
  let theirs: HeliaNode

  beforeEach(async () => {
    ;[ours, theirs] = await Promise.all([startOurs(), startHeliaNode()])
  })

  afterEach(async () => {
    await Promise.all([ours[Symbol.asyncDispose](), theirs[Symbol.asyncDispose]()])
  })

  it('gets every block of a file from a plain Helia, and writes none of them itself', async () => {
    const root = await theirs.add(FILE)
    assert.equal(root.toString(), FILE_CID.toString())
    await connectHosts(ours.host, theirs.libp2p)
    assert.equal(ours.source.connectedBitswapPeers(), 1)
    const session = ours.source.open(root)
    const cids: CID[] = []
    for await (const { cid } of theirs.blockstore.getAll()) cids.push(cid)
    const blocks = await Promise.all(cids.map(async cid => await session.get(cid, budget())))
    session.close()
    assert.deepEqual(
      blocks.map(bytes => Buffer.from(sha256(bytes)).toString('hex')),
      cids.map(cid => Buffer.from(cid.multihash.digest).toString('hex'))
    )
    assert.equal(await ours.cacheBlocks.has(root), false)
    assert.equal(await ours.publicBlocks.has(root), false)
  })

  it('gets the same block again at once: the want before was taken back', async () => {
    const { cid, bytes } = blockOf('asked twice')
    await theirs.blockstore.put(cid, bytes)
    await connectHosts(ours.host, theirs.libp2p)
    const session = ours.source.open(cid)
    for (let round = 0; round < 3; round++) assert.deepEqual(Buffer.from(await session.get(cid, budget())), Buffer.from(bytes))
    await assert.rejects(session.get(blockOf('not there').cid, budget()), isOutcome('not-found'))
    await assert.rejects(session.get(blockOf('not there').cid, budget()), isOutcome('not-found'))
  })

  it('serves a file of the public realm to a plain Helia', async () => {
    const seed = await startHeliaNode()
    try {
      await seed.add(FILE)
      for await (const { cid, bytes } of seed.blockstore.getAll()) await ours.publicBlocks.put(cid, bytes)
    } finally {
      await seed[Symbol.asyncDispose]()
    }
    await theirs.connect(ours.host)
    assert.deepEqual(await theirs.cat(FILE_CID, budget()), Buffer.from(FILE))
  })

  it('serves nothing but the public realm, also not what was fetched', async () => {
    const [open, cached] = [blockOf('public'), blockOf('only in the cache')]
    await ours.publicBlocks.put(open.cid, open.bytes)
    await ours.cacheBlocks.put(cached.cid, cached.bytes)
    const asking = await startOurs()
    try {
      await connectHosts(asking.host, ours.host)
      const session = asking.source.open(open.cid)
      assert.deepEqual(Buffer.from(await session.get(open.cid, budget())), Buffer.from(open.bytes))
      await assert.rejects(session.get(cached.cid, budget()), isOutcome('not-found'))
    } finally {
      await asking[Symbol.asyncDispose]()
    }
  })

  it('sends a block that becomes public to the peer that waits for it', async () => {
    const { cid, bytes } = blockOf('published later')
    await theirs.connect(ours.host)
    const waiting = theirs.cat(cid, budget())
    // The want arrives and is answered with "not here"; then the block is put.
    await wantArrives(ours.publicBlocks, cid)
    await ours.publicBlocks.put(cid, bytes)
    ours.source.notifyStored(cid)
    assert.deepEqual(await waiting, Buffer.from(bytes))
  })

  it('answers not-found at once without a bitswap peer', async () => {
    await assert.rejects(ours.source.open(FILE_CID).get(FILE_CID, {}), isOutcome('not-found'))
    const stranger = await startTestHost()
    try {
      await connectHosts(ours.host, stranger)
      assert.equal(ours.source.connectedBitswapPeers(), 0)
      await assert.rejects(ours.source.open(FILE_CID).get(FILE_CID, {}), isOutcome('not-found'))
    } finally {
      await stranger.stop()
    }
  })

  it('finds the one of several peers that has the block, and is told not-found when none has', async () => {
    const [second, third] = await Promise.all([startHeliaNode(), startHeliaNode()])
    try {
      const bytes = new Uint8Array(100_000).fill(3)
      const cid = rawCid(sha256(bytes))
      await third.blockstore.put(cid, bytes)
      for (const node of [theirs, second, third]) await connectHosts(ours.host, node.libp2p)
      const session = ours.source.open(cid)
      assert.equal((await session.get(cid, budget())).byteLength, bytes.byteLength)
      await assert.rejects(session.get(FILE_CID, budget()), isOutcome('not-found'))
    } finally {
      await Promise.all(
        [second, third].map(async node => {
          await node[Symbol.asyncDispose]()
        })
      )
    }
  })

  it('ends a search when the only peer goes away', async () => {
    const { cid } = blockOf('never sent')
    await connectHosts(ours.host, theirs.libp2p)
    const asked = wantArrives(theirs.blockstore, cid, 'never')
    const search = ours.source.open(cid).get(cid, budget())
    const ended = assert.rejects(search, isOutcome('not-found'))
    await asked
    await theirs.libp2p.stop()
    await ended
  })

  it('leaves the host running when it stops, and is off then', async () => {
    await ours.source.stop()
    await ours.source.stop()
    assert.equal(ours.source.unavailable(), 'off')
    assert.equal(ours.host.status, 'started')
    assert.ok(!ours.host.getProtocols().some(protocol => protocol.startsWith('/ipfs/bitswap')))
    await assert.rejects(ours.source.open(FILE_CID).get(FILE_CID, {}), isOutcome('refused'))
    await ours.host.dial(theirs.libp2p.getMultiaddrs())
  })
})

/** Resolves when the store is asked for `cid`; with `never`, that question is not answered. */
async function wantArrives(store: MemoryBlockstore, cid: CID, answer: 'normal' | 'never' = 'normal'): Promise<void> {
  const has = store.has.bind(store)
  await new Promise<void>(resolve => {
    store.has = (asked, options) => {
      if (!asked.equals(cid)) return has(asked, options)
      resolve()
      return answer === 'normal' ? has(asked, options) : new Promise<boolean>(() => {})
    }
  })
}

blockSourceConformance('helia', async () => {
  const [ours, theirs] = await Promise.all([startOurs(), startHeliaNode()])
  await connectHosts(ours.host, theirs.libp2p)
  return {
    source: ours.source,
    put: async (cid, bytes) => {
      await theirs.blockstore.put(cid, bytes)
    },
    stall: cid => {
      void wantArrives(theirs.blockstore, cid, 'never')
    },
    close: async () => {
      await Promise.all([ours[Symbol.asyncDispose](), theirs[Symbol.asyncDispose]()])
    }
  }
})
