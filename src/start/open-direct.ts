/** The direct half of a node: adverts out and in, questions out and in. */
import type { Host } from '../adapters/libp2p/host.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import { systemRandom as random } from '../adapters/system/random.ts'
import { openSequenceFile } from '../adapters/system/small-files.ts'
import { ClockSkew } from '../adverts/clock-skew.ts'
import { AdvertDirectory } from '../adverts/directory.ts'
import { ADVERTS_TOPIC } from '../adverts/limits.ts'
import { publicRoots } from '../adverts/public-roots.ts'
import { AdvertPublisher } from '../adverts/publisher.ts'
import type { Library } from '../content/library.ts'
import { ExchangeClient } from '../exchange/client.ts'
import { EXCHANGE_PROTOCOL } from '../exchange/protocol.ts'
import type { Ms } from '../model/units.ts'
import type { EventBus } from '../observe/events.ts'
import { didFromPeerId } from '../peers/did-key.ts'
import type { Identity } from '../ports/identity.ts'
import type { AbortOptions } from '../ports/options.ts'
import { answerCapabilities, askForBindings } from './open-capabilities.ts'
import { startListening } from './open-host.ts'
import type { People } from './open-people.ts'
import { openServing, type Serving } from './open-serving.ts'
import { openUpdates, type Updates } from './open-updates.ts'
import { ownCapabilities } from './own-capabilities.ts'
import type { Start } from './start.ts'

export interface Direct extends Updates {
  readonly exchange: ExchangeClient
  readonly directory: AdvertDirectory
  readonly publisher: AdvertPublisher
  readonly serving: Serving
}

export interface DirectComponents {
  readonly library: Library
  /** Made; it listens when everything is registered, so that no early peer is refused. */
  readonly host: Host
  readonly identity: Identity
  readonly events: EventBus
  readonly people: People
  /** Told when a second node with this node's key is heard of. */
  readonly onDuplicateIdentity?: () => void
  /** Told how far the own clock is ahead of what others agree on (below 0: behind); 0 when it agrees again. */
  readonly onClockSkew?: (ms: Ms) => void
}

/** Everything between this node and other Kith nodes: adverts out and in, questions out and in. The host listens when it returns. */
export async function openDirect(step: Start, components: DirectComponents): Promise<Direct> {
  const { log, parts } = step
  const { library, host, identity, events } = components
  const skew = new ClockSkew({ clock, onSkew: ms => components.onClockSkew?.(ms) })
  const exchange = new ExchangeClient({ network: host, clock, log, random, identity })
  const directory = openDirectory(step, components, { exchange, skew })
  const publisher = await openPublisher(step, components)
  const serving = await openServing(step, {
    library,
    host,
    people: components.people,
    shares: components.people.shares,
    advert: () => publisher.current(),
    capabilities: answerCapabilities(step, { ...components.people, identity, publisher })
  })
  parts.defer(async () => {
    await publisher.stop()
  })
  host.subscribe(
    ADVERTS_TOPIC,
    async message => {
      skew.gossip(message)
      return await directory.validate(message)
    },
    message => {
      directory.receive(message)
    }
  )
  host.onEcho((topic, data) => {
    if (topic === ADVERTS_TOPIC && publisher.isForeign(data)) components.onDuplicateIdentity?.()
  })
  watchPeers(host, directory, events)
  askForBindings(step, { ...components.people, host, directory, events, exchange })
  const news = openUpdates(step, components)
  await startListening(step, host)
  components.people.own.start()
  return { exchange, directory, publisher, serving, ...news }
}

function openDirectory(
  { config, log, parts }: Start,
  { host, identity, events, people }: DirectComponents,
  { exchange, skew }: { readonly exchange: ExchangeClient; readonly skew: ClockSkew }
): AdvertDirectory {
  const pull = async (peer: string, options: AbortOptions): Promise<Uint8Array | null> => {
    const advert = await exchange.advert(peer, options)
    if (advert !== null) skew.pulled(peer, advert)
    return advert
  }
  const directory = new AdvertDirectory(
    {
      clock,
      log,
      events,
      self: identity.peerId,
      isConnected: peer => host.isConnected(peer),
      ...people,
      pull
    },
    { maxBytes: config.adverts.maxBytes }
  )
  parts.defer(
    people.standing.onChange(peer => {
      directory.onStanding(peer)
    })
  )
  parts.defer(async () => {
    await directory.close()
  })
  return directory
}

async function openPublisher(
  { home, config, log }: Start,
  { library, host, identity, people }: DirectComponents
): Promise<AdvertPublisher> {
  const publish = async (topic: string, data: Uint8Array): Promise<void> => {
    await host.publish(topic, data)
  }
  const seqStore = await openSequenceFile(home)
  const roots = () => publicRoots(library.realms.public.records)
  const publisher = new AdvertPublisher(
    { identity, clock, random, log, publish, seqStore, roots },
    { ...config.adverts, caps: () => ownCapabilities(config, people.bindings.own().length) }
  )
  await publisher.start()
  return publisher
}

/** Both sides of a new connection pull each other's advert. */
function watchPeers(host: Host, directory: AdvertDirectory, events: EventBus): void {
  host.on({
    connected: peer => {
      const speaksKith = host.peers().some(other => other.peer === peer && other.protocols.includes(EXCHANGE_PROTOCOL))
      if (speaksKith) directory.onConnected(peer)
      events.emit('peer.connected', { peerId: peer, did: didFromPeerId(peer) })
    },
    disconnected: peer => {
      events.emit('peer.disconnected', { peerId: peer, did: didFromPeerId(peer) })
    }
  })
}
