/** The peer methods of the socket: who is known, what was measured of each, and what is made of it. */
import { KithError } from '../errors.ts'
import type { BehaviourBook } from '../peers/behaviour.ts'
import type { PeerStanding } from '../peers/standing.ts'
import type { Estimates, PeerEstimate } from '../ports/estimates.ts'
import type { ConnectedPeer, Network } from '../ports/network.ts'
import type { PeerInfo, PeerServices } from '../rpc/services.ts'

/** Peers a page unless asked otherwise. */
const LIST_LIMIT_DEFAULT = 100
/** From so many false claims on, if they are the most, a peer is shown as one that claims what it has not. */
const DOUBTED_MISSES_MIN = 2

export interface PeerServicesComponents {
  readonly network: Network
  readonly standing: PeerStanding
  readonly behaviour: BehaviourBook
  readonly estimates: Estimates
  readonly didOf: (peer: string) => string
  readonly peerOf: (did: string) => string
  readonly advertOf: (peer: string) => PeerInfo['advert'] | undefined
  /** What its advert says; undefined without one. */
  readonly hasIpfs: (peer: string) => boolean | undefined
}

export function peerServices(parts: PeerServicesComponents): PeerServices {
  const { network, estimates } = parts
  const resolve = (peer: string): string => {
    try {
      return peer.startsWith('did:') ? parts.peerOf(peer) : parts.peerOf(parts.didOf(peer))
    } catch (error) {
      throw new KithError(
        'INVALID_PARAMS',
        `"${peer}" names no node: write a PeerId (12D3Koo…) or its DID (did:key:z6Mk…)`,
        { peer },
        { cause: error }
      )
    }
  }
  return {
    list: async params => page(known(parts), parts.standing, params),
    connect: async (address, options) => {
      checkNotShunned(parts, address)
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
      estimates.latency(id, latencyMs)
      return { latencyMs }
    }
  }
}

/** Those that are connected, those the operator knows, and those that are shunned for what they did. */
function known(parts: PeerServicesComponents): PeerInfo[] {
  const { network, standing, behaviour } = parts
  const online = new Map(network.peers().map(peer => [peer.peer, peer]))
  const shunned = [...behaviour.offenders()].map(did => parts.peerOf(did)).filter(peer => standing.isShunned(peer))
  const peers = new Set([...online.keys(), ...standing.knownPeers(), ...shunned])
  return [...peers].map(peer => infoOf(parts, peer, online.get(peer)))
}

function infoOf(parts: PeerServicesComponents, peer: string, online: ConnectedPeer | undefined): PeerInfo {
  const { standing, behaviour, estimates } = parts
  const did = parts.didOf(peer)
  const { latencyMs, bandwidth } = estimates.of(peer)
  const name = standing.nameOf(peer)
  const advert = parts.advertOf(peer)
  const note = standing.whyShunned(peer) ?? whyDoubted(estimates.of(peer).hits)
  return {
    peerId: peer,
    did,
    ...(name === undefined ? {} : { name }),
    addresses: online?.addresses ?? [],
    connected: online !== undefined,
    ...(online === undefined ? {} : { via: online.relayed ? ('relayed' as const) : ('direct' as const) }),
    access: rounded(standing.accessOf(peer)),
    trust: rounded(standing.trustOf(peer)),
    latencyMs: latencyMs === null ? null : rounded(latencyMs),
    bandwidthBytesPerSecond: bandwidth === null ? null : Math.round(bandwidth),
    hasIpfs: parts.hasIpfs(peer) ?? online?.protocols.some(protocol => protocol.startsWith('/ipfs/bitswap/')) ?? false,
    ...(advert === undefined ? {} : { advert }),
    ledger: { ...estimates.ledger(peer), ...behaviour.get(did)?.counts },
    ...(note === undefined ? {} : { note })
  }
}

/** The host would refuse it too, and could not say why. @throws KithError UNAVAILABLE */
function checkNotShunned({ standing }: PeerServicesComponents, address: string): void {
  const peer = address.split('/p2p/').at(-1) ?? ''
  const why = standing.whyShunned(peer)
  if (why === undefined) return
  throw new KithError('UNAVAILABLE', `${peer} is not dialled: ${why}. kith trust get shows more; kith trust unblock ends a block.`, {
    peer
  })
}

function connected(network: Network, peer: string): string {
  if (peer === network.self) throw new KithError('INVALID_PARAMS', `${peer} is this node itself`, { peer })
  if (network.isConnected(peer)) return peer
  throw new KithError('UNAVAILABLE', `${peer} is not connected. kith peers shows who is; kith peers connect ADDRESS connects.`, { peer })
}

/** Where a peer stands in the list: the connected, then the others, then who claims what it has not, last who is shunned; in each the more trusted first. */
interface Place {
  readonly group: number
  readonly trust: number
  readonly peer: string
}

function placeOf(standing: Pick<PeerStanding, 'isShunned'>, { note, connected: isConnected, trust, peerId }: PeerInfo): Place {
  const group = standing.isShunned(peerId) ? 3 : note !== undefined ? 2 : isConnected ? 0 : 1
  return { group, trust, peer: peerId }
}

/** Most of what it said it has, it had not. A few misses are no more than an advert a little old. */
function whyDoubted({ yes, no }: PeerEstimate['hits']): string | undefined {
  return no >= DOUBTED_MISSES_MIN && no > yes ? `says it has what it has not: ${yes} of ${yes + no} claims were true` : undefined
}

function compare(a: Place, b: Place): number {
  return a.group - b.group || b.trust - a.trust || (a.peer < b.peer ? -1 : a.peer > b.peer ? 1 : 0)
}

/** A page goes on after the place where the last one ended, whoever came or left meanwhile. */
function page(
  items: readonly PeerInfo[],
  standing: Pick<PeerStanding, 'isShunned'>,
  { cursor, limit }: { readonly cursor?: string; readonly limit?: number }
): { items: PeerInfo[]; cursor?: string } {
  const sorted = items.map(item => ({ item, place: placeOf(standing, item) })).toSorted((a, b) => compare(a.place, b.place))
  const after = cursor === undefined ? undefined : readCursor(cursor)
  const rest = after === undefined ? sorted : sorted.filter(({ place }) => compare(place, after) > 0)
  const shown = rest.slice(0, limit ?? LIST_LIMIT_DEFAULT)
  const last = shown.at(-1)?.place
  const more = rest.length > shown.length && last !== undefined
  return { items: shown.map(({ item }) => item), ...(more ? { cursor: `${last.group}:${last.trust}:${last.peer}` } : {}) }
}

function readCursor(cursor: string): Place {
  const [group, trust, peer = ''] = cursor.split(':')
  return { group: Number(group), trust: Number(trust), peer }
}

/** Three digits: a cursor holds the same figure as the item. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}
