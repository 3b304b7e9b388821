/** The facade behind the socket, put together from the parts of a running node. */
import type { CID } from 'multiformats/cid'
import type { AdvertDirectory } from '../adverts/directory.ts'
import type { KnownPublic } from '../adverts/known-public.ts'
import type { AdvertPublisher } from '../adverts/publisher.ts'
import type { UpdatePublisher } from '../adverts/update-publisher.ts'
import type { Config } from '../config/schema.ts'
import type { Library } from '../content/library.ts'
import type { Providing } from '../content/providing.ts'
import { Putter } from '../content/put.ts'
import { remembered } from '../lib/remembered.ts'
import type { EventBus } from '../observe/events.ts'
import type { HealthBoard } from '../observe/health.ts'
import type { HealthWatch } from '../observe/health-watch.ts'
import { Meter } from '../observe/meter.ts'
import type { Bindings } from '../peers/bindings.ts'
import { didFromPeerId, peerIdFromDid } from '../peers/did-key.ts'
import type { Pairing } from '../peers/pairing.ts'
import type { Shares } from '../peers/shares.ts'
import type { AppTopics } from '../ports/app-topics.ts'
import type { Clock } from '../ports/clock.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { ExchangeClient } from '../ports/exchange.ts'
import type { Identity } from '../ports/identity.ts'
import type { LocalFiles } from '../ports/local-files.ts'
import type { RootLog } from '../ports/log.ts'
import type { Network } from '../ports/network.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Random } from '../ports/random.ts'
import type { StateStore } from '../ports/state-table.ts'
import { makeRanking } from '../ranking/make-ranking.ts'
import { Classifier } from '../retrieval/classify.ts'
import type { Retriever } from '../retrieval/retriever.ts'
import type { ContentServices, Services } from '../rpc/services.ts'
import { buildRetrieval } from './build-retrieval.ts'
import { ContentAccess } from './content-access.ts'
import { capabilityServices } from './capability-services.ts'
import { contentServices } from './content-services.ts'
import { endpointsOf, type Gateway, type Ipfs } from './endpoints.ts'
import { nodeServices, type EndpointHealth, type Relaying } from './node-services.ts'
import { pairingServices } from './pairing-services.ts'
import { peerServices } from './peer-services.ts'
import { pubsubServices } from './pubsub-services.ts'
import { routeServices } from './route-services.ts'
import { trustServices, type TrustParts } from './trust-services.ts'

export interface BuildComponents {
  readonly clock: Clock
  readonly random: Random
  readonly files: LocalFiles
  readonly library: Library
  readonly host: Network & { readonly topics: AppTopics; reachability(): 'public' | 'private' | 'unknown'; relaying(): Relaying }
  /** Tells IPFS of public roots; absent: nobody is told. */
  readonly providing: Providing | undefined
  readonly identity: Identity
  readonly events: EventBus
  readonly health: HealthBoard
  readonly watch: HealthWatch
  readonly log: RootLog
  readonly exchange: ExchangeClient
  readonly directory: AdvertDirectory
  readonly publisher: AdvertPublisher
  readonly updates: UpdatePublisher
  readonly knownPublic: KnownPublic
  readonly people: {
    readonly state: StateStore
    readonly estimates: Estimates
    readonly bindings: Bindings
    readonly pairing: Pairing
    readonly shares: Shares
    readonly reach: (peer: string, options: AbortOptions) => Promise<void>
    readonly sharedBy: (root: CID) => readonly string[]
  } & TrustParts
  /** A text as a QR code for a terminal. */
  readonly qr: (text: string) => string
  readonly ipfs: Ipfs | undefined
  readonly gateways: readonly Gateway[]
  /** Those that trusted peers name now. */
  readonly peerGateways: () => readonly Gateway[]
}

export interface BuildInit {
  readonly version: string
  readonly config: Config
  /** The configuration as written, secrets masked. */
  readonly shown: Readonly<Record<string, unknown>>
  readonly stop: () => void
}

/** Peers whose DID is kept for the next plan, which names hundreds of them: some 200 bytes each. Count. */
const PLANNED_DIDS_MAX = 4096

