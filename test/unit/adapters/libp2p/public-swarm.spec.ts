import assert from 'node:assert/strict'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId, PeerInfo } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Dht } from '../../../../src/adapters/libp2p/dht.ts'
import { PublicSwarm, type PublicSwarmComponents } from '../../../../src/adapters/libp2p/public-swarm.ts'
import { rawCid } from '../../../../src/model/content-id.ts'
import { silentLog } from '../../../support/silent-log.ts'
import { settle, VirtualClock } from '../../../support/virtual-clock.ts'

const ROOT = rawCid(new Uint8Array(32))
const drawPeer = async (): Promise<PeerId> => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))

class FakeDht implements Dht {
  peers = 1
  found: PeerInfo[] = []
  ended = false
  stopped = false
  hang = false
  #listener = (): void => {}
  size(): number {
    return this.peers
  }
  onPeer(listener: () => void): () => void {
    this.#listener = listener
    return () => {}
  }
  join(): void {
    this.peers++
    this.#listener()
  }
  async *providers(_cid: unknown, { signal }: { readonly signal?: AbortSignal }): AsyncGenerator<PeerInfo> {
    try {
      yield* this.found
      if (this.hang) await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    } finally {
      this.ended = true
    }
  }
  async addressesOf() {
    return [multiaddr('/ip4/192.0.2.9/tcp/9')]
  }
  async provide(): Promise<number> {
    return 1
  }
  async stop(): Promise<void> {
    this.stopped = true
  }
}

function swarm(dht: Dht, more: Partial<PublicSwarmComponents> = {}) {
  const clock = new VirtualClock()
  const dialled: string[] = []
  const it = new PublicSwarm(
    {
      clock,
      log: silentLog,
      self: 'self',
      isConnected: () => false,
      isAlone: () => false,
      bootstrap: async () => {},
      startDht: async () => dht,
      dial: async (peer, addresses) => {
        dialled.push(`${peer.toString()} ${addresses.join()}`)
      },
      ...more
    },
    { mode: 'lazy' }
  )
  return { it, clock, dialled }
}

describe('public swarm', () => {
  it('dials ten of however many providers it is told of, each once, and ends the search', async () => {
    const dht = new FakeDht()
    const [peer] = [await drawPeer()]
    dht.found = [
      { id: peer, multiaddrs: [] },
      { id: peer, multiaddrs: [] }
    ]
    for (let more = 0; more < 40; more++) dht.found.push({ id: await drawPeer(), multiaddrs: [multiaddr('/ip4/192.0.2.1/tcp/1')] })
    const { it: ours, dialled } = swarm(dht)
    ours.wake()
    await ours.connectProviders(ROOT, {})
    assert.equal(dialled.length, 10)
    assert.equal(new Set(dialled).size, 10)
    assert.equal(dialled[0], `${peer.toString()} /ip4/192.0.2.9/tcp/9`)
    assert.equal(dht.ended, true)
  })

  it('looks at twenty providers at most, also when it dials none of them', async () => {
    const dht = new FakeDht()
    let looked = 0
    for (let more = 0; more < 40; more++) dht.found.push({ id: await drawPeer(), multiaddrs: [] })
    const { it: ours, dialled } = swarm(dht, { isConnected: () => ++looked > 0 })
    ours.wake()
    await ours.connectProviders(ROOT, {})
    assert.deepEqual([dialled.length, looked], [0, 20])
  })

  it('waits for a first DHT peer, and not for ever', async () => {
    const dht = new FakeDht()
    dht.peers = 0
    dht.found = [{ id: await drawPeer(), multiaddrs: [multiaddr('/ip4/192.0.2.1/tcp/1')] }]
    const { it: ours, dialled, clock } = swarm(dht)
    ours.wake()
    const first = ours.connectProviders(ROOT, {})
    await clock.advance(10_001)
    await first
    assert.equal(dialled.length, 0)
    const second = ours.connectProviders(ROOT, {})
    await settle()
    dht.join()
    await second
    assert.equal(dialled.length, 1)
    assert.equal(clock.pending, 0)
  })

  it('is over at once when every bootstrap peer was tried in vain', async () => {
    const dht = new FakeDht()
    dht.peers = 0
    const { it: ours, dialled, clock } = swarm(dht, { isAlone: () => true })
    ours.wake()
    await ours.connectProviders(ROOT, {})
    assert.deepEqual([dialled, clock.pending], [[], 0])
  })

  it('ends a search when its time is used up, its caller leaves, or the host stops', async () => {
    const dht = new FakeDht()
    dht.hang = true
    const { it: ours, clock } = swarm(dht)
    ours.wake()
    const late = ours.connectProviders(ROOT, {})
    await clock.advance(20_001)
    await late
    const caller = new AbortController()
    const left = ours.connectProviders(ROOT, { signal: caller.signal })
    await settle()
    caller.abort(new Error('gone'))
    await left
    const running = ours.connectProviders(ROOT, {})
    await settle()
    await ours.stop()
    await running
    assert.deepEqual([dht.stopped, ours.isRouting, clock.pending], [true, false, 0])
  })

  it('works without a DHT that cannot be loaded', async () => {
    const { it: ours } = swarm(new FakeDht(), {
      startDht: async () => {
        throw new Error('not installed')
      }
    })
    ours.wake()
    await ours.connectProviders(ROOT, {})
    await assert.rejects(ours.provide({ root: ROOT, car: () => assert.fail() }, {}), { name: 'SourceError', outcome: 'fault' })
    await ours.stop()
  })
})
