/**
 * The door to `@libp2p/kad-dht`: a DHT client made on a host that already runs, when it is first needed (the package
 * costs memory and time to load). What is not public API of the package is reached through this file only.
 * In memory only: routing table, discovered peers and provider records are gone with the process.
 */
import { peerDiscoverySymbol, start, stop, type PeerId, type PeerInfo } from '@libp2p/interface'
import type { KadDHT, KadDHTComponents, QueryEvent } from '@libp2p/kad-dht'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import type { Ms } from '../../model/units.ts'
import type { Log } from '../../ports/log.ts'
import type { AbortOptions } from '../../ports/options.ts'
import { isPublic } from './reachable-addresses.ts'

/** Peers the DHT told of whose addresses are kept; libp2p forgets none by itself. Some 2 kB each. */
const DISCOVERED_MAX = 4096
/** Streams a DHT peer may open here: as a client this node answers nothing, so none is expected. */
const INBOUND_STREAMS_MAX = 1
/** A connected peer must answer a ping of the DHT in this time to be asked. */
const CHECK_BUDGET: Ms = 10_000
const KAD_PROTOCOL = '/ipfs/kad/1.0.0'

export interface DhtComponents {
  /** What libp2p gives its services. */
  readonly libp2p: KadDHTComponents
  readonly log: Log
}

export interface DhtInit {
  /** The DHT of a local network: private addresses count. */
  readonly local: boolean
}

export interface Dht {
  /** Peers in the routing table: with none, nobody can be asked. */
  size(): number
  /** Calls `listener` whenever a peer enters the routing table. The returned function ends that. */
  onPeer(listener: () => void): () => void
  /** Peers that say they have the content, as the search finds them; ends when nobody closer is left to ask. */
  providers(cid: CID, options: AbortOptions): AsyncGenerator<PeerInfo>
  /** Where a peer can be dialled; empty if nobody knows. */
  addressesOf(peer: PeerId, options: AbortOptions): Promise<readonly Multiaddr[]>
  /** Tells the peers closest to the content that this node has it. @returns how many took it */
  provide(cid: CID, options: AbortOptions): Promise<number>
  stop(): Promise<void>
}

export async function startDht({ libp2p, log }: DhtComponents, { local }: DhtInit): Promise<Dht> {
  const { kadDHT, passthroughMapper, removePrivateAddressesMapper } = await import('@libp2p/kad-dht')
  const dht = kadDHT({
    protocol: KAD_PROTOCOL,
    clientMode: true,
    // Who may be asked is decided here, with a budget; the package would wait for three minutes.
    allowQueryWithZeroPeers: true,
    maxInboundStreams: INBOUND_STREAMS_MAX,
    peerInfoMapper: local ? passthroughMapper : removePrivateAddressesMapper
  })(libp2p)
  const table = routingTableOf(dht)
  keepDiscovered(dht, libp2p, { log, wanted: address => local || isPublic(address) })
  await start(dht)
  await addConnected(table, libp2p)
  return {
    size: () => table.size,
    onPeer: listener => {
      table.addEventListener('peer:add', listener)
      return () => table.removeEventListener('peer:add', listener)
    },
    providers: (cid, options) => providers(dht, cid, options),
    addressesOf: async (peer, options) => await addressesOf(dht, peer, options),
    provide: async (cid, options) => await provide(dht, cid, options),
    stop: async () => await stop(dht)
  }
}

async function* providers(dht: KadDHT, cid: CID, options: AbortOptions): AsyncGenerator<PeerInfo> {
  for await (const event of dht.findProviders(cid, routing(options))) {
    if (event.name === 'PROVIDER') yield* event.providers
  }
}

async function addressesOf(dht: KadDHT, peer: PeerId, options: AbortOptions): Promise<readonly Multiaddr[]> {
  for await (const event of dht.findPeer(peer, routing(options))) {
    if (event.name === 'FINAL_PEER') return event.peer.multiaddrs
  }
  return []
}

