/**
 * The main host: one libp2p node behind the Network port. Owns its connections; keeps nothing on disk.
 * It connects to what is configured, to what mDNS finds when that is on, and to what it is told; once the public swarm
 * is entered, also to whom the DHT names; to nothing else.
 */
import type { Connection, Libp2p, PeerInfo, PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { KithError } from '../../errors.ts'
import { startDeadline } from '../../lib/deadline.ts'
import type { Bytes, Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AppTopics } from '../../ports/app-topics.ts'
import type { Log } from '../../ports/log.ts'
import type { ConnectedPeer, GossipMessage, Network, NetworkEvents, PeerStream, StreamHandler } from '../../ports/network.ts'
import type { AbortOptions } from '../../ports/options.ts'
import { assertMultiaddr, startError } from './address.ts'
import { isRelayed } from './circuit.ts'
import { Dialler, withoutPeer } from './dialler.ts'
import { Gater } from './gater.ts'
import { Gossip } from './gossip.ts'
import { Judgement, type HostStanding } from './judgement.ts'
import { Liveness } from './liveness.ts'
import { makeLibp2p, type HostServices, type NameService } from './make-libp2p.ts'
import { Outreach, type OutreachInit } from './outreach.ts'
import { Libp2pPeerStream } from './peer-stream.ts'
import { PeerTable } from './peer-table.ts'
import { Pinger } from './pinger.ts'
import type { PublicSwarm } from './public-swarm.ts'
import type { Reachability } from './reachability.ts'
import { Places } from './places.ts'
import { Relaying, type RelayInit, type RelayStatus } from './relaying.ts'

/** Agreeing on a protocol over an open connection: one round trip, which may wait behind what is on its way. */
const OPEN_BUDGET: Ms = 10_000
/** Peers that answer nothing do not hold up the end for longer. */
const FLUSH_BUDGET: Ms = 500
/** Streams of one protocol and connection: twice what a Kith client keeps open, so that closing ones do no harm. */
const PROTOCOL_STREAMS_MAX = 8

export interface HostComponents {
  readonly log: Log
  readonly clock: Clock
  readonly privateKey: PrivateKey
}

export interface HostInit extends OutreachInit {
  /** Multiaddrs; empty: dial only. */
  readonly listen: readonly string[]
  /** Told to others in place of the addresses listened on; empty or absent: those. */
  readonly announce?: readonly string[]
  readonly mdns: boolean
  /** Absent: no relaying, neither way. */
  readonly relay?: RelayInit
  /** Resolves names in addresses; absent: the system. */
  readonly dns?: NameService
}

export interface Host extends Network {
  /** For the adapters that need the node itself (bitswap). */
  readonly libp2p: Libp2p
  readonly publicSwarm: PublicSwarm
  /** Topics of apps. */
  readonly topics: AppTopics
  /** To be called before it starts: what is thought of peers, which the host acts on from then on. */
  follow(standing: HostStanding): void
  /** Listens and dials. Without effect when it runs. @throws KithError START_FAILED naming the address that cannot be listened on */
  start(): Promise<void>
  /** The addresses bound, whatever is announced. */
  listening(): string[]
  /** Whether strangers can reach this host, as others have found. */
  reachability(): Reachability
  /** Who is reached through this host, and through whom it is. */
  relaying(): RelayStatus
  /** Gossip signed with the own key that this run did not send. */
  onEcho(listener: (topic: string, data: Uint8Array) => void): void
  stop(): Promise<void>
}

/** Made, not started: handlers and topics are registered first, so that no early peer is refused. @throws START_FAILED for an address that cannot be read */
export async function makeHost(components: HostComponents, init: HostInit): Promise<Host> {
  for (const address of [...init.listen, ...init.bootstrap, ...init.peering, ...(init.announce ?? [])]) assertMultiaddr(address)
  let found: (info: PeerInfo) => void = () => {}
  const onFound = init.mdns
    ? (info: PeerInfo) => {
        found(info)
      }
    : undefined
  const judgement = new Judgement()
  const places = new Places({ ...components, judgement }, init)
  const gater = new Gater({
    localSwarm: init.localSwarm === true,
    isShunned: peer => judgement.isShunned(peer),
    isTrusted: peer => judgement.isTrusted(peer),
    hasRoomFor: peer => places.hasRoomFor(peer)
  })
  const relaying = new Relaying({ ...components, judgement }, { ...init.relay, announces: (init.announce ?? []).length > 0 })
  const onOwnKey = init.onDuplicateIdentity ?? (() => {})
  const { clock, privateKey } = components
  const { listen, announce = [], maxConnections, dns } = init
  const liveness = new Liveness(components)
  const inner = { ...relaying.parts, gater: gater.rules, judgement, liveness, clock }
  const libp2p = await makeLibp2p({ privateKey, listen, announce, maxConnections, ...inner, onOwnKey, dns, onFound })
  places.follow(libp2p)
  const host = new Libp2pHost({ ...components, libp2p, gater, judgement, liveness, relaying }, init)
  found = info => {
    host.outreach.found(info)
  }
  return host
}

/** @throws KithError START_FAILED naming the address that cannot be listened on, or the one that cannot be read */
export async function startHost(components: HostComponents, init: HostInit): Promise<Host> {
  const host = await makeHost(components, init)
  await host.start()
  return host
}

interface InnerComponents extends HostComponents {
  readonly libp2p: Libp2p<HostServices>
  readonly gater: Gater
  readonly judgement: Judgement
  readonly liveness: Liveness
  readonly relaying: Relaying
}

class Libp2pHost implements Host {
  readonly self: string
  readonly libp2p: Libp2p<HostServices>
  readonly outreach: Outreach
  readonly #parts: InnerComponents
  readonly #init: HostInit
  readonly #peers: PeerTable
  readonly #dialler: Dialler
  readonly #gossip: Gossip
  readonly #pinger: Pinger
  #started = false

  constructor(components: InnerComponents, init: HostInit) {
    const { libp2p, clock, log, gater, judgement, liveness } = components
    this.#parts = components
    this.#init = init
    this.libp2p = libp2p
    this.self = libp2p.peerId.toString()
    const peers = new PeerTable({ libp2p, clock, log })
    const dialler = new Dialler({ libp2p, peers, gater, clock })
    this.#peers = peers
    this.#dialler = dialler
    this.#pinger = new Pinger({ clock, liveness, open: async (...args) => await this.open(...args) })
    this.#gossip = new Gossip(
      { pubsub: libp2p.services.pubsub, clock, connections: peer => libp2p.getConnections(peer).filter(isDirect) },
      { self: this.self, onFlood: peer => judgement.report(peer, 'flood') }
    )
    peers.onAny({ disconnected: peer => this.#gossip.forget(peer) })
    this.outreach = new Outreach({ libp2p, peers, dialler, clock, log, addresses: () => this.addresses() }, init)
  }

  async start(): Promise<void> {
    if (this.#started) return
    this.#started = true
    try {
      await this.libp2p.start()
    } catch (error) {
      throw startError(this.#init.listen, error)
    }
    this.#gossip.start()
    this.outreach.start()
    this.#parts.relaying.start(this.libp2p, this.#peers)
  }

  async stop(): Promise<void> {
    await this.#parts.relaying.stop()
    await this.outreach.stop()
    await this.#flush()
    this.#gossip.stop()
    await this.libp2p.stop()
  }

  /** Gossip is written without waiting, and closing drops what is not on the wire. A ping behind it that is answered shows that it arrived. */
  async #flush(): Promise<void> {
    const signal = AbortSignal.timeout(FLUSH_BUDGET)
    await Promise.allSettled(this.#peers.list().map(async ({ peer }) => await this.ping(peer, { signal })))
  }

  get publicSwarm(): PublicSwarm {
    return this.outreach.publicSwarm
  }

  get topics(): AppTopics {
    return this.#gossip
  }

  follow(standing: HostStanding): void {
    this.#parts.judgement.follow(standing)
  }

  /** Those libp2p knows to be reachable from outside, and those of the own interfaces, which it hides until somebody has tried. */
  addresses(): string[] {
    const { addressManager } = this.libp2p.services.inside.components
    const known = addressManager.getAddressesWithMetadata().filter(({ type, verified }) => verified || type === 'transport')
    return [...new Set(known.map(({ multiaddr }) => `${withoutPeer(multiaddr)}/p2p/${this.self}`))]
  }
  listening(): string[] {
    return this.libp2p.services.inside.components.transportManager.getAddrs().map(String)
  }
  peers(): ConnectedPeer[] {
    return this.#peers.list()
  }
  isConnected(peer: string): boolean {
    return this.#peers.isConnected(peer)
  }
  async identified(peer: string, options: AbortOptions = {}): Promise<void> {
    await this.#dialler.identified(peer, options)
  }
  reachability(): Reachability {
    return this.libp2p.services.reachability.verdict()
  }
  relaying(): RelayStatus {
    return this.#parts.relaying.status()
  }
  on(events: Partial<NetworkEvents>): () => void {
    return this.#peers.on(events)
  }
  onEcho(listener: (topic: string, data: Uint8Array) => void): void {
    this.#gossip.onEcho(listener)
  }
  async publish(topic: string, data: Uint8Array): Promise<void> {
    await this.#gossip.send(topic, data)
  }

  subscribe(topic: string, validate: Parameters<Network['subscribe']>[1], receive: (message: GossipMessage) => void): void {
    this.#gossip.subscribe(topic, validate, receive)
  }

  async connect(address: string, options: AbortOptions = {}): Promise<string> {
    return await this.#dialler.named(address, options)
  }

  async disconnect(peer: string): Promise<void> {
    await this.#parts.relaying.leave(peer)
    await this.libp2p.hangUp(peerIdFromString(peer))
  }

  received(peer: string): Bytes {
    return this.#parts.liveness.received(peer)
  }

  async ping(peer: string, options: AbortOptions = {}): Promise<Ms> {
    return await this.#pinger.ping(peer, options)
  }

  async open(peer: string, protocol: string, options: AbortOptions = {}): Promise<PeerStream> {
    const connection = this.#connectionTo(peer)
    if (connection === undefined) throw new KithError('UNAVAILABLE', `peer ${peer} is not connected`)
    using budget = startDeadline(this.#parts.clock, OPEN_BUDGET, options, this.#parts.liveness.whileComing(peer, OPEN_BUDGET))
    try {
      const stream = await connection.newStream(protocol, { signal: budget.signal, maxOutboundStreams: PROTOCOL_STREAMS_MAX })
      return new Libp2pPeerStream(peer, stream)
    } catch (error) {
      options.signal?.throwIfAborted()
      const why = asError(error).message
      throw new KithError('UNAVAILABLE', `no ${protocol} stream to peer ${peer} could be opened: ${why}`, {}, { cause: error })
    }
  }

  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    await this.libp2p.handle(
      protocol,
      async (raw, connection) => {
        const stream = new Libp2pPeerStream(connection.remotePeer.toString(), raw)
        try {
          await handler(stream)
        } catch (error) {
          this.#parts.log.debug({ err: error, protocol }, 'a stream handler failed')
          stream.abort(asError(error))
        }
      },
      { maxInboundStreams: PROTOCOL_STREAMS_MAX, maxOutboundStreams: PROTOCOL_STREAMS_MAX }
    )
  }

  #connectionTo(peer: string): Connection | undefined {
    const open = this.libp2p.getConnections(peerIdFromString(peer)).filter(connection => connection.status === 'open')
    return open.find(connection => !isRelayed(connection)) ?? open[0]
  }
}

function isDirect(connection: Connection): boolean {
  return connection.status === 'open' && !isRelayed(connection)
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
