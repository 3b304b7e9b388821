/**
 * The composition root: builds every part in written order, stops them in reverse, unwinds a start that fails.
 * Holds no logic of its own; whoever wants to know who talks to whom reads this file.
 */
import { join } from 'node:path'
import { localFiles } from './adapters/files/local-files.ts'
import { createGatewaySource } from './adapters/gateway/gateway-source.ts'
import { startHeliaSource, type HeliaSource } from './adapters/helia/helia-source.ts'
import { startHost, type Host } from './adapters/libp2p/host.ts'
import { toInterfaceBlockstore } from './adapters/store/interface-blockstore.ts'
import { openRealmStore } from './adapters/store/realm-store.ts'
import { systemClock } from './adapters/system/clock.ts'
import { prepareHome, socketPath } from './adapters/system/home.ts'
import { loadIdentity, type NodeIdentity } from './adapters/system/identity-file.ts'
import { lockHome } from './adapters/system/lock.ts'
import { recallPorts, rememberPorts } from './adapters/system/port-file.ts'
import { systemRandom } from './adapters/system/random.ts'
import { openKeyedDigest, openSequenceFile } from './adapters/system/small-files.ts'
import { removeStaleSocket } from './adapters/system/stale-socket.ts'
import { AdvertDirectory } from './adverts/directory.ts'
import { ADVERTS_TOPIC } from './adverts/limits.ts'
import { AdvertPublisher } from './adverts/publisher.ts'
import { publicRoots } from './adverts/public-roots.ts'
import type { Config } from './config/schema.ts'
import { Library } from './content/library.ts'
import { Putter } from './content/put.ts'
import { ExchangeClient } from './exchange/client.ts'
import { ExchangeServer } from './exchange/server.ts'
import { Semaphore } from './lib/semaphore.ts'
import type { Realm } from './model/privacy.ts'
import type { Ms } from './model/units.ts'
import { EventBus } from './observe/events.ts'
import { Meter } from './observe/meter.ts'
import { didFromPeerId, peerIdFromDid } from './peers/did-key.ts'
import type { Log } from './ports/log.ts'
import type { RealmStore } from './ports/record-store.ts'
import { ClaimsFirst } from './ranking/claims-first.ts'
import { Classifier } from './retrieval/classify.ts'
import { PeerFinder } from './retrieval/peer-finder.ts'
import { Retriever } from './retrieval/retriever.ts'
import { startRpcServer } from './rpc/server.ts'
import { ContentAccess } from './services/content-access.ts'
import { contentServices } from './services/content-services.ts'
import { endpointsOf } from './services/endpoints.ts'
import { nodeServices } from './services/node-services.ts'
import { peerServices } from './services/peer-services.ts'
import { VERSION } from './version.ts'

/** Running calls get this long to end when the daemon stops. */
const DRAIN_MS: Ms = 5_000
/** Retrievals that may wait for a place. */
const RETRIEVALS_WAITING_MAX = 10_000

export interface DaemonOptions {
  readonly home: string
  readonly config: Config
  /** The configuration as written, secrets masked. */
  readonly shown: Readonly<Record<string, unknown>>
  readonly log: Log
}

export interface Daemon {
  readonly ready: { readonly socketPath: string, readonly peerId: string, readonly did: string, readonly addresses: readonly string[], readonly http: string | null }
  /** Resolves when everything is closed, whoever asked for it. */
  readonly stopped: Promise<void>
  stop(): Promise<void>
}

