/** Gossip between main hosts on loopback: validated, bounded, and not lost where many hang on one node. */
import assert from 'node:assert/strict'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { concat } from 'uint8arrays'
import { startHost, type Host } from '../../src/adapters/libp2p/host.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import type { GossipMessage } from '../../src/ports/network.ts'
import { silentLog } from '../support/silent-log.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { addressOf, LOOPBACK, startTestHost } from './exchange-support.ts'
import { message, prefixed, speak, subscription } from './raw-gossip.ts'

const TOPIC = 'kith/updates/1'

describe('gossip of the main host', () => {
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

  it('delivers gossip that the validator accepts, and nothing else', async () => {
    const [a, b, c] = [await start(), await start(), await start()]
    const got: [string, GossipMessage][] = []
    const arrived = Promise.withResolvers<void>()
    const end = new TextEncoder().encode('end')
    for (const host of [a, b, c]) {
      host.subscribe(
        TOPIC,
        async ({ data }) => (data[0] === 0 ? 'ignore' : 'accept'),
        heard => {
          got.push([host.self, heard])
          if (host === c && Buffer.from(end).equals(heard.data)) arrived.resolve()
        }
      )
    }
    await a.connect(addressOf(b))
    await b.connect(addressOf(c))
    await meshed(b, [a, c])
    await meshed(a, [b])
    await a.publish(TOPIC, new Uint8Array([0, 1]))
    await a.publish(TOPIC, end)
    await arrived.promise
    assert.ok(got.every(([, { data, from }]) => Buffer.from(end).equals(data) && from === a.self))
    assert.deepEqual(got.map(([to]) => to).toSorted(), [b.self, c.self].toSorted())
    assert.equal(got.find(([to]) => to === c.self)?.[1].via, b.self)
    await assert.rejects(a.publish(TOPIC, new Uint8Array(300 * 1024)), { code: 'TOO_LARGE' })
    await assert.rejects(a.publish('other/topic', end), { code: 'INTERNAL' })
  })

  it('delivers gossip in a star of 31 nodes on one address', async () => {
    const hub = await start()
    const leaves = await Promise.all(Array.from({ length: 30 }, async () => await start({ listen: [] })))
    let count = 0
    const all = Promise.withResolvers<void>()
    for (const host of [hub, ...leaves])
      host.subscribe(
        TOPIC,
        async () => 'accept',
        () => {
          if (++count === 30) all.resolve()
        }
      )
    // One after another: a handshake has ten seconds, and all of them share this process.
    for (const leaf of leaves) await leaf.connect(addressOf(hub))
    await subscribed(hub, leaves)
    const [first] = leaves
    assert.ok(first !== undefined)
    await subscribed(first, [hub])
    await heartbeats(hub, 2)
    await first.publish(TOPIC, new Uint8Array([7]))
    await all.promise
  })

  it('drops messages to a peer that does not take them, and the peer hears the next ones when it takes again', async () => {
    const [a, b] = [await start(), await start()]
    const end = new TextEncoder().encode('end')
    const arrived = Promise.withResolvers<void>()
    const sizes: number[] = []
    for (const host of [a, b])
      host.subscribe(
        TOPIC,
        async () => 'accept',
        ({ data }) => {
          sizes.push(data.byteLength)
          if (data.byteLength === end.byteLength) arrived.resolve()
        }
      )
    await a.connect(addressOf(b))
    await meshed(a, [b])
    const stream = outboundTo(a, b)
    const reader = topicsOf(b).streamsInbound.get(a.self)?.rawStream
    assert.ok(stream !== undefined && reader !== undefined)
    reader.pause()
    const large = new Uint8Array(200 * 1024)
    for (let number = 0; number < 80; number++) {
      new DataView(large.buffer).setUint32(0, number)
      await a.publish(TOPIC, large.slice())
    }
    assert.ok(stream.writeBufferLength > 2 * 1024 * 1024, `${stream.writeBufferLength} wait`)
    assert.equal(stream.status, 'open')
    reader.resume()
    await a.publish(TOPIC, end)
    await arrived.promise
    assert.equal(outboundTo(a, b), stream, 'it is the same stream')
    assert.ok(sizes.length > 1 && sizes.length < 81, `${sizes.length} of 81 arrived`)
  })

  it('opens a stream again that ended while the connection lasts', async () => {
    const [a, b] = [await start(), await start()]
    const heard = Promise.withResolvers<void>()
    const back = Promise.withResolvers<void>()
    a.subscribe(
      TOPIC,
      async () => 'accept',
      () => {
        back.resolve()
      }
    )
    b.subscribe(
      TOPIC,
      async () => 'accept',
      () => {
        heard.resolve()
      }
    )
    await a.connect(addressOf(b))
    await meshed(a, [b])
    const stream = outboundTo(a, b)
    assert.ok(stream !== undefined)
    stream.abort(new Error('the link was bad'))
    assert.equal(outboundTo(a, b), undefined)
    await condition(() => outboundTo(a, b) !== undefined)
    await subscribed(a, [b])
    await subscribed(b, [a])
    assert.ok(a.isConnected(b.self))
    await condition(() => outboundTo(b, a) !== undefined)
    await a.publish(TOPIC, new Uint8Array([1]))
    await heard.promise
    await b.publish(TOPIC, new Uint8Array([2]))
    await back.promise
  })

  it('tells on who floods it with its own messages, and not on who passes on those of others', async () => {
    // What a source may send grows with time: on a slow machine the flood would be none.
    const host = await start({}, new VirtualClock())
    const reported = Promise.withResolvers<string[]>()
    const reports: string[] = []
    const report = (peer: string, offence: string): void => {
      reports.push(`${offence} ${peer}`)
      reported.resolve(reports)
    }
    host.follow({ isShunned: () => false, isTrusted: () => false, trustOf: () => 0, report, onChange: () => () => {} })
    const [own, other] = await Promise.all([generateKeyPair('Ed25519'), generateKeyPair('Ed25519')])
    const relay = await startHost({ log: silentLog, clock: systemClock, privateKey: own }, LOOPBACK)
    hosts.push(relay)
    await relay.connect(addressOf(host))
    const many = async (signer: typeof own): Promise<Uint8Array> => {
      const one = await message(signer, { topic: TOPIC, data: new Uint8Array(100) })
      return concat(Array.from({ length: 64 }, () => one))
    }
    const passedOn = await many(other)
    const stream = await speak(relay, host.self, [...Array.from({ length: 80 }, () => passedOn), subscription('kith/pins/1')])
    await condition(() => topicsOf(host).getSubscribers('kith/pins/1').map(String).includes(relay.self))
    assert.deepEqual(reports, [])
    await stream.write([prefixed(await many(own))])
    assert.deepEqual(await reported.promise, [`flood ${relay.self}`])
  })
})

