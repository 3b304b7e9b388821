/** The main host: dialling, naming failures, streams, gossip, kept peers. Real hosts on loopback. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { startHost, type Host, type HostInit } from '../../src/adapters/libp2p/host.ts'
import type { PeerStream } from '../../src/ports/network.ts'
import { silentLog } from '../support/silent-log.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { addressOf, LOOPBACK, patterned, startTestHost } from './exchange-support.ts'

describe('main host', () => {
  const hosts: Host[] = []
  afterEach(async () => {
    await Promise.all(
      hosts.splice(0).map(async host => {
        await host.stop()
      })
    )
  })
  const start = async (...init: Parameters<typeof startTestHost>): Promise<Host> => {
    const host = await startTestHost(...init)
    hosts.push(host)
    return host
  }
  const port = (host: Host): string => addressOf(host).split('/')[4] ?? ''

  it('lists its addresses with its own id and connects with or without one', async () => {
    const [a, b, c] = [await start(), await start(), await start()]
    assert.match(addressOf(b), new RegExp(`^/ip4/127\\.0\\.0\\.1/tcp/\\d+/p2p/${b.self}$`))
    assert.equal(await a.connect(addressOf(b)), b.self)
    assert.equal(await c.connect(`/ip4/127.0.0.1/tcp/${port(b)}`), b.self)
    assert.equal(await a.connect(addressOf(b)), b.self)
    assert.equal(a.isConnected(b.self), true)
    const [seen] = a.peers()
    assert.equal(seen?.peer, b.self)
    assert.ok(seen.protocols.includes('/ipfs/ping/1.0.0'))
    assert.deepEqual([seen.relayed, seen.addresses.length], [false, 1])
  })

  it('tells of peers once when they are identified, and when they go', async () => {
    const [a, b] = [await start(), await start()]
    const seen: string[] = []
    const gone = Promise.withResolvers<void>()
    const off = b.on({
      connected: peer => {
        seen.push(`+${peer}`)
      },
      disconnected: peer => {
        seen.push(`-${peer}`)
        gone.resolve()
      }
    })
    const identified = new Promise<void>(resolve => {
      b.on({
        connected: () => {
          resolve()
        }
      })
    })
    await a.connect(addressOf(b))
    await identified
    await a.disconnect(b.self)
    await gone.promise
    assert.deepEqual(seen, [`+${a.self}`, `-${a.self}`])
    assert.equal(b.isConnected(a.self), false)
    off()
    await a.connect(addressOf(b))
    assert.equal(seen.length, 2)
  })

  it('names what went wrong with a dial', async () => {
    const [a, b] = [await start(), await start()]
    const other = (await generateKeyPair('Ed25519')).publicKey
    const { peerIdFromPublicKey } = await import('@libp2p/peer-id')
    const wrong = peerIdFromPublicKey(other).toString()
    await assert.rejects(a.connect(`/ip4/127.0.0.1/tcp/${port(b)}/p2p/${wrong}`), { code: 'UNAVAILABLE', message: /another peer id/ })
    // A port that was free a moment ago may be another test's by now; this one is nobody's.
    await assert.rejects(a.connect('/ip4/127.0.0.1/tcp/1'), { code: 'UNAVAILABLE', message: /refused: nothing listens/ })
    await assert.rejects(a.connect('/ip4/127.0.0.1/udp/9/quic-v1'), { code: 'UNAVAILABLE', message: /not a TCP address/ })
    await assert.rejects(a.connect(addressOf(a)), { code: 'INVALID_PARAMS', message: /own address/ })
    for (const bad of ['', 'nonsense', '/ip4/999.1.1.1/tcp/1', '/ip4/127.0.0.1/tcp/1/p2p/nobody', `/p2p/${wrong}`])
      await assert.rejects(a.connect(bad), { code: 'INVALID_PARAMS' })
  })

  it('gives up on a peer that answers nothing, in time and in words', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await new Promise(resolve => {
      silent.once('listening', resolve)
    })
    const address = silent.address()
    assert.ok(address !== null && typeof address === 'object')
    const clock = new VirtualClock()
    const a = await start({}, clock)
    const arrived = new Promise(resolve => {
      silent.once('connection', resolve)
    })
    const failed = assert.rejects(a.connect(`/ip4/127.0.0.1/tcp/${address.port}`), {
      code: 'UNAVAILABLE',
      message: /did not answer in time/
    })
    await arrived
    await clock.advance(16_000)
    await failed
    const controller = new AbortController()
    const reason = new Error('no longer wanted')
    const cancelled = assert.rejects(a.connect(`/ip4/127.0.0.1/tcp/${address.port}`, { signal: controller.signal }), reason)
    controller.abort(reason)
    await cancelled
    silent.close()
  })

  it('says which address it cannot listen on', async () => {
    const a = await start()
    const listen = [`/ip4/127.0.0.1/tcp/${port(a)}`]
    await assert.rejects(
      startTestHost({ listen }),
      (error: { code?: string; message?: string; data?: { reason?: string } }) =>
        error.code === 'START_FAILED' && error.data?.reason === 'address-in-use' && /already listens/.test(error.message ?? '')
    )
    await assert.rejects(startTestHost({ listen: ['nonsense'] }), { code: 'START_FAILED', message: /not a multiaddr/ })
    await assert.rejects(startTestHost({ listen: ['/ip4/203.0.113.9/tcp/0'] }), { code: 'START_FAILED', message: /no network interface/ })
  })

  it('measures round trips', async () => {
    const [a, b] = [await start(), await start()]
    await assert.rejects(a.ping(b.self), { code: 'UNAVAILABLE' })
    await a.connect(addressOf(b))
    const before = systemClock.monotonic()
    const ms = await a.ping(b.self)
    assert.ok(ms > 0 && ms <= systemClock.monotonic() - before, `${ms} ms`)
  })

  it('counts what comes from a peer, whatever it belongs to', async () => {
    const [a, b] = [await start(), await start()]
    assert.equal(a.received?.(b.self), 0)
    await a.connect(addressOf(b))
    const before = a.received?.(b.self) ?? 0
    await a.ping(b.self)
    assert.equal((a.received?.(b.self) ?? 0) - before >= 32, true, 'a ping echoes 32 bytes')
  })

  it('bears any number of pings, at once and one after another, and keeps the connection', async () => {
    const [a, b] = [await start(), await start()]
    await a.connect(addressOf(b))
    await Promise.all(Array.from({ length: 100 }, async () => await a.ping(b.self)))
    for (let round = 0; round < 50; round++) await a.ping(b.self)
    const [connection] = a.libp2p.getConnections()
    // The monitor's ping is a stream of its own beside an operator's.
    const monitor = await connection?.newStream('/ipfs/ping/1.0.0')
    await a.ping(b.self)
    assert.deepEqual([monitor?.status, connection?.status, a.isConnected(b.self)], ['open', 'open', true])
  })

  it('carries large writes both ways with back-pressure', async () => {
    const [a, b] = [await start(), await start()]
    const go = Promise.withResolvers<void>()
    await b.handle('/test/1', async stream => {
      await go.promise
      for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) await stream.write([chunk])
      await stream.close()
    })
    await a.connect(addressOf(b))
    const stream = await a.open(b.self, '/test/1')
    const bytes = patterned(24 * 1024 * 1024)
    let done = 0
    const writing = (async () => {
      for (let at = 0; at < bytes.byteLength; at += 1024 * 1024) {
        await stream.write([bytes.subarray(at, at + 1024 * 1024 - 100), bytes.subarray(at + 1024 * 1024 - 100, at + 1024 * 1024)])
        done++
      }
      await stream.close()
    })()
    for (let quiet = 0, last = -1; quiet < 100; quiet++) {
      if (done !== last) quiet = 0
      last = done
      await new Promise(resolve => {
        setImmediate(resolve)
      })
    }
    assert.ok(done < 12, `${done} MiB were taken though nobody reads`)
    go.resolve()
    const parts: Uint8Array[] = []
    for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) parts.push(chunk)
    await writing
    assert.ok(Buffer.from(bytes).equals(Buffer.concat(parts)))
  })

  it('rejects reads and writes when the other side resets, and reads that are cancelled lose nothing', async () => {
    const [a, b] = [await start(), await start()]
    const held = Promise.withResolvers<PeerStream>()
    await b.handle('/test/1', async stream => {
      held.resolve(stream)
      await stream.read().catch(() => null)
    })
    await a.connect(addressOf(b))
    const stream = await a.open(b.self, '/test/1')
    const controller = new AbortController()
    const cancelled = stream.read({ signal: controller.signal })
    controller.abort(new Error('not now'))
    await assert.rejects(cancelled, { message: 'not now' })
    const far = await held.promise
    await far.write([new Uint8Array([1, 2, 3])])
    assert.deepEqual(await stream.read(), new Uint8Array([1, 2, 3]))
    far.abort(new Error('enough'))
    await assert.rejects(stream.read(), { name: 'StreamBrokenError' })
    await assert.rejects(stream.write([new Uint8Array(1)]), { name: 'StreamBrokenError' })
    await assert.rejects(a.open(b.self, '/nobody/1'), { code: 'UNAVAILABLE' })
  })

  it('keeps configured peers connected, with growing pauses while they are away', async () => {
    const b = await start()
    const clock = new VirtualClock()
    const init: HostInit = { ...LOOPBACK, listen: [], peering: [addressOf(b)] }
    const met: (() => void)[] = []
    b.on({
      connected: () => {
        met.shift()?.()
      }
    })
    const meeting = (): Promise<void> =>
      new Promise(resolve => {
        met.push(resolve)
      })
    const first = meeting()
    const a = await startHost({ log: silentLog, clock, privateKey: await generateKeyPair('Ed25519') }, init)
    hosts.push(a)
    await first
    const gone = new Promise<void>(resolve => {
      a.on({
        disconnected: () => {
          resolve()
        }
      })
    })
    const again = meeting()
    while (!a.isConnected(b.self))
      await new Promise(resolve => {
        setImmediate(resolve)
      })
    // Each side gets to know the other in its own time, and tells of nobody it did not know.
    await a.identified(b.self)
    await b.disconnect(a.self)
    await gone
    await clock.advance(1_100)
    await again
  })

  it('dials bootstrap addresses only while nobody is connected', async () => {
    const [b, c] = [await start(), await start()]
    const met = new Promise<void>(resolve => {
      b.on({
        connected: () => {
          resolve()
        }
      })
    })
    const a = await start({ listen: [], bootstrap: [addressOf(b)] }, systemClock)
    await met
    assert.equal(c.peers().length, 0)
    await a.stop()
  })
})
