/** The peer methods of the socket. Access levels do not exist yet: everybody is a stranger, level 0. */
import { KithError } from '../errors.ts'
import type { PeerInfo, PeerServices } from '../rpc/services.ts'
import type { Ms } from '../model/units.ts'
import type { ConnectedPeer, Network } from '../ports/network.ts'

/** Weight of the newest round trip in the average shown. */
const LATENCY_WEIGHT = 0.2
/** Peers a page unless asked otherwise. */
const LIST_LIMIT_DEFAULT = 100

export interface PeerServicesComponents {
  readonly network: Network
  readonly didOf: (peer: string) => string
  readonly peerOf: (did: string) => string
  readonly advertOf: (peer: string) => PeerInfo['advert'] | undefined
  /** What its advert says; undefined without one. */
  readonly hasIpfs: (peer: string) => boolean | undefined
}

export function peerServices(parts: PeerServicesComponents): PeerServices {
  const { network } = parts
  const latency = new Map<string, Ms>()
  const forget = (peer: string): void => {
    latency.delete(peer)
  }
  network.on({ disconnected: forget })
  const resolve = (peer: string): string => {
    try {
      return peer.startsWith('did:') ? parts.peerOf(peer) : parts.peerOf(parts.didOf(peer))
    } catch (error) {
      throw new KithError(
        'INVALID_PARAMS',
        `"${peer}" is neither a PeerId (12D3Koo…) nor a DID (did:key:z6Mk…)`,
        { peer },
        { cause: error }
      )
    }
  }
  return {
    list: async params =>
      page(
        network.peers().map(peer => infoOf(parts, peer, latency.get(peer.peer) ?? null)),
        params
      ),
    connect: async (address, options) => {
      const peerId = await network.connect(address, options)
      return { peerId, did: parts.didOf(peerId), address }
    },
    disconnect: async peer => {
      await network.disconnect(connected(network, resolve(peer)))
      return {}
    },
    ping: async (peer, options) => {
      const id = connected(network, resolve(peer))
      const latencyMs = Math.round((await network.ping(id, options)) * 10) / 10
      const before = latency.get(id) ?? latencyMs
      latency.set(id, before + LATENCY_WEIGHT * (latencyMs - before))
      return { latencyMs }
    }
  }
}

function infoOf(parts: PeerServicesComponents, { peer, addresses, relayed, protocols }: ConnectedPeer, latencyMs: Ms | null): PeerInfo {
  const advert = parts.advertOf(peer)
  return {
    peerId: peer,
    did: parts.didOf(peer),
    addresses,
    connected: true,
    via: relayed ? 'relayed' : 'direct',
    access: 0,
    trust: 0,
    latencyMs,
    bandwidthBytesPerSecond: null,
    hasIpfs: parts.hasIpfs(peer) ?? protocols.some(protocol => protocol.startsWith('/ipfs/bitswap/')),
    ...(advert === undefined ? {} : { advert }),
    ledger: {}
  }
}

function connected(network: Network, peer: string): string {
  if (network.isConnected(peer)) return peer
  throw new KithError('UNAVAILABLE', `${peer} is not connected. kith peers shows who is; kith peers connect ADDRESS connects.`, { peer })
}

function page(
  items: PeerInfo[],
  { cursor, limit }: { readonly cursor?: string; readonly limit?: number }
): { items: PeerInfo[]; cursor?: string } {
  const sorted = items.toSorted((a, b) => (a.peerId < b.peerId ? -1 : 1))
  const rest = cursor === undefined ? sorted : sorted.filter(({ peerId }) => peerId > cursor)
  const shown = rest.slice(0, limit ?? LIST_LIMIT_DEFAULT)
  const last = shown.at(-1)
  return rest.length > shown.length && last !== undefined ? { items: shown, cursor: last.peerId } : { items: shown }
}
