/** The exchange when askers cancel, vanish, crowd or stand still. */
import assert from 'node:assert/strict'
import { EXCHANGE_PROTOCOL } from '../../src/exchange/protocol.ts'
import { ExchangeServer } from '../../src/exchange/server.ts'
import { MIB } from '../../src/model/units.ts'
import { silentLog } from '../support/silent-log.ts'
import {
  addressOf,
  clientOf,
  Collector,
  dagRequest,
  MemoryContent,
  patterned,
  startExchange,
  startTestHost,
  stuck,
  type Exchange
} from './exchange-support.ts'

describe('exchange under strain', () => {
  let signal: AbortSignal
  beforeEach(() => {
    signal = AbortSignal.timeout(50_000)
  })
  let exchange: Exchange
  const open: (() => Promise<void>)[] = []
  const cleanup = (stop: () => Promise<void>): void => {
    open.push(stop)
  }
  afterEach(async () => {
    await Promise.all(
      open.splice(0).map(async stop => {
        await stop()
      })
    )
  })

  async function start(...init: Parameters<typeof startExchange>): Promise<string> {
    exchange = await startExchange(...init)
    const own = exchange
    cleanup(async () => {
      await own.stop()
    })
    return exchange.server.self
  }

  it('refuses what is too much at once as busy, and serves again afterwards', async () => {
    const peer = await start({ answersMax: 1 })
    const cid = await exchange.content.addFile(patterned(10))
    const held = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    exchange.content.gate = async () => {
      asked.resolve()
      await held.promise
    }
    const first = exchange.ask.dag(peer, dagRequest({ cid }), new Collector(), { signal })
    await asked.promise
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), new Collector(), { signal }), 'refused')
    await assert.rejects(exchange.ask.have(peer, [cid.multihash.bytes], { signal }), { name: 'SourceError', outcome: 'refused' })
    held.resolve()
    assert.equal(await first, 'ok')
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), new Collector(), { signal }), 'ok')
  })

  it('stops reading when the asker cancels in the middle, and serves it again', async () => {
    const peer = await start()
    const cid = await exchange.content.addFile(patterned(64 * MIB))
    const controller = new AbortController()
    const sink = new Collector()
    const reason = new Error('enough')
    const cancelling = Object.assign(sink, {
      leaf: (index: number) => {
        if (index === 3) controller.abort(reason)
      }
    })
    await assert.rejects(exchange.ask.dag(peer, dagRequest({ cid }), cancelling, { signal: controller.signal }), reason)
    assert.ok(exchange.content.reads < 40, `${exchange.content.reads} blocks were read`)
    const again = new Collector()
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid, leaves: [[4, 1]] }), again, { signal }), 'ok')
    assert.deepEqual(again.leafIndexes, [4])
  })

  it('aborts a read that is under way when the asker vanishes', async () => {
    const peer = await start()
    const cid = await exchange.content.addFile(patterned(10))
    const asked = Promise.withResolvers<void>()
    const stopped = Promise.withResolvers<void>()
    exchange.content.gate = async ({ signal: given }) => {
      asked.resolve()
      await new Promise((_resolve, reject) => {
        given?.addEventListener('abort', () => {
          stopped.resolve()
          reject(given.reason)
        })
      })
    }
    const failed = assert.rejects(exchange.ask.dag(peer, dagRequest({ cid }), new Collector(), { signal }), {
      name: 'SourceError',
      outcome: 'fault'
    })
    await asked.promise
    await exchange.client.disconnect(peer)
    await stopped.promise
    await failed
  })

  it('slows the sender down to the pace of the sink', async () => {
    const peer = await start()
    const cid = await exchange.content.addFile(patterned(48 * MIB))
    const held = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    const sink = Object.assign(new Collector(), {
      leaf: async (index: number) => {
        if (index !== 2) return
        reached.resolve()
        await held.promise
      }
    })
    const asking = exchange.ask.dag(peer, dagRequest({ cid }), sink, { signal })
    await reached.promise
    const read = await stuck(exchange.server, () => exchange.content.reads)
    assert.ok(read < 30, `${read} blocks were read while the sink stood still`)
    held.resolve()
    assert.equal(await asking, 'ok')
  })

  it('passes on what a sink throws and gives the stream up', async () => {
    const peer = await start()
    const cid = await exchange.content.addFile(patterned(3 * MIB))
    const failing = Object.assign(new Collector(), {
      leaf: () => {
        throw new Error('disk full')
      }
    })
    await assert.rejects(exchange.ask.dag(peer, dagRequest({ cid }), failing, { signal }), { message: 'disk full' })
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), new Collector(), { signal }), 'ok')
  })

  it('replaces a kept stream that died, once and unseen', async () => {
    const peer = await start()
    const cid = await exchange.content.addFile(patterned(10))
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), new Collector(), { signal }), 'ok')
    for (const connection of exchange.server.libp2p.getConnections()) {
      for (const stream of connection.streams) if (stream.protocol === EXCHANGE_PROTOCOL) stream.abort(new Error('gone'))
    }
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), new Collector(), { signal }), 'ok')
  })

  it('says fault when nobody speaks it, the peer is not connected, or the server stops', async () => {
    const peer = await start()
    const other = await startTestHost()
    cleanup(async () => {
      await other.stop()
    })
    const cid = await exchange.content.addFile(patterned(10))
    await assert.rejects(clientOf(other).dag(peer, dagRequest({ cid }), new Collector(), { signal }), {
      name: 'SourceError',
      outcome: 'fault'
    })
    await exchange.server.connect(addressOf(other))
    await assert.rejects(clientOf(exchange.server).dag(other.self, dagRequest({ cid }), new Collector(), { signal }), {
      name: 'SourceError',
      outcome: 'fault'
    })
    exchange.service.stop()
    await assert.rejects(exchange.ask.dag(peer, dagRequest({ cid }), new Collector(), { signal }), {
      name: 'SourceError',
      outcome: 'fault'
    })
  })

  it('answers what a policy hides as if it did not exist', async () => {
    const host = await startTestHost()
    cleanup(async () => {
      await host.stop()
    })
    const content = new MemoryContent()
    const hidden = new MemoryContent()
    const cid = await hidden.addFile(patterned(10))
    const asker = await startTestHost()
    cleanup(async () => {
      await asker.stop()
    })
    const friend = '12D3KooWFriend'
    const server = new ExchangeServer({
      network: host,
      clock: { now: () => 0, monotonic: () => 0, after: () => () => {} },
      log: silentLog,
      policy: { viewFor: who => (who === friend ? hidden : content), advert: () => null }
    })
    await server.start()
    await asker.connect(addressOf(host))
    const ask = clientOf(asker)
    assert.equal(await ask.dag(host.self, dagRequest({ cid }), new Collector(), { signal }), 'not-found')
    assert.deepEqual(await ask.have(host.self, [cid.multihash.bytes], { signal }), [{ have: false }])
    assert.equal(hidden.reads, 0)
  })
})
