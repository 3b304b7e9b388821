/** Fetching for others and capabilities, over real connections: what is counted at either end. */
import assert from 'node:assert/strict'
import { memoryState } from '../../src/adapters/memory/memory-state.ts'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import { systemClock as clock } from '../../src/adapters/system/clock.ts'
import type { Library } from '../../src/content/library.ts'
import { servingPolicy } from '../../src/content/serving-policy.ts'
import { ProxyQuota } from '../../src/exchange/proxy-quota.ts'
import { Proxy } from '../../src/exchange/proxy.ts'
import { ExchangeServer } from '../../src/exchange/server.ts'
import { MIB } from '../../src/model/units.ts'
import { fileDag, memoryLibrary } from '../support/dag-builder.ts'
import { FakeIpfs } from '../support/fake-ipfs.ts'
import { FakeStanding } from '../support/fake-standing.ts'
import { silentLog } from '../support/silent-log.ts'
import { addressOf, clientOf, Collector, dagRequest, patterned, startTestHost, stuck } from './exchange-support.ts'

describe('an exchange server with an IPFS of its own', function () {
  this.timeout(60_000)
  let server: Host
  let asker: Host
  let service: ExchangeServer
  let library: Library
  let ipfs: FakeIpfs
  let standing: FakeStanding
  let capabilities: (peer: string) => Promise<Uint8Array>
  const served = new Map<string, number>()
  let signal: AbortSignal
  beforeEach(() => {
    signal = AbortSignal.timeout(50_000)
  })

  before(async () => {
    ;[server, asker] = await Promise.all([startTestHost(), startTestHost()])
    library = memoryLibrary()
    ipfs = new FakeIpfs()
    standing = new FakeStanding()
    capabilities = async peer => Buffer.from(`for ${peer}`)
    const quota = new ProxyQuota({ clock, state: memoryState() })
    const proxy = new Proxy(
      { clock, log: silentLog, standing, quota, cache: library.realms.cache.blocks, askedAs: async root => await library.askedAs(root) },
      { serveMinTrust: 5, maxBytes: 100 * MIB, quotaBytesPerDay: 1024 * MIB, maxConcurrent: 4 }
    )
    proxy.useIpfs(ipfs)
    const told = async (peer: string): Promise<Uint8Array> => await capabilities(peer)
    const policy = servingPolicy({ library, standing, advert: () => null, capabilities: told }, { serveFetched: 'trusted' })
    const estimates = {
      served: (peer: string, bytes: number): void => {
        served.set(peer, (served.get(peer) ?? 0) + bytes)
      }
    }
    service = new ExchangeServer({ network: server, policy, standing, estimates, proxy, clock, log: silentLog })
    await service.start()
    await asker.connect(addressOf(server))
    standing.set(asker.self, 5)
  })
  after(async () => {
    service.stop()
    await Promise.all([asker.stop(), server.stop()])
  })

  it('fetches at most 1.2 times what an asker takes before it leaves', async () => {
    const dag = await fileDag(patterned(64 * MIB))
    ipfs.add(dag)
    const leaving = new AbortController()
    let taken = 0
    const sink = {
      head: () => {},
      node: (_index: number, bytes: Uint8Array) => {
        taken += bytes.byteLength
      },
      leaf: async (_index: number, bytes: Uint8Array) => {
        taken += bytes.byteLength
        if (taken <= 40 * MIB) return
        // The most that can be on its way, however fast either side is.
        await stuck(server, () => ipfs.bytes)
        leaving.abort(new Error('enough'))
      }
    }
    const closed = ipfs.closed
    await assert.rejects(
      clientOf(asker).dag(server.self, dagRequest({ cid: dag.root, hops: 1, requestId: new Uint8Array(16).fill(1) }), sink, leaving),
      /enough/
    )
    while (ipfs.closed === closed) await new Promise(resolve => setImmediate(resolve))
    const ratio = ipfs.bytes / taken
    assert.ok(ratio <= 1.2, `${ratio.toFixed(3)} times what was taken was fetched`)
  })

  it('counts what it served, by peer', async () => {
    const dag = await fileDag(patterned(2 * MIB))
    ipfs.add(dag)
    const before = served.get(asker.self) ?? 0
    const sink = new Collector()
    const request = dagRequest({ cid: dag.root, hops: 1, requestId: new Uint8Array(16).fill(2) })
    assert.equal(await clientOf(asker).dag(server.self, request, sink, { signal }), 'ok')
    assert.ok(Buffer.from(patterned(2 * MIB)).equals(sink.content))
    const bytes = (served.get(asker.self) ?? 0) - before
    assert.ok(bytes >= 2 * MIB && bytes < 2.1 * MIB, `${bytes}`)
  })

  it('says what it can do to each who asks, and nothing to who is shunned', async () => {
    const ask = clientOf(asker)
    assert.equal(Buffer.from(await ask.capabilities(server.self, { signal })).toString(), `for ${asker.self}`)
    const shunned = await startTestHost()
    try {
      await shunned.connect(addressOf(server))
      standing.shun(shunned.self)
      await assert.rejects(clientOf(shunned).capabilities(server.self, { signal }), { name: 'SourceError', outcome: 'not-found' })
    } finally {
      await shunned.stop()
    }
  })
})
