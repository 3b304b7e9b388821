/**
 * What gossip costs a node that has 500 peers and nothing to do: real heads of adverts are sent between two real hosts,
 * and what one copy takes on the wire is counted. The rest is reckoned, and every term printed.
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { setTimeout as delay } from 'node:timers/promises'
import { RPC } from '@libp2p/gossipsub/message'
import { ANNOUNCED_SHARE } from '../../src/adapters/libp2p/gossip-service.ts'
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
/** Peers outside its mesh a node tells each second which messages it saw in the last three: gossipsub's usual figures. */
const ANNOUNCED_SECONDS = 3
/** Links of a mesh, which carry each message once or, when both ends are quick, twice. */
const MESH_LINKS = 6
const COPIES_A_LINK = 2
/** Key of who signed and a number, as announced. Bytes. */
const MESSAGE_ID_BYTES = 44
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
  const announcement = encodedAnnouncement(Math.round(perSecond * ANNOUNCED_SECONDS)) + framing
  const told = ANNOUNCED_SHARE * (PEERS - MESH_LINKS)
  const mesh = perSecond * MESH_LINKS * COPIES_A_LINK * copy
  // Each tells the others as it is told by them.
  const announcing = 2 * told * announcement
  const line = (name: string, value: number, unit: string): Line => absoluteLine({ case: 'gossip', name, value, unit })
  return [
    line('head of an advert', head.byteLength, 'B'),
    line('one copy of it on the wire', copy, 'B'),
    line(`heads of ${PEERS} peers`, perSecond, '/s'),
    line(`${MESH_LINKS} links of a mesh carry, in and out`, mesh / KIB, 'KiB/s'),
    line('telling a peer which messages there are', announcement, 'B'),
    line('peers told each second, and telling', told, ''),
    line('which takes, in and out', announcing / KIB, 'KiB/s'),
    absoluteLine(
      { case: 'gossip', name: `gossip with ${PEERS} peers, in and out`, value: (mesh + announcing) / KIB, unit: 'KiB/s' },
      { atMost: TARGET_KIB_PER_SECOND }
    )
  ]
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
