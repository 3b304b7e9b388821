/** Relays among one's own people: who cannot be dialled is reached through a peer that both trust. */
import assert from 'node:assert/strict'
import { RELAY_V2_STOP_CODEC } from '@libp2p/circuit-relay-v2'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import { ExchangeServer } from '../../src/exchange/server.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { Friends } from '../support/friends.ts'
import { silentLog } from '../support/silent-log.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { until } from '../support/until.ts'
import { clientOf, Collector, dagRequest, MemoryContent, patterned, startTestHost } from './exchange-support.ts'

const MIB = 1_048_576

interface Inside {
  readonly transportManager: { listen(addresses: readonly Multiaddr[]): Promise<void> }
}

function insideOf(host: Host): Inside {
  return (host.libp2p.services as { inside: { components: Inside } }).inside.components
}

describe('relays among own people', () => {
  const hosts: Host[] = []
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map(async host => await host.stop()))
  })
  const start = async (...init: Parameters<typeof startTestHost>): Promise<{ host: Host; friends: Friends }> => {
    const host = await startTestHost(...init)
    hosts.push(host)
    const friends = new Friends()
    host.follow(friends)
    return { host, friends }
  }
  /** Its day does not end while bytes are counted, nor its minutes while strangers are. */
  const relay = async (maxBytesPerDay = 0) => await start({ relay: { serve: true, maxBytesPerDay } }, new VirtualClock())
  const hidden = async () => await start({ listen: [], relay: { use: true } })
  const direct = (host: Host): string => host.addresses().find(address => !address.includes('p2p-circuit')) ?? ''
  const circuit = (host: Host): string => host.addresses().find(address => address.includes('p2p-circuit')) ?? ''

  it('carry 20 MiB between two peers that nobody can dial', async () => {
    const [r, a, b] = [await relay(), await hidden(), await hidden()]
    r.friends.trust(a.host, b.host)
    for (const each of [a, b]) each.friends.trust(r.host)
    await Promise.all([a.host.connect(direct(r.host)), b.host.connect(direct(r.host))])
    await until(() => circuit(a.host) !== '' && a.host.relaying().relays.length > 0)
    assert.deepEqual(a.host.relaying().relays, [r.host.self])
    assert.equal(await b.host.connect(circuit(a.host)), a.host.self)
    assert.equal(b.host.peers().find(({ peer }) => peer === a.host.self)?.relayed, true)
    assert.equal(b.host.peers().find(({ peer }) => peer === r.host.self)?.relayed, false)
    const content = new MemoryContent()
    const bytes = patterned(20 * MIB)
    const root = await content.addFile(bytes)
    const server = new ExchangeServer({ network: a.host, policy: content, clock: systemClock, log: silentLog })
    await server.start()
    const got = new Collector()
    assert.equal(await clientOf(b.host).dag(a.host.self, dagRequest({ cid: root }), got, { signal: AbortSignal.timeout(60_000) }), 'ok')
    assert.ok(Buffer.from(bytes).equals(got.content))
    assert.ok(r.host.relaying().bytesToday > 20 * MIB)
    server.stop()
  })
  it('are asked for a place by who is behind a router, and not by who is on the same network', async () => {
    const both = { relay: { use: true, serve: true } }
    const [r, near, far] = [await start(both), await start(both), await start({ ...both, listen: ['/ip4/127.0.0.3/tcp/0'] })]
    r.friends.trust(near.host, far.host)
    for (const each of [near, far]) each.friends.trust(r.host)
    await near.host.connect(direct(r.host))
    // The relay sees it at 127.0.0.1, where it does not listen.
    await far.host.connect(direct(r.host))
    await until(() => circuit(far.host) !== '')
    assert.deepEqual(r.host.relaying().reservations, [far.host.self])
    assert.deepEqual([circuit(near.host), circuit(r.host)], ['', ''])
  })

  it('end for the day when its bytes are used up, and say so', async () => {
    const [r, a, b] = [await relay(3 * MIB), await hidden(), await hidden()]
    r.friends.trust(a.host, b.host)
    for (const each of [a, b]) each.friends.trust(r.host)
    await Promise.all([a.host.connect(direct(r.host)), b.host.connect(direct(r.host))])
    await until(() => circuit(a.host) !== '')
    const address = circuit(a.host)
    await b.host.connect(address)
    await a.host.handle('/test/sink/1', async stream => {
      while ((await stream.read()) !== null);
    })
    const gone = new Promise<void>(resolve => {
      b.host.on({ disconnected: peer => peer === a.host.self && resolve() })
    })
    const stream = await b.host.open(a.host.self, '/test/sink/1')
    await assert.rejects(async () => {
      for (let sent = 0; sent < 8; sent++) await stream.write([patterned(MIB)])
    })
    await gone
    assert.ok(r.host.relaying().bytesToday >= 3 * MIB)
    await assert.rejects(b.host.connect(address), /the relay refuses.*maxBytesPerDay/)
  })

  it('give a stranger no place, and take no connection from one that relays', async () => {
    const [r, stranger] = [await relay(), await hidden()]
    stranger.friends.trust(r.host)
    await stranger.host.connect(direct(r.host))
    await assert.rejects(
      insideOf(stranger.host).transportManager.listen([multiaddr(`/p2p/${r.host.self}/p2p-circuit`)]),
      /PERMISSION_DENIED/
    )
    assert.deepEqual([circuit(stranger.host), stranger.host.relaying().relays, r.host.relaying().reservations], ['', [], []])
    // And the other way round: a relay that is a stranger to this node opens a stream as if it had a place there.
    const shy = await start({ relay: { use: true } })
    await r.host.connect(direct(shy.host))
    const stop = await r.host.open(shy.host.self, RELAY_V2_STOP_CODEC)
    await assert.rejects(stop.read(), /reset/)
    assert.equal(circuit(shy.host), '')
  })

  it('let a stranger knock at who has a place, with little', async () => {
    const [r, a, stranger] = [await relay(), await hidden(), await start({ listen: [] })]
    r.friends.trust(a.host)
    a.friends.trust(r.host)
    await a.host.connect(direct(r.host))
    await until(() => circuit(a.host) !== '')
    await a.host.handle('/test/sink/1', async stream => {
      while ((await stream.read()) !== null);
    })
    assert.equal(await stranger.host.connect(circuit(a.host)), a.host.self)
    const stream = await stranger.host.open(a.host.self, '/test/sink/1')
    await stream.write([patterned(MIB / 4)])
    await assert.rejects(async () => {
      for (let sent = 0; sent < 4; sent++) await stream.write([patterned(MIB)])
    })
    for (let more = 0; more < 3; more++) {
      await stranger.host.disconnect(a.host.self)
      await stranger.host.connect(circuit(a.host))
    }
    await stranger.host.disconnect(a.host.self)
    await assert.rejects(stranger.host.connect(circuit(a.host)), /the relay refuses/)
  })

  it('take the place back from who is trusted no longer, and give it again', async () => {
    const [r, a] = [await relay(), await hidden()]
    a.friends.trust(r.host)
    r.friends.trust(a.host)
    await a.host.connect(direct(r.host))
    await until(() => circuit(a.host) !== '' && r.host.relaying().reservations.length === 1)
    r.friends.distrust(a.host)
    assert.deepEqual(r.host.relaying().reservations, [])
    r.friends.trust(a.host)
    await a.host.disconnect(r.host.self)
    await until(() => !a.host.isConnected(r.host.self) && circuit(a.host) === '')
    await a.host.connect(direct(r.host))
    await until(() => circuit(a.host) !== '')
    assert.deepEqual(r.host.relaying().reservations, [a.host.self])
  })
})
