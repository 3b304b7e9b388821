/**
 * The main host: one libp2p node behind the Network port. Owns its connections; keeps nothing on disk.
 * It connects to what is configured, to what mDNS finds when that is on, and to what it is told; to nothing else.
 */
import type { Connection, Libp2p, PeerInfo, PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { equals } from 'uint8arrays'
import { KithError } from '../../errors.ts'
import { abortable, startDeadline } from '../../lib/deadline.ts'
import type { Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { ConnectedPeer, GossipMessage, Network, NetworkEvents, PeerStream, StreamHandler } from '../../ports/network.ts'
import type { AbortOptions } from '../../ports/options.ts'
import { assertMultiaddr, P2P_CODE, parseAddress, startError } from './address.ts'
import { dialError } from './dial-error.ts'
import { Gossip } from './gossip.ts'
import { Keeper } from './keeper.ts'
import { makeLibp2p, type HostServices } from './make-libp2p.ts'
import { Libp2pPeerStream } from './peer-stream.ts'
import { PeerTable } from './peer-table.ts'

/** Dial, handshake and identify together. */
const CONNECT_BUDGET: Ms = 15_000
/** Agreeing on a protocol over an open connection: one round trip. */
const OPEN_BUDGET: Ms = 10_000
const PING_BUDGET: Ms = 10_000
/** Peers that answer nothing do not hold up the end for longer. */
const FLUSH_BUDGET: Ms = 500
const PING_PROTOCOL = '/ipfs/ping/1.0.0'
/** What a ping echoes. */
const PING_BYTES = 32
/** Streams of one protocol and connection: twice what a Kith client keeps open, so that closing ones do no harm. */
const PROTOCOL_STREAMS_MAX = 8
/** Share of the connections that mDNS may fill: a crowded LAN must not lock out trusted peers. */
const MDNS_SHARE = 0.5
/** Weight of configured peers when libp2p closes surplus connections (others: 0). */
const KEPT_PEER_VALUE = 100

export interface HostComponents {
  readonly log: Log
  readonly clock: Clock
  readonly privateKey: PrivateKey
}

export interface HostInit {
  /** Multiaddrs; empty: dial only. */
  readonly listen: readonly string[]
  /** Dialled while nobody is connected. */
  readonly bootstrap: readonly string[]
  /** Kept connected. */
  readonly peering: readonly string[]
  readonly mdns: boolean
  readonly maxConnections: number
}

export interface Host extends Network {
  /** For the adapters that need the node itself (bitswap, DHT). */
  readonly libp2p: Libp2p
  stop(): Promise<void>
}

/** @throws KithError START_FAILED naming the address that cannot be listened on, or the one that cannot be read */
export async function startHost(components: HostComponents, init: HostInit): Promise<Host> {
  for (const address of [...init.listen, ...init.bootstrap, ...init.peering]) assertMultiaddr(address)
  let found: (info: PeerInfo) => void = () => {}
  const onFound = init.mdns
    ? (info: PeerInfo) => {
        found(info)
      }
    : undefined
  const libp2p = await makeLibp2p({ privateKey: components.privateKey, listen: init.listen, maxConnections: init.maxConnections, onFound })
  const host = new Libp2pHost(components, libp2p, init)
  found = info => {
    host.found(info)
  }
  try {
    await libp2p.start()
  } catch (error) {
    throw startError(init.listen, error)
  }
  host.start()
  return host
}

class Libp2pHost implements Host {
  readonly self: string
  readonly libp2p: Libp2p<HostServices>
  readonly #parts: HostComponents
  readonly #peers: PeerTable
  readonly #gossip: Gossip
  readonly #keepers: readonly Keeper[]
  readonly #mdnsConnectionsMax: number
  readonly #stopping = new AbortController()

  constructor(components: HostComponents, libp2p: Libp2p<HostServices>, init: HostInit) {
    this.#parts = components
    this.libp2p = libp2p
    this.self = libp2p.peerId.toString()
    this.#peers = new PeerTable({ libp2p, clock: components.clock, log: components.log })
    this.#gossip = new Gossip(libp2p.services.pubsub, this.self)
    this.#mdnsConnectionsMax = init.maxConnections * MDNS_SHARE
    this.#keepers = [this.#keeper(init.peering, () => true), this.#keeper(init.bootstrap, () => this.#peers.list().length === 0)]
    this.#peers.on({
      disconnected: peer => {
        for (const keeper of this.#keepers) keeper.disconnected(peer)
      }
    })
  }

  start(): void {
    for (const keeper of this.#keepers) keeper.start()
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new DOMException('the host stops', 'AbortError'))
    for (const keeper of this.#keepers) keeper.stop()
    await this.#flush()
    await this.libp2p.stop()
  }

  /** Gossip is written without waiting, and closing drops what is not on the wire. A ping behind it that is answered shows that it arrived. */
  async #flush(): Promise<void> {
    const signal = AbortSignal.timeout(FLUSH_BUDGET)
    await Promise.allSettled(this.#peers.list().map(async ({ peer }) => await this.ping(peer, { signal })))
  }

  addresses(): string[] {
    return this.libp2p.getMultiaddrs().map(String)
  }
  peers(): ConnectedPeer[] {
    return this.#peers.list()
  }
  isConnected(peer: string): boolean {
    return this.#peers.isConnected(peer)
  }
  on(events: Partial<NetworkEvents>): () => void {
    return this.#peers.on(events)
  }
  async publish(topic: string, data: Uint8Array): Promise<void> {
    await this.#gossip.publish(topic, data)
  }

  subscribe(topic: string, validate: Parameters<Network['subscribe']>[1], receive: (message: GossipMessage) => void): void {
    this.#gossip.subscribe(topic, validate, receive)
  }

  async connect(address: string, options: AbortOptions = {}): Promise<string> {
    const target = parseAddress(address)
    using budget = startDeadline(this.#parts.clock, CONNECT_BUDGET, options)
    try {
      const connection = await this.libp2p.dial(target, { signal: budget.signal })
      const peer = connection.remotePeer.toString()
      await this.#identified(peer, budget.signal)
      return peer
    } catch (error) {
      options.signal?.throwIfAborted()
      throw error instanceof KithError ? error : dialError(address, error)
    }
  }

  async disconnect(peer: string): Promise<void> {
    await this.libp2p.hangUp(peerIdFromString(peer))
  }

  /** Timed here: the stock ping counts whole milliseconds. */
  async ping(peer: string, options: AbortOptions = {}): Promise<Ms> {
    const { clock } = this.#parts
    using budget = startDeadline(clock, PING_BUDGET, options)
    const stream = await this.open(peer, PING_PROTOCOL, { signal: budget.signal })
    try {
      const sent = crypto.getRandomValues(new Uint8Array(PING_BYTES))
      const start = clock.monotonic()
      await stream.write([sent], { signal: budget.signal })
      await readEcho(stream, sent, budget.signal)
      const took = clock.monotonic() - start
      await stream.close({ signal: budget.signal })
      return took
    } catch (error) {
      stream.abort(asError(error))
      options.signal?.throwIfAborted()
      throw new KithError('UNAVAILABLE', `peer ${peer} did not answer a ping`, {}, { cause: error })
    }
  }

  async open(peer: string, protocol: string, options: AbortOptions = {}): Promise<PeerStream> {
    const connection = this.#connectionTo(peer)
    if (connection === undefined) throw new KithError('UNAVAILABLE', `peer ${peer} is not connected`)
    using budget = startDeadline(this.#parts.clock, OPEN_BUDGET, options)
    try {
      const stream = await connection.newStream(protocol, { signal: budget.signal, maxOutboundStreams: PROTOCOL_STREAMS_MAX })
      return new Libp2pPeerStream(peer, stream)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw new KithError(
        'UNAVAILABLE',
        `no ${protocol} stream to peer ${peer} could be opened: ${asError(error).message}`,
        {},
        { cause: error }
      )
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

  /** What mDNS found. Failures are ordinary: half of what answers on a LAN has left it. */
  found(info: PeerInfo): void {
    const peer = info.id.toString()
    if (peer === this.self || this.isConnected(peer) || this.#peers.list().length >= this.#mdnsConnectionsMax) return
    const addresses = info.multiaddrs.map(address => address.decapsulateCode(P2P_CODE).encapsulate(`/p2p/${peer}`))
    if (addresses.length === 0) return
    this.libp2p
      .dial(addresses, { signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(CONNECT_BUDGET)]) })
      .catch((error: unknown) => {
        this.#parts.log.debug({ err: error }, 'a peer found by mDNS could not be reached')
      })
  }

  #connectionTo(peer: string): Connection | undefined {
    const open = this.libp2p.getConnections(peerIdFromString(peer)).filter(connection => connection.status === 'open')
    return open.find(connection => connection.limits === undefined) ?? open[0]
  }

  async #identified(peer: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const off = this.on({
      connected: id => {
        if (id === peer) resolve()
      }
    })
    const onGone = ({ detail }: CustomEvent<{ toString(): string }>): void => {
      if (detail.toString() === peer) reject(new Error('it closed the connection before saying what it speaks'))
    }
    this.libp2p.addEventListener('peer:disconnect', onGone)
    try {
      if (!this.#peers.isIdentified(peer)) await abortable(promise, { signal })
    } finally {
      off()
      this.libp2p.removeEventListener('peer:disconnect', onGone)
    }
  }

  #keeper(addresses: readonly string[], wanted: () => boolean): Keeper {
    return new Keeper(
      {
        clock: this.#parts.clock,
        log: this.#parts.log,
        isConnected: peer => this.isConnected(peer),
        dial: async (address, options) => await this.connect(address, options),
        protect: async peer => {
          await this.libp2p.peerStore.merge(peerIdFromString(peer), { tags: { 'kith-kept': { value: KEPT_PEER_VALUE } } })
        },
        wanted
      },
      addresses
    )
  }
}

async function readEcho(stream: PeerStream, sent: Uint8Array, signal: AbortSignal): Promise<void> {
  let at = 0
  while (at < sent.byteLength) {
    const chunk = await stream.read({ signal })
    if (chunk === null) throw new Error('the peer closed the stream')
    if (!equals(chunk, sent.subarray(at, at + chunk.byteLength))) throw new Error('the peer echoed other bytes')
    at += chunk.byteLength
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