export function buildServices(parts: BuildComponents, { version, config, shown, stop }: BuildInit): Services {
  const { clock, library, host, identity, events, directory, ipfs, gateways } = parts
  const meter = new Meter({ clock })
  const endpoints = (): readonly EndpointHealth[] => endpointsOf(ipfs, gateways)
  parts.watch.watchEndpoints(endpoints)
  const reading = buildReading(parts, config)
  return {
    content: buildContent(parts, { ...reading, meter, config }),
    peers: peerServices({
      network: host,
      ...parts.people,
      didOf: didFromPeerId,
      peerOf: peerIdFromDid,
      advertOf: peer => directory.summary(peer),
      hasIpfs: peer => directory.ipfsOf(peer)?.enabled
    }),
    adverts: { list: async () => ({ items: directory.list() }) },
    capabilities: capabilityServices({ ...parts, ...parts.people, network: host }),
    trust: trustServices({ clock, identity, network: host, ...parts.people }),
    pairing: pairingServices({ ...parts.people, library, clock, qr: parts.qr }),
    route: routeServices({ ...parts, ...reading }),
    pubsub: pubsubServices({ topics: host.topics, clock, self: identity.peerId, didOf: didFromPeerId }),
    node: nodeServices({
      version,
      apiVersion: version,
      runtime: { node: process.version, rssBytes: () => process.memoryUsage.rss() },
      identity,
      network: host,
      library,
      clock,
      meter,
      health: parts.health,
      lookAtHealth: () => {
        parts.watch.lookAtEndpoints()
        parts.watch.lookAtStore()
        parts.watch.reachabilityIs(host.reachability())
      },
      log: parts.log,
      ipfsType: config.ipfs.type,
      endpoints,
      relaying: () => host.relaying(),
      bindings: parts.people.bindings,
      isIpfsConnected: () => ipfs?.isConnected() ?? false,
      config: () => shown,
      stop
    }),
    events
  }
}

/** What decides where content comes from, for whoever reads it and whoever asks why. */
interface Reading {
  readonly classifier: Classifier
  readonly retriever: Retriever
}

function buildReading(parts: BuildComponents, config: Config): Reading {
  const { library, host, ipfs, gateways, knownPublic } = parts
  return {
    classifier: new Classifier({ library, isKnownPublic: multihash => knownPublic.isKnownPublic(multihash) }, config.privacy),
    retriever: buildRetrieval(
      {
        ...parts,
        ...parts.people,
        network: host,
        ranking: makeRanking(config.routing.ranking, { random: parts.random }),
        sharedBy: root => parts.people.shares.sharersOf(root),
        ipfs: ipfs?.source,
        gateways: () => [...gateways, ...parts.peerGateways()],
        didOf: remembered(didFromPeerId, PLANNED_DIDS_MAX),
        signedRoots: sha256 => knownPublic.rootsFor(sha256)
      },
      config
    )
  }
}

function buildContent(
  parts: BuildComponents,
  { classifier, retriever, meter, config }: Reading & { readonly meter: Meter; readonly config: Config }
): ContentServices {
  const { clock, files, library, events, publisher, ipfs } = parts
  const publicChanged = (stored?: CID): void => {
    publisher.changed()
    if (stored === undefined) return
    ipfs?.stored(stored)
    const record = library.realms.public.records.get(stored)
    if (record === undefined) return
    parts.providing?.stored(record)
    parts.updates.announce({ ...record, cid: record.root })
  }
  const putInit = {
    defaultPrivacy: config.privacy.default,
    maxFileSize: config.limits.maxFileSize,
    allowedTypes: config.limits.allowedTypes
  }
  const cacheFull = (isFull: boolean): void => parts.watch.cacheIsFull(isFull)
  return contentServices(
    {
      library,
      classifier,
      clock,
      events,
      meter,
      publicChanged,
      removed: async root => await parts.people.pairing.endContent(root),
      files,
      access: new ContentAccess({ library, retriever, classifier, clock, cacheFull }, config.limits),
      putter: new Putter({ library, files, clock, events }, putInit)
    },
    { ...putInit, gateways: config.gateways.map(({ url }) => url) }
  )
}
