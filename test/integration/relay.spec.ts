/** Relays among one's own people: who cannot be dialled is reached through a peer that both trust. */
import assert from 'node:assert/strict'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import type { HostStanding } from '../../src/adapters/libp2p/judgement.ts'
import { multiaddr } from '@multiformats/multiaddr'
import { EXCHANGE_PROTOCOL } from '../../src/exchange/protocol.ts'
import { ExchangeServer } from '../../src/exchange/server.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { silentLog } from '../support/silent-log.ts'
import { clientOf, Collector, dagRequest, MemoryContent, patterned, startTestHost } from './exchange-support.ts'

const MIB = 1_048_576

/** Trusts whom it is told to; the rest are strangers. */
class Friends implements HostStanding {
  readonly #trusted = new Set<string>()
  readonly #listeners = new Set<(peer: string) => void>()
  readonly reports: string[] = []
  trust(...hosts: readonly Host[]): void {
    for (const { self } of hosts) {
      this.#trusted.add(self)
      for (const listener of this.#listeners) listener(self)
    }
  }
  trustOf(peer: string): number {
    return this.isTrusted(peer) ? 8 : 0
  }
  isTrusted(peer: string): boolean {
    return this.#trusted.has(peer)
  }
  isShunned(): boolean {
    return false
  }
  trustedPeers(): readonly string[] {
    return [...this.#trusted]
  }
  report(_peer: string, offence: string): void {
    this.reports.push(offence)
  }
  onChange(listener: (peer: string) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}

async function until(fits: () => boolean): Promise<void> {
  while (!fits())
    await new Promise(resolve => {
      setImmediate(resolve)
    })
}

describe('relays among own people', () => {
  const hosts: Host[] = []
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map(async host => await host.stop()))
  })
  const start = async (init: Parameters<typeof startTestHost>[0] = {}): Promise<{ host: Host; friends: Friends }> => {
    const host = await startTestHost(init)
    hosts.push(host)
    const friends = new Friends()
    host.follow(friends)
    return { host, friends }
  }
  const relay = async (maxBytesPerDay = 0) => await start({ relay: { serve: true, maxBytesPerDay } })
  const hidden = async () => await start({ listen: [], relay: { use: true } })
  const direct = (host: Host): string => host.addresses().find(address => !address.includes('p2p-circuit')) ?? ''
  const circuit = (host: Host): string => host.addresses().find(address => address.includes('p2p-circuit')) ?? ''

  it('carry 20 MiB between two peers that nobody can dial', async () => {
    const [r, a, b] = [await relay(), await hidden(), await hidden()]
    r.friends.trust(a.host, b.host)
    for (const each of [a, b]) each.friends.trust(r.host)
    await Promise.all([a.host.connect(direct(r.host)), b.host.connect(direct(r.host))])
    await until(() => circuit(a.host) !== '')
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
    const from = performance.now()
    assert.equal(await clientOf(b.host).dag(a.host.self, dagRequest({ cid: root }), got, { signal: AbortSignal.timeout(60_000) }), 'ok')
    console.log('20 MiB through a relay', performance.now() - from, EXCHANGE_PROTOCOL)
    assert.ok(Buffer.from(bytes).equals(got.content))
    assert.ok(r.host.relaying().bytesToday > 20 * MIB)
    server.stop()
  })
})