interface Raw {
  readonly status: string
  readonly writeBufferLength: number
  pause(): void
  resume(): void
  abort(reason: Error): void
}

function outboundTo(host: Host, peer: Host): Raw | undefined {
  return topicsOf(host).streamsOutbound.get(peer.self)?.rawStream
}

async function condition(holds: () => boolean): Promise<void> {
  while (!holds())
    await new Promise(resolve => {
      setImmediate(resolve)
    })
}

interface Topics extends EventTarget {
  getSubscribers(topic: string): unknown[]
  getMeshPeers(topic: string): string[]
  readonly streamsOutbound: ReadonlyMap<string, { readonly rawStream: Raw }>
  readonly streamsInbound: ReadonlyMap<string, { readonly rawStream: Raw }>
}

function topicsOf(host: Host): Topics {
  return (host.libp2p.services as { pubsub: Topics }).pubsub
}

/** Waits until `host` knows that the others listen to the topic. */
async function subscribed(host: Host, others: readonly Host[]): Promise<void> {
  await reached(host, others, () => topicsOf(host).getSubscribers(TOPIC).map(String))
}

/** Waits until `host` passes messages of the topic straight on to the others. */
async function meshed(host: Host, others: readonly Host[]): Promise<void> {
  await reached(host, others, () => topicsOf(host).getMeshPeers(TOPIC))
}

/** Until the grafting and pruning that follows many arrivals is over. */
async function heartbeats(host: Host, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await new Promise<void>(resolve => {
      topicsOf(host).addEventListener(
        'gossipsub:heartbeat',
        () => {
          resolve()
        },
        { once: true }
      )
    })
}

/** And until there is a stream to each of them: both sides open one, and neither waits for the other's. */
async function reached(host: Host, others: readonly Host[], read: () => readonly string[]): Promise<void> {
  await condition(() => others.every(other => read().includes(other.self) && outboundTo(host, other) !== undefined))
}
