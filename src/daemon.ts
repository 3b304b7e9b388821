/**
 * The composition root: builds every part in written order, stops them in reverse, unwinds a start that fails.
 * Holds no logic of its own; whoever wants to know who talks to whom reads this file.
 */
import { join } from 'node:path'
import { localFiles } from './adapters/files/local-files.ts'
import { createGatewaySource, type GatewaySource } from './adapters/gateway/gateway-source.ts'
import { startHeliaSource, type HeliaSource } from './adapters/helia/helia-source.ts'
import { startHost, type Host } from './adapters/libp2p/host.ts'
import { toInterfaceBlockstore } from './adapters/store/interface-blockstore.ts'
import { openRealmStore } from './adapters/store/realm-store.ts'
import { systemClock as clock } from './adapters/system/clock.ts'
import { prepareHome, socketPath } from './adapters/system/home.ts'
import { loadIdentity, type NodeIdentity } from './adapters/system/identity-file.ts'
import { lockHome } from './adapters/system/lock.ts'
import { recallPorts, rememberPorts } from './adapters/system/port-file.ts'
import { systemRandom as random } from './adapters/system/random.ts'
import { openKeyedDigest, openSequenceFile } from './adapters/system/small-files.ts'
import { removeStaleSocket } from './adapters/system/stale-socket.ts'
import { AdvertDirectory } from './adverts/directory.ts'
import { ADVERTS_TOPIC } from './adverts/limits.ts'
import { AdvertPublisher } from './adverts/publisher.ts'
import { publicRoots } from './adverts/public-roots.ts'
import type { Config } from './config/schema.ts'
import { Library } from './content/library.ts'
import { ExchangeClient } from './exchange/client.ts'
import { ExchangeServer } from './exchange/server.ts'
import type { Realm } from './model/privacy.ts'
import type { Ms } from './model/units.ts'
import { EventBus } from './observe/events.ts'
import { didFromPeerId } from './peers/did-key.ts'
import type { Identity } from './ports/identity.ts'
import type { Log } from './ports/log.ts'
import type { RealmStore } from './ports/record-store.ts'
import { startRpcServer } from './rpc/server.ts'
import { buildServices } from './services/build-services.ts'
import { VERSION } from './version.ts'

/** Running calls get this long to end when the daemon stops. */
const DRAIN_MS: Ms = 5_000

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

/** What every step of the start is given. */
interface Start {
  readonly home: string
  readonly config: Config
  readonly log: Log
  /** Closed in reverse order of opening. */
  readonly parts: AsyncDisposableStack
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
  const home = await prepareHome(wanted)
  const step: Start = { home, config, log, parts }
  const socket = socketPath(home, config.api.socket)
  parts.use(await lockHome(home))
  await removeStaleSocket(socket)
  const { identity, privateKey } = await loadIdentity(home)
  const events = new EventBus({ clock })
  const library = await openLibrary(step)
  const host = await openHost(step, privateKey)
  const direct = await openDirect(step, { library, host, identity, events })
  const outside = await openOutside(step, { library, host })
  const stopped = Promise.withResolvers<void>()
  const stop = async (): Promise<void> => {
    await parts.disposeAsync()
    stopped.resolve()
  }
  const services = buildServices({ clock, random, files: localFiles, library, host, identity, events, ...direct, ...outside }, { version: VERSION, config, shown, stop: () => { void stop() } })
  const rpc = await startRpcServer({ services, log, clock }, { socketPath: socket })
  parts.defer(async () => { await rpc.stop({ signal: AbortSignal.timeout(DRAIN_MS) }) })
  return { ready: { socketPath: socket, peerId: identity.peerId, did: identity.did, addresses: host.addresses(), http: null }, stopped: stopped.promise, stop }
}

async function openLibrary ({ home, config, log, parts }: Start): Promise<Library> {
  const open = async (realm: Realm, maxBytes: number): Promise<RealmStore> =>
    parts.use(await openRealmStore({ clock, log }, { directory: join(home, 'store', realm), realm, maxBytes }))
  const realms = { public: await open('public', 0), cache: await open('cache', config.cache.maxBytes), own: await open('own', 0) }
  return new Library({ realms, keyedDigest: await openKeyedDigest(home) })
}

