/** Status, health and shutdown: what an operator asks first. */
import type { Meter } from '../observe/meter.ts'
import type { Bindings } from '../peers/bindings.ts'
import type { Library } from '../content/library.ts'
import type { Clock } from '../ports/clock.ts'
import type { Identity } from '../ports/identity.ts'
import type { Network } from '../ports/network.ts'
import type { HealthBoard } from '../observe/health.ts'
import type { RootLog } from '../ports/log.ts'
import type { NodeHealth, NodeServices, NodeStatus } from '../rpc/services.ts'
import type { StoreUsage } from '../ports/block-store.ts'
import type { Realm } from '../model/privacy.ts'

/** One place outside Kith that gives content, as `daemon.status` shows it. */
export type EndpointHealth = NodeStatus['ipfs']['nodes'][number]

export interface NodeServicesComponents {
  readonly version: string
  readonly apiVersion: string
  readonly runtime: { readonly node: string; rssBytes(): number }
  readonly identity: Identity
  readonly network: Network
  readonly library: Library
  readonly clock: Clock
  readonly meter: Meter
  readonly health: HealthBoard
  /** Brings the conditions up to date before they are shown; cheap. */
  readonly lookAtHealth: () => void
  readonly log: RootLog
  readonly ipfsType: string
  readonly endpoints: () => readonly EndpointHealth[]
  readonly isIpfsConnected: () => boolean
  readonly config: () => Readonly<Record<string, unknown>>
  readonly stop: () => void
  readonly relaying?: () => Relaying
  readonly bindings: Pick<Bindings, 'ownBindings'>
}

type RelayState = NonNullable<NodeStatus['relay']>

/** As the host tells it. */
export type Relaying = Omit<RelayState, 'reservations' | 'relayed'> & { readonly reservations: readonly string[] }

export function nodeServices(parts: NodeServicesComponents): NodeServices {
  const startedAt = parts.clock.monotonic()
  return {
    status: async () => {
      parts.lookAtHealth()
      return {
        version: parts.version,
        peerId: parts.identity.peerId,
        did: parts.identity.did,
        ...speakers(parts.bindings),
        addresses: parts.network.addresses(),
        uptimeSeconds: Math.round((parts.clock.monotonic() - startedAt) / 1000),
        swarms: [],
        ipfs: ipfsStatus(parts),
        store: storeUsage(parts.library),
        health: parts.health.list(),
        memory: { rssBytes: parts.runtime.rssBytes() },
        ...(parts.relaying === undefined ? {} : { relay: relayState(parts.network, parts.relaying()) })
      }
    },
    health: async () => healthOf(parts),
    version: () => ({ version: parts.version, api: parts.apiVersion, node: parts.runtime.node }),
    shutdown: () => {
      parts.stop()
    },
    config: () => parts.config(),
    setLogLevel: level => {
      parts.log.setLevel(level)
    }
  }
}

function speakers(bindings: Pick<Bindings, 'ownBindings'>): Pick<NodeStatus, 'bindings'> {
  const shown = bindings.ownBindings().map(({ did, expires }) => ({ did, expires: new Date(expires * 1000).toISOString() }))
  return shown.length === 0 ? {} : { bindings: shown }
}

function relayState(network: Network, { reservations, maxBytesPerDay, ...rest }: Relaying): RelayState {
  const why =
    rest.relays.length > 0
      ? 'nobody is known to be able to dial this node, so it is reached through a relay'
      : 'it could not be dialled directly, so it is reached through a relay'
  const relayed = network.peers().filter(peer => peer.relayed)
  return {
    ...rest,
    reservations: reservations.length,
    maxBytesPerDay: Number.isFinite(maxBytesPerDay) ? maxBytesPerDay : 0,
    relayed: relayed.map(({ peer, addresses }) => ({ peer, address: addresses[0] ?? '', why }))
  }
}

function ipfsStatus(parts: NodeServicesComponents): NodeStatus['ipfs'] {
  const nodes = parts.endpoints()
  return {
    type: parts.ipfsType,
    healthy: verdict(parts) !== 'unhealthy',
    connected: parts.isIpfsConnected(),
    totalNodes: nodes.length,
    gatewayNodes: nodes.filter(node => node.type === 'gateway').length,
    primaryNode: nodes[0]?.url ?? null,
    nodes
  }
}

function healthOf(parts: NodeServicesComponents): NodeHealth {
  const nodes = parts.endpoints()
  const healthy = nodes.filter(node => node.healthy).length
  return {
    status: verdict(parts),
    nodes: { total: nodes.length, healthy, unhealthy: nodes.length - healthy },
    performance: parts.meter.performance()
  }
}

/**
 * `healthy` if the primary endpoint or at least half of all answer, `degraded` if fewer, `unhealthy` if none. Without any
 * all is well if none was wanted: gateways alone, and none of them.
 */
function verdict({ endpoints, ipfsType }: NodeServicesComponents): NodeHealth['status'] {
  const nodes = endpoints()
  if (nodes.length === 0) return ipfsType === 'gateway-only' ? 'healthy' : 'unhealthy'
  const healthy = nodes.filter(node => node.healthy).length
  if (nodes[0]?.healthy === true || healthy * 2 >= nodes.length) return 'healthy'
  return healthy > 0 ? 'degraded' : 'unhealthy'
}

function storeUsage(library: Library): Record<Realm, StoreUsage> {
  const usage = (realm: Realm): StoreUsage => library.realms[realm].blocks.usage()
  return { public: usage('public'), cache: usage('cache'), own: usage('own') }
}