/** @throws KithError START_FAILED and others naming the part and the cause; nothing stays open then */
export async function startDaemon (options: DaemonOptions): Promise<Daemon> {
  const parts = new AsyncDisposableStack()
  try {
    return await start(options, parts)
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

async function start ({ home: wanted, config, shown, log }: DaemonOptions, parts: AsyncDisposableStack): Promise<Daemon> {
  const [clock, random] = [systemClock, systemRandom]
  const home = await prepareHome(wanted)
  const socket = socketPath(home, config.api.socket)
  parts.use(await lockHome(home))
  await removeStaleSocket(socket)
  const { identity, privateKey } = await loadIdentity(home)
  const events = new EventBus({ clock })
  const meter = new Meter({ clock })

  const library = new Library({ realms: await openRealms({ home, config, log }, parts), keyedDigest: await openKeyedDigest(home) })
  const host = await openHost({ home, config, log }, privateKey, parts)
  const exchange = new ExchangeClient({ network: host, clock, log, random, identity })
  const directory = new AdvertDirectory(
    { clock, log, events, self: identity.peerId, isConnected: peer => host.isConnected(peer), pull: async (peer, options) => await exchange.advert(peer, options) },
    { maxBytes: config.adverts.maxBytes })
  const publisher = new AdvertPublisher(
    {
      identity, clock, random, log, seqStore: await openSequenceFile(home),
      publish: async (topic, data) => { await host.publish(topic, data) }, roots: () => publicRoots(library.realms.public.records)
    },
    { ...config.adverts, caps: () => ({ did: identity.did, ipfsNode: { enabled: config.ipfs.type === 'helia', type: config.ipfs.type } }) })
  await publisher.start()
  parts.defer(async () => { await publisher.stop() })
  const server = new ExchangeServer({ network: host, clock, log, policy: {
    viewFor: () => library.served(config.privacy.serveFetched === 'anyone' ? ['public', 'cache'] : ['public']),
    advert: () => publisher.current()
  } })
  await server.start()
  parts.defer(() => { server.stop() })
  host.subscribe(ADVERTS_TOPIC, async message => await directory.validate(message), message => { directory.receive(message) })
  watchPeers(host, directory, events)

  const ipfs = config.ipfs.type === 'helia' ? await openIpfs(host, library, config, log) : undefined
  parts.defer(async () => { await ipfs?.stop() })
  const gateways = config.gateways.map(({ url, timeout }) => createGatewaySource({ clock, log, random }, { url, timeout }))
  parts.defer(async () => { await Promise.all(gateways.map(async gateway => { await gateway.stop() })) })
  const retriever = new Retriever({
    library, ipfs, gateways, clock, random,
    peers: new PeerFinder({ network: host, exchange, directory, ranking: new ClaimsFirst(), clock, didOf: didFromPeerId }),
    slots: new Semaphore({ limit: config.limits.maxConcurrent, waitingMax: RETRIEVALS_WAITING_MAX, name: 'retrievals' })
  }, config.routing)

  const classifier = new Classifier({ library }, config.privacy)
  const stopped = Promise.withResolvers<void>()
  const stop = async (): Promise<void> => {
    await parts.disposeAsync()
    stopped.resolve()
  }
  const services = {
    content: contentServices({
      library, classifier, clock, events, meter, files: localFiles,
      access: new ContentAccess({ library, retriever, classifier, clock }, config.limits),
      putter: new Putter({ library, files: localFiles, clock, events }, { defaultPrivacy: config.privacy.default, maxFileSize: config.limits.maxFileSize }),
      publicChanged: stored => {
        publisher.changed()
        if (stored !== undefined) ipfs?.notifyStored(stored)
      }
    }),
    peers: peerServices({ network: host, didOf: didFromPeerId, peerOf: peerIdFromDid, advertOf: peer => directory.summary(peer), hasIpfs: peer => directory.ipfsOf(peer)?.enabled }),
    adverts: { list: async () => ({ items: directory.list() }) },
    node: nodeServices({
      version: VERSION, apiVersion: VERSION, runtime: { node: process.version, rssBytes: () => process.memoryUsage.rss() },
      identity, network: host, library, clock, meter, ipfsType: config.ipfs.type,
      endpoints: () => endpointsOf(ipfs, gateways), ipfsPeers: () => ipfs?.connectedBitswapPeers() ?? 0,
      config: () => shown, stop: () => { void stop() }
    }),
    events
  }
  const rpc = await startRpcServer({ services, log, clock }, { socketPath: socket })
  parts.defer(async () => { await rpc.stop({ signal: AbortSignal.timeout(DRAIN_MS) }) })
  return { ready: { socketPath: socket, peerId: identity.peerId, did: identity.did, addresses: host.addresses(), http: null }, stopped: stopped.promise, stop }
}

async function openRealms ({ home, config, log }: Omit<DaemonOptions, 'shown'>, parts: AsyncDisposableStack): Promise<Record<Realm, RealmStore>> {
  const open = async (realm: Realm, maxBytes: number): Promise<RealmStore> =>
    parts.use(await openRealmStore({ clock: systemClock, log }, { directory: join(home, 'store', realm), realm, maxBytes }))
  return { public: await open('public', 0), cache: await open('cache', config.cache.maxBytes), own: await open('own', 0) }
}

async function openHost ({ home, config, log }: Omit<DaemonOptions, 'shown'>, privateKey: NodeIdentity['privateKey'], parts: AsyncDisposableStack): Promise<Host> {
  const { listen, bootstrap, peering, mdns, maxConnections } = config.network
  const host = await startHost({ log, clock: systemClock, privateKey }, {
    listen: await recallPorts({ log }, home, listen), bootstrap: bootstrap === 'public' ? [] : bootstrap, peering, mdns, maxConnections
  })
  parts.defer(async () => { await host.stop() })
  await rememberPorts(home, listen, host.addresses())
  return host
}

/** Bitswap serves the public realm, acknowledged content only, and nothing else. */
async function openIpfs (host: Host, library: Library, config: Config, log: Log): Promise<HeliaSource> {
  const open = library.served(['public'])
  const shown = toInterfaceBlockstore({ write: library.realms.cache.blocks, read: [{ has: open.has, get: open.get, keys: options => library.realms.public.blocks.keys(options) }] })
  return await startHeliaSource({ libp2p: host.libp2p, log, clock: systemClock, readFrom: shown, writeTo: shown }, { timeout: config.ipfs.timeout })
}

/** Both sides of a new connection pull each other's advert. */
function watchPeers (host: Host, directory: AdvertDirectory, events: EventBus): void {
  host.on({
    connected: peer => {
      directory.onConnected(peer)
      events.emit('peer.connected', { peerId: peer, did: didFromPeerId(peer) })
    },
    disconnected: peer => { events.emit('peer.disconnected', { peerId: peer, did: didFromPeerId(peer) }) }
  })
}

