/** The public swarm in the small: DHT servers on loopback, content that only the DHT can find. */
import assert from 'node:assert/strict'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import type { CID } from 'multiformats/cid'
import type { Host, HostInit } from '../../src/adapters/libp2p/host.ts'
import { startHeliaSource, type HeliaSource } from '../../src/adapters/helia/helia-source.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import { SourceError } from '../../src/ports/block-source.ts'
import { startDhtNet, type DhtNet } from '../support/dht-net.ts'
import { silentLog } from '../support/silent-log.ts'
import { startTestHost } from './exchange-support.ts'

interface Node extends AsyncDisposable {
  readonly host: Host
  readonly source: HeliaSource
  put(text: string): Promise<CID>
}

const budget = () => ({ signal: AbortSignal.timeout(20_000) })
const isOutcome = (outcome: string) => (error: unknown) => error instanceof SourceError && error.outcome === outcome
const provided = (root: CID) => ({
  root,
  car: () => {
    throw new Error('a DHT needs no bytes')
  }
})

async function startNode(init: Partial<HostInit>): Promise<Node> {
  const host = await startTestHost({ dht: 'client', localSwarm: true, publicSwarm: 'lazy', ...init })
  const blocks = new MemoryBlockstore()
  const source = await startHeliaSource(
    { libp2p: host.libp2p, log: silentLog, clock: systemClock, readFrom: blocks, writeTo: blocks, routing: host.publicSwarm },
    { timeout: 60_000 }
  )
  return {
    host,
    source,
    put: async text => {
      const bytes = new TextEncoder().encode(text)
      return await blocks.put(rawCid(sha256(bytes)), bytes)
    },
    [Symbol.asyncDispose]: async () => {
      await source.stop()
      await host.stop()
    }
  }
}

describe('the public swarm', () => {
  let net: DhtNet
  const nodes: Node[] = []
  const start = async (init: Partial<HostInit>): Promise<Node> => {
    const node = await startNode(init)
    nodes.push(node)
    return node
  }
  before(async () => {
    net = await startDhtNet(5)
  })
  after(async () => {
    await net[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map(async node => await node[Symbol.asyncDispose]()))
  })

  it('gets content from a node that only the DHT knows, and enters the swarm for it', async () => {
    const [theirs, ours] = [await start({ bootstrap: net.addresses.slice(0, 1) }), await start({ bootstrap: net.addresses.slice(1, 3) })]
    const root = await theirs.put('known to the DHT alone')
    await theirs.host.publicSwarm.provide(provided(root), budget())
    assert.deepEqual([ours.host.peers(), ours.host.publicSwarm.isRouting], [[], false])
    const session = ours.source.open(root)
    assert.equal(Buffer.from(await session.get(root, budget())).toString(), 'known to the DHT alone')
    session.close()
    assert.equal(ours.host.isConnected(theirs.host.self), true)
  })

  it('is not-found when the DHT is used up and nobody has it', async () => {
    const ours = await start({ bootstrap: net.addresses.slice(0, 2) })
    const session = ours.source.open(rawCid(new Uint8Array(32)))
    await assert.rejects(session.get(rawCid(new Uint8Array(32)), budget()), isOutcome('not-found'))
    assert.equal(ours.host.publicSwarm.isRouting, true)
    // A second block of the same content: what was looked for is not looked for again.
    await assert.rejects(session.get(rawCid(new Uint8Array(32).fill(1)), budget()), isOutcome('not-found'))
  })

  it('is not-found at once when it may not be entered, has no DHT, or nobody lets us in', async () => {
    const inits: Partial<HostInit>[] = [
      { publicSwarm: false, bootstrap: net.addresses },
      { dht: 'off', bootstrap: [] },
      { bootstrap: ['/ip4/127.0.0.1/tcp/1/p2p/12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8'] }
    ]
    for (const init of inits) {
      const ours = await start(init)
      const root = rawCid(new Uint8Array(32))
      await assert.rejects(ours.source.open(root).get(root, budget()), isOutcome('not-found'))
      assert.deepEqual(ours.host.peers(), [])
    }
  })

  it('starts with the daemon when it is to, and says so when nobody takes a record', async () => {
    const ours = await start({ publicSwarm: true, bootstrap: net.addresses.slice(0, 1) })
    assert.equal(ours.host.publicSwarm.isRouting, true)
    const alone = await start({ bootstrap: [] })
    await assert.rejects(alone.host.publicSwarm.provide(provided(rawCid(new Uint8Array(32))), budget()), isOutcome('fault'))
  })

  it('dials no private address but those somebody here named', async () => {
    const [ours, other] = [await startTestHost(), await startTestHost()]
    try {
      const address = other.libp2p.getMultiaddrs()
      // As a router's word would be followed: straight to libp2p.
      await assert.rejects(ours.libp2p.dial(address), { name: 'DialDeniedError' })
      await assert.rejects(ours.libp2p.dial(multiaddr('/dns4/localhost/tcp/1')), { name: 'DialDeniedError' })
      assert.equal(await ours.connect(address.join('')), other.self)
    } finally {
      await Promise.all([ours.stop(), other.stop()])
    }
  })
})
