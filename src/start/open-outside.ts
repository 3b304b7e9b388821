/** The outer half of a node: IPFS (embedded, or Kubo's) and gateways. */
import { createGatewaySource } from '../adapters/gateway/gateway-source.ts'
import { startHeliaSource } from '../adapters/helia/helia-source.ts'
import { createKuboSource } from '../adapters/kubo/kubo-source.ts'
import type { Host } from '../adapters/libp2p/host.ts'
import { toInterfaceBlockstore } from '../adapters/store/interface-blockstore.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import { systemRandom as random } from '../adapters/system/random.ts'
import type { AdvertDirectory } from '../adverts/directory.ts'
import { PeerGateways } from '../adverts/peer-gateways.ts'
import { SwarmHints } from '../adverts/swarm-hints.ts'
import type { Library } from '../content/library.ts'
import { Semaphore } from '../lib/semaphore.ts'
import type { Ms } from '../model/units.ts'
import type { BlockSource } from '../ports/block-source.ts'
import type { Standing } from '../ports/standing.ts'
import type { Gateway, Ipfs } from '../services/endpoints.ts'
import type { Start } from './start.ts'

/** Requests that wait for a socket: as many retrievals as may run, each with all its requests. */
const SOCKETS_WAITING_MAX = 16_384

/** As long for a block as gateways of the configuration have by default. */
const PEER_GATEWAY_TIMEOUT: Ms = 30_000

export interface Outside {
  readonly ipfs: Ipfs | undefined
  readonly gateways: readonly Gateway[]
  /** Those that trusted peers name now; none where the stage is off. */
  readonly peerGateways: () => readonly Gateway[]
}

export interface OutsideComponents {
  readonly library: Library
  readonly host: Host
  readonly directory: Pick<AdvertDirectory, 'ipfsOf'>
  readonly standing: Pick<Standing, 'trustedPeers'>
}

export async function openOutside(step: Start, components: OutsideComponents): Promise<Outside> {
  const { library, host } = components
  const { limits, ipfs } = step.config
  const sockets = new Semaphore({ limit: limits.maxSockets, waitingMax: SOCKETS_WAITING_MAX, name: 'HTTP sockets' })
  const gateways = openGateways(step, sockets)
  const peerGateways = openPeerGateways(step, components, sockets)
  if (ipfs.type === 'helia') {
    const helia = await openHelia(step, { library, host })
    return { ipfs: { ...helia, source: hinted(step, components, helia.source) }, gateways, peerGateways }
  }
  return { ipfs: ipfs.type === 'kubo' ? openKubo(step, sockets) : undefined, gateways, peerGateways }
}

/** A search in IPFS first dials the nodes that trusted peers named; not where the public swarm is off. */
function hinted({ config, log }: Start, { host, ...components }: OutsideComponents, source: BlockSource): BlockSource {
  if (config.network.publicSwarm === false) return source
  const hints = new SwarmHints({ ...components, clock, log, dial: async address => await host.connect(address) })
  return {
    stage: source.stage,
    concurrency: source.concurrency,
    unavailable: () => source.unavailable(),
    open: root => {
      hints.search()
      return source.open(root)
    },
    report: outcome => {
      source.report?.(outcome)
    }
  }
}

function openPeerGateways({ config, log, parts }: Start, components: OutsideComponents, sockets: Semaphore): Outside['peerGateways'] {
  if (config.gateways.length === 0) return () => []
  const init = { timeout: PEER_GATEWAY_TIMEOUT, retry: config.retry, publicOnly: true }
  const named = new PeerGateways({
    ...components,
    make: url => createGatewaySource({ clock, log, random, sockets }, { url, ...init }),
    stop: async gateway => {
      await gateway.stop()
    }
  })
  parts.defer(async () => {
    await named.close()
  })
  const configured = new Set(config.gateways.map(({ url }) => url))
  return () => named.current().filter(({ url }) => !configured.has(url))
}

function openGateways({ config, log, parts }: Start, sockets: Semaphore): Gateway[] {
  const gateways = config.gateways.map(({ url, timeout }) =>
    createGatewaySource({ clock, log, random, sockets }, { url, timeout, retry: config.retry })
  )
  parts.defer(async () => {
    await Promise.all(
      gateways.map(async gateway => {
        await gateway.stop()
      })
    )
  })
  return gateways
}

/** What is public is given to Kubo, which provides it; and Kubo is asked for what is not here. */
function openKubo({ config, log, parts }: Start, sockets: Semaphore): Ipfs {
  const { api, timeout, projectId, projectSecret } = config.ipfs
  const auth = projectId === null || projectSecret === null ? {} : { auth: { projectId, projectSecret } }
  const source = createKuboSource({ clock, log, random, sockets }, { api, timeout, retry: config.retry, ...auth })
  parts.defer(async () => {
    await source.stop()
  })
  source.start()
  return {
    source,
    routing: source,
    endpoints: () => source.health(),
    isConnected: () => source.health().some(({ healthy }) => healthy),
    stored: () => {} // it is given with its whole DAG, by the routing
  }
}

/** Bitswap serves the public realm, acknowledged content only, and nothing else. */
async function openHelia({ config, log, parts }: Start, { library, host }: { library: Library; host: Host }): Promise<Ipfs> {
  const open = library.served(['public'])
  const blocks = toInterfaceBlockstore({
    write: library.realms.cache.blocks,
    read: [
      {
        has: async cid => await open.has(cid),
        get: async (cid, options) => await open.get(cid, options),
        keys: options => library.realms.public.blocks.keys(options)
      }
    ]
  })
  const source = await startHeliaSource(
    { libp2p: host.libp2p, log, clock, readFrom: blocks, writeTo: blocks, routing: host.publicSwarm },
    { timeout: config.ipfs.timeout }
  )
  parts.defer(async () => {
    await source.stop()
  })
  const { publicSwarm } = config.network
  return {
    source,
    ...(publicSwarm === false || config.ipfs.dht === 'off' ? {} : { routing: host.publicSwarm }),
    endpoints: () => [{ url: 'embedded', type: 'helia', healthy: source.unavailable() === undefined, lastCheck: null, responseTime: null }],
    isConnected: () => source.connectedBitswapPeers() > 0,
    stored: cid => {
      source.notifyStored(cid)
    }
  }
}
