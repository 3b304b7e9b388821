/**
 * What gossip costs a node that has 500 peers and nothing to do. Real hosts in this process exchange real heads of
 * adverts at the rate at which 500 peers beat; the bytes of one of them are counted on its connections, in networks of
 * two sizes. What grows with the number of peers and what does not follows from the two.
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { setTimeout as delay } from 'node:timers/promises'
import { startHost, type Host } from '../../src/adapters/libp2p/host.ts'
import { systemClock as clock } from '../../src/adapters/system/clock.ts'
import { systemRandom as random } from '../../src/adapters/system/random.ts'
import { ADVERTS_TOPIC } from '../../src/adverts/limits.ts'
import { AdvertPublisher } from '../../src/adverts/publisher.ts'
import { KIB, type Bytes } from '../../src/model/units.ts'
import { didFromPublicKey, peerIdFromPublicKey } from '../../src/peers/did-key.ts'
import type { Log } from '../../src/ports/log.ts'
import { LinkProxy } from '../lib/link-proxy.ts'
import { absoluteLine, type BenchSettings, type Line } from './measure.ts'

const PEERS = 500
const TARGET_KIB_PER_SECOND = 20
/** `adverts.heartbeat` is 5 min, up to a fifth less by chance. Seconds. */
const HEARTBEAT_SECONDS = 270
/** Two networks, both larger than the mesh of gossipsub. */
const SIZES = [14, 20] as const
/** Meshes are formed and subscriptions known by then. Milliseconds. */
const SETTLE_MS = 5_000
const nothing = (): void => {}
const SILENT: Log = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => SILENT }

interface Traffic {
  /** Bytes a second, both directions together. */
  readonly quiet: number
  readonly beating: number
}

export async function gossip({ quick, say }: BenchSettings): Promise<Line[]> {
  const seconds = quick ? 3 : 20
  const head = await headOfAdvert()
  const perSecond = PEERS / HEARTBEAT_SECONDS
  const [small, large] = SIZES
  const measured = new Map<number, Traffic>()
  for (const size of SIZES) {
    say(`gossip: ${size} hosts, ${2 * seconds} s`)
    await using network = await GossipNetwork.start(size)
    const quiet = await network.bytesPerSecond(seconds)
    measured.set(size, { quiet, beating: await network.bytesPerSecond(seconds, { head, perSecond }) })
  }
  const costs = (size: number): number => (measured.get(size)?.beating ?? NaN) - (measured.get(size)?.quiet ?? NaN)
  const perPeer = Math.max(0, (costs(large) - costs(small)) / (large - small))
  const fixed = costs(large) - perPeer * (large - 1)
  const idle = ((measured.get(large)?.quiet ?? NaN) / (large - 1)) * PEERS
  const line = (name: string, value: number, unit: string): Line => absoluteLine({ case: 'gossip', name, value, unit })
  return [
    line('head of an advert', head.byteLength, 'B'),
    line(`heads of ${PEERS} peers`, perSecond, '/s'),
    line('passing them on in the mesh, in and out', fixed / KIB, 'KiB/s'),
    line('telling one more peer what there is, in and out', perPeer, 'B/s'),
    line(`telling ${PEERS} peers`, (perPeer * PEERS) / KIB, 'KiB/s'),
    line(`pings and the like of ${PEERS} connections`, idle / KIB, 'KiB/s'),
    absoluteLine(
      { case: 'gossip', name: `gossip with ${PEERS} peers, in and out`, value: (fixed + perPeer * PEERS) / KIB, unit: 'KiB/s' },
      { atMost: TARGET_KIB_PER_SECOND }
    )
  ]
}

/** Hosts that all know each other. All connections of the first go through a proxy that counts. */
class GossipNetwork implements AsyncDisposable {
  readonly #proxy = new LinkProxy({ clock })
  readonly #hosts: Host[] = []

  static async start(size: number): Promise<GossipNetwork> {
    const network = new GossipNetwork()
    try {
      while (network.#hosts.length < size) await network.#add()
      await delay(SETTLE_MS)
      return network
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
  }

  /** @param beat - heads that the others publish in turn meanwhile */
  async bytesPerSecond(seconds: number, beat?: { readonly head: Uint8Array; readonly perSecond: number }): Promise<number> {
    const before = this.#carried()
    const startedAt = performance.now()
    if (beat === undefined) await delay(seconds * 1000)
    else await this.#beat(seconds, beat)
    return ((this.#carried() - before) * 1000) / (performance.now() - startedAt)
  }

  async #beat(seconds: number, { head, perSecond }: { readonly head: Uint8Array; readonly perSecond: number }): Promise<void> {
    const others = this.#hosts.slice(1)
    for (let sent = 0; sent < seconds * perSecond; sent++) {
      await others[sent % others.length]?.publish(ADVERTS_TOPIC, head)
      await delay(1000 / perSecond)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#hosts.map(async host => await host.stop()))
    await this.#proxy[Symbol.asyncDispose]()
  }

  #carried(): Bytes {
    const { up, down } = this.#proxy.carried('counted')
    return up + down
  }

  async #add(): Promise<void> {
    const host = await startHost(
      { log: SILENT, clock, privateKey: await generateKeyPair('Ed25519') },
      { listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: [], peering: [], mdns: false, maxConnections: 300 }
    )
    host.subscribe(ADVERTS_TOPIC, async () => 'accept', nothing)
    const [first, ...others] = this.#hosts
    this.#hosts.push(host)
    if (first === undefined) return
    const door = await this.#proxy.open({ to: 'counted' })
    door.lead(Number(/\/tcp\/(\d+)/.exec(first.listening()[0] ?? '')?.[1]))
    await host.connect(`/ip4/127.0.0.1/tcp/${door.port}/p2p/${first.self}`)
    await Promise.all(others.map(async other => await host.connect(other.addresses()[0] ?? '')))
  }
}

/** What a daemon of 1,000 contents sends as its heartbeat. */
async function headOfAdvert(): Promise<Uint8Array> {
  const privateKey = await generateKeyPair('Ed25519')
  const heads = Promise.withResolvers<Uint8Array>()
  const { raw } = privateKey.publicKey
  const did = didFromPublicKey(raw)
  const publisher = new AdvertPublisher(
    {
      identity: { did, peerId: peerIdFromPublicKey(raw), sign: async bytes => await privateKey.sign(bytes) },
      // Nothing else keeps this process alive while the heartbeat is waited for.
      clock: { ...clock, after: awake },
      random,
      log: SILENT,
      publish: async (_topic, data) => heads.resolve(data),
      seqStore: { load: () => undefined, save: async () => {} },
      roots: () => Array.from({ length: 1000 }, () => ({ root: random.bytes(34) }))
    },
    {
      interval: 0,
      heartbeat: 1,
      grace: 120_000,
      falsePositiveRate: 0.001,
      maxBytes: 0,
      caps: () => ({ did, ipfsNode: { enabled: true, type: 'helia' } })
    }
  )
  await publisher.start()
  const head = await heads.promise
  await publisher.stop()
  return head
}

function awake(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}
