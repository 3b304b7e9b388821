/**
 * What gossip costs a node that has 500 peers and nothing to do. Real hosts that all know each other send real heads of
 * adverts as often as 500 peers would; everything each of them receives is counted, with what a frame adds on the wire.
 * What grows with the number of peers is added: who is told which messages there are.
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { setTimeout as delay } from 'node:timers/promises'
import { RPC } from '@libp2p/gossipsub/message'
import { ANNOUNCED_PEERS } from '../../src/adapters/libp2p/gossip-service.ts'
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
/** Hosts of the network that is counted: more would measure the machine. */
const HOSTS = 24
/** Links of a mesh (D), the rest of the hosts are told which messages there are. */
const MESH_LINKS = 6
/** Heartbeats of gossipsub for which a message is told of. Seconds. */
const ANNOUNCED_SECONDS = 3
/** A message id of src/adapters/libp2p/gossip-service.ts. Bytes. */
const MESSAGE_ID_BYTES = 16
/** What StrictSign adds to a message. Bytes. */
const FROM_BYTES = 38
const NUMBER_BYTES = 8
const SIGNATURE_BYTES = 64
const HEADS_SENT = 60
/** Milliseconds. */
const HEAD_INTERVAL_MS = 200
/** Meshes are formed and subscriptions known by then. Milliseconds. */
const SETTLE_MS = 5_000
const nothing = (): void => {}
const SILENT: Log = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => SILENT }

export async function gossip({ quick, say }: BenchSettings): Promise<Line[]> {
  const head = await headOfAdvert()
  const heads = quick ? 10 : HEADS_SENT
  say('gossip: two hosts')
  const copy = await bytesOfCopy(head, heads)
  const framing = copy - encodedMessage(head)
  const perSecond = PEERS / HEARTBEAT_SECONDS
  say(`gossip: ${HOSTS} hosts`)
  const { copies, bytes } = await receivedByEach(head, { heads, framing, intervalMs: 1000 / perSecond })
  const announcement = encodedAnnouncement(Math.round(perSecond * ANNOUNCED_SECONDS)) + framing
  const more = Math.max(0, ANNOUNCED_PEERS - (HOSTS - 1 - MESH_LINKS)) * announcement
  const received = bytes * perSecond + more
  const line = (name: string, value: number, unit: string): Line => absoluteLine({ case: 'gossip', name, value, unit })
  return [
    line('head of an advert', head.byteLength, 'B'),
    line('one copy of it on the wire', copy, 'B'),
    line(`heads of ${PEERS} peers`, perSecond, '/s'),
    line(`copies of each that a node of ${HOSTS} receives`, copies, ''),
    line('received for each, telling and asking included', bytes, 'B'),
    line(`telling the rest of ${ANNOUNCED_PEERS} peers each second`, more / KIB, 'KiB/s'),
    line('received and sent together', (2 * received) / KIB, 'KiB/s'),
    absoluteLine(
      { case: 'gossip', name: `gossip with ${PEERS} peers, each way`, value: received / KIB, unit: 'KiB/s' },
      { atMost: TARGET_KIB_PER_SECOND }
    )
  ]
}

/** @returns per head and node, of all nodes that did not publish it */
async function receivedByEach(
  head: Uint8Array,
  { heads, framing, intervalMs }: { readonly heads: number; readonly framing: Bytes; readonly intervalMs: number }
): Promise<{ readonly copies: number; readonly bytes: Bytes }> {
  await using network = await GossipNetwork.start(HOSTS)
  const counted = network.count(framing)
  await network.publishInTurn(head, heads, intervalMs)
  const share = heads * (HOSTS - 1)
  return { copies: counted.copies / share, bytes: counted.bytes / share }
}

/** What one head more takes between two hosts, with encryption and multiplexing. */
async function bytesOfCopy(head: Uint8Array, heads: number): Promise<Bytes> {
  await using network = await GossipNetwork.start(2)
  return await network.bytesOf(head, heads)
}

function encodedMessage(data: Uint8Array): Bytes {
  const signed = {
    from: new Uint8Array(FROM_BYTES),
    seqno: new Uint8Array(NUMBER_BYTES),
    signature: new Uint8Array(SIGNATURE_BYTES)
  }
  return RPC.encode({ subscriptions: [], messages: [{ ...signed, data, topic: ADVERTS_TOPIC }] }).byteLength
}

function encodedAnnouncement(messages: number): Bytes {
  const messageIDs = Array.from({ length: messages }, () => new Uint8Array(MESSAGE_ID_BYTES))
  const control = { ihave: [{ topicID: ADVERTS_TOPIC, messageIDs }], iwant: [], graft: [], prune: [], idontwant: [] }
  return RPC.encode({ subscriptions: [], messages: [], control }).byteLength
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

  /** @returns bytes a head that another publishes, beyond what passes anyway */
  async bytesOf(head: Uint8Array, heads: number): Promise<Bytes> {
    const startedAt = performance.now()
    const before = this.#carried()
    for (let sent = 0; sent < heads; sent++) {
      await this.#hosts[1]?.publish(ADVERTS_TOPIC, head)
      await delay(HEAD_INTERVAL_MS)
    }
    const busy = this.#carried() - before
    await delay(performance.now() - startedAt)
    return Math.max(0, busy - (this.#carried() - before - busy)) / heads
  }

  /** Everything that arrives from now on, at all hosts. */
  count(framing: Bytes): { readonly copies: number; readonly bytes: Bytes } {
    const counted = { copies: 0, bytes: 0 }
    for (const { libp2p } of this.#hosts) {
      const pubsub = libp2p.services['pubsub']
      const handle: unknown = pubsub instanceof Object ? Reflect.get(pubsub, 'handleReceivedRpc') : undefined
      if (!(pubsub instanceof Object) || typeof handle !== 'function') throw new Error('gossipsub has another shape here')
      Reflect.set(pubsub, 'handleReceivedRpc', async (from: unknown, rpc: RPC) => {
        counted.copies += rpc.messages.length
        counted.bytes += RPC.encode(rpc).byteLength + framing
        await Reflect.apply(handle, pubsub, [from, rpc])
      })
    }
    return counted
  }

  /** Another host each time; a last wait for what is told of the last ones. */
  async publishInTurn(head: Uint8Array, heads: number, intervalMs: number): Promise<void> {
    for (let sent = 0; sent < heads; sent++) {
      await this.#hosts[sent % this.#hosts.length]?.publish(ADVERTS_TOPIC, head)
      await delay(intervalMs)
    }
    await delay(ANNOUNCED_SECONDS * 1000)
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
