/** Gossip between main hosts on loopback: validated, bounded, and not lost where many hang on one node. */
import assert from 'node:assert/strict'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import type { GossipMessage } from '../../src/ports/network.ts'
import { addressOf, startTestHost } from './exchange-support.ts'

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
        async message => (message.data[0] === 0 ? 'ignore' : 'accept'),
        message => {
          got.push([host.self, message])
          if (host === c && Buffer.from(end).equals(message.data)) arrived.resolve()
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
    await Promise.all(
      leaves.map(async leaf => {
        await leaf.connect(addressOf(hub))
      })
    )
    await subscribed(hub, leaves)
    const [first] = leaves
    assert.ok(first !== undefined)
    await subscribed(first, [hub])
    await heartbeats(hub, 2)
    await first.publish(TOPIC, new Uint8Array([7]))
    await all.promise
  })
})

interface Topics extends EventTarget {
  getSubscribers(topic: string): unknown[]
  getMeshPeers(topic: string): string[]
}

function topicsOf(host: Host): Topics {
  return (host.libp2p.services as { pubsub: Topics }).pubsub
}

/** Waits until `host` knows that the others listen to the topic. */
async function subscribed(host: Host, others: readonly Host[]): Promise<void> {
  await until(() => topicsOf(host).getSubscribers(TOPIC).map(String), others)
}

/** Waits until `host` passes messages of the topic straight on to the others. */
async function meshed(host: Host, others: readonly Host[]): Promise<void> {
  await until(() => topicsOf(host).getMeshPeers(TOPIC), others)
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

async function until(read: () => readonly string[], others: readonly Host[]): Promise<void> {
  while (!others.every(other => read().includes(other.self)))
    await new Promise(resolve => {
      setImmediate(resolve)
    })
}