async function provide(dht: KadDHT, cid: CID, options: AbortOptions): Promise<number> {
  let taken = 0
  for await (const event of dht.provide(cid, routing(options))) if (isTaken(event)) taken++
  // The package would provide it again by itself, also after it was removed here.
  await dht.cancelReprovide(cid)
  return taken
}

function isTaken(event: QueryEvent): boolean {
  return event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER'
}

/** `signal: undefined` is not the same as no signal under the exact optional types of the package. */
function routing({ signal }: AbortOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}

/** A query dials peers by their id, so what it hears of their addresses must be kept, as libp2p does for its services. */
function keepDiscovered(
  dht: KadDHT,
  { peerStore, connectionManager }: KadDHTComponents,
  { log, wanted }: { readonly log: Log; readonly wanted: (address: Multiaddr) => boolean }
): void {
  const known = new Map<string, PeerId>()
  const keep = async ({ id, multiaddrs }: PeerInfo): Promise<void> => {
    known.delete(id.toString())
    known.set(id.toString(), id)
    await peerStore.merge(id, { multiaddrs })
    const [oldest] = known.values()
    if (known.size <= DISCOVERED_MAX || oldest === undefined) return
    known.delete(oldest.toString())
    if (connectionManager.getConnections(oldest).length === 0) await peerStore.delete(oldest)
  }
  discoveryOf(dht).addEventListener('peer', event => {
    const info = peerInfoOf(event)
    const multiaddrs = info?.multiaddrs.filter(wanted) ?? []
    if (info === undefined || multiaddrs.length === 0) return
    keep({ id: info.id, multiaddrs }).catch((error: unknown) => log.debug({ err: error }, 'a peer the DHT told of was not kept'))
  })
}

/** The package hears of new connections only. */
async function addConnected(table: RoutingTable, { connectionManager, peerStore }: KadDHTComponents): Promise<void> {
  for (const { remotePeer } of connectionManager.getConnections()) {
    const peer = await peerStore.get(remotePeer).catch(() => undefined)
    if (peer?.protocols.includes(KAD_PROTOCOL) === true) table.queueRoutingTableUpdate(remotePeer, { activeTimeout: CHECK_BUDGET })
  }
}

interface RoutingTable {
  readonly size: number
  /** Pings the peer and takes it in. */
  queueRoutingTableUpdate(peer: PeerId, options: { readonly activeTimeout: Ms }): void
  addEventListener(type: 'peer:add', listener: () => void): void
  removeEventListener(type: 'peer:add', listener: () => void): void
}

interface Discovery {
  addEventListener(type: 'peer', listener: (event: unknown) => void): void
}

/** @throws Error when the installed package no longer has the shape this adapter was written for */
function routingTableOf(dht: KadDHT): RoutingTable {
  const table: unknown = Reflect.get(dht, 'routingTable')
  if (!isTable(table)) throw otherShape()
  return table
}

function discoveryOf(dht: KadDHT): Discovery {
  const discovery: unknown = Reflect.get(dht, peerDiscoverySymbol)
  if (!isTarget(discovery)) throw otherShape()
  return discovery
}

function isTable(value: unknown): value is RoutingTable {
  return (
    isTarget(value) && typeof Reflect.get(value, 'size') === 'number' && typeof Reflect.get(value, 'queueRoutingTableUpdate') === 'function'
  )
}

function isTarget(value: unknown): value is Discovery {
  return value instanceof EventTarget
}

function peerInfoOf(event: unknown): PeerInfo | undefined {
  const detail: unknown = event instanceof CustomEvent ? event.detail : undefined
  return isPeerInfo(detail) ? detail : undefined
}

function isPeerInfo(value: unknown): value is PeerInfo {
  return typeof value === 'object' && value !== null && 'id' in value && 'multiaddrs' in value && Array.isArray(value.multiaddrs)
}

function otherShape(): Error {
  return new Error('the installed @libp2p/kad-dht has another shape than the one this adapter was written for')
}