async function openHost ({ home, config, log, parts }: Start, privateKey: NodeIdentity['privateKey']): Promise<Host> {
  const { listen, bootstrap, peering, mdns, maxConnections } = config.network
  const host = await startHost({ log, clock, privateKey }, {
    listen: await recallPorts({ log }, home, listen), bootstrap: bootstrap === 'public' ? [] : bootstrap, peering, mdns, maxConnections
  })
  parts.defer(async () => { await host.stop() })
  await rememberPorts(home, listen, host.addresses())
  return host
}

interface Direct { readonly exchange: ExchangeClient, readonly directory: AdvertDirectory, readonly publisher: AdvertPublisher }

/** Everything between this node and other Kith nodes: adverts out and in, questions out and in. */
async function openDirect ({ home, config, log, parts }: Start, { library, host, identity, events }: { library: Library, host: Host, identity: Identity, events: EventBus }): Promise<Direct> {
  const exchange = new ExchangeClient({ network: host, clock, log, random, identity })
  const directory = new AdvertDirectory(
    { clock, log, events, self: identity.peerId, isConnected: peer => host.isConnected(peer), pull: async (peer, options) => await exchange.advert(peer, options) },
    { maxBytes: config.adverts.maxBytes })
  parts.defer(async () => { await directory.close() })
  const publish = async (topic: string, data: Uint8Array): Promise<void> => { await host.publish(topic, data) }
  const publisher = new AdvertPublisher(
    { identity, clock, random, log, publish, seqStore: await openSequenceFile(home), roots: () => publicRoots(library.realms.public.records) },
    { ...config.adverts, caps: () => ({ did: identity.did, ipfsNode: { enabled: config.ipfs.type === 'helia', type: config.ipfs.type } }) })
  await publisher.start()
  const served: readonly Realm[] = config.privacy.serveFetched === 'anyone' ? ['public', 'cache'] : ['public']
  const policy = { viewFor: () => library.served(served), advert: () => publisher.current() }
  const server = new ExchangeServer({ network: host, clock, log, policy })
  await server.start()
  parts.defer(() => { server.stop() })
  parts.defer(async () => { await publisher.stop() })
  host.subscribe(ADVERTS_TOPIC, async message => await directory.validate(message), message => { directory.receive(message) })
  const connected = (peer: string): void => {
    directory.onConnected(peer)
    events.emit('peer.connected', { peerId: peer, did: didFromPeerId(peer) })
  }
  // The host has been dialling since it started: who speaks something is identified, and was so before anybody listened.
  for (const { peer, protocols } of host.peers()) if (protocols.length > 0) connected(peer)
  host.on({
    connected,
    disconnected: peer => { events.emit('peer.disconnected', { peerId: peer, did: didFromPeerId(peer) }) }
  })
  return { exchange, directory, publisher }
}

interface Outside { readonly ipfs: HeliaSource | undefined, readonly gateways: readonly GatewaySource[] }

/** IPFS and gateways. Bitswap serves the public realm, acknowledged content only, and nothing else. */
async function openOutside ({ config, log, parts }: Start, { library, host }: { library: Library, host: Host }): Promise<Outside> {
  const gateways = config.gateways.map(({ url, timeout }) => createGatewaySource({ clock, log, random }, { url, timeout }))
  parts.defer(async () => { await Promise.all(gateways.map(async gateway => { await gateway.stop() })) })
  if (config.ipfs.type !== 'helia') return { ipfs: undefined, gateways }
  const open = library.served(['public'])
  const blocks = toInterfaceBlockstore({
    write: library.realms.cache.blocks,
    read: [{
      has: async cid => await open.has(cid),
      get: async (cid, options) => await open.get(cid, options),
      keys: options => library.realms.public.blocks.keys(options)
    }]
  })
  const ipfs = await startHeliaSource({ libp2p: host.libp2p, log, clock, readFrom: blocks, writeTo: blocks }, { timeout: config.ipfs.timeout })
  parts.defer(async () => { await ipfs.stop() })
  return { ipfs, gateways }
}
