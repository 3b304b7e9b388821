/** The direct half of a node: adverts out and in, questions out and in. */
import type { Host } from '../adapters/libp2p/host.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import { systemRandom as random } from '../adapters/system/random.ts'
import { openSequenceFile } from '../adapters/system/small-files.ts'
import { AdvertDirectory } from '../adverts/directory.ts'
import { ADVERTS_TOPIC } from '../adverts/limits.ts'
import { publicRoots } from '../adverts/public-roots.ts'
import { AdvertPublisher } from '../adverts/publisher.ts'
import type { Library } from '../content/library.ts'
import { ExchangeClient } from '../exchange/client.ts'
import { ExchangeServer } from '../exchange/server.ts'
import type { Realm } from '../model/privacy.ts'
import type { EventBus } from '../observe/events.ts'
import { didFromPeerId } from '../peers/did-key.ts'
import type { Identity } from '../ports/identity.ts'
import type { Start } from './start.ts'

export interface Direct {
  readonly exchange: ExchangeClient
  readonly directory: AdvertDirectory
  readonly publisher: AdvertPublisher
}

/** Everything between this node and other Kith nodes: adverts out and in, questions out and in. */
export async function openDirect(
  { home, config, log, parts }: Start,
  { library, host, identity, events }: { library: Library; host: Host; identity: Identity; events: EventBus }
): Promise<Direct> {
  const exchange = new ExchangeClient({ network: host, clock, log, random, identity })
  const directory = new AdvertDirectory(
    {
      clock,
      log,
      events,
      self: identity.peerId,
      isConnected: peer => host.isConnected(peer),
      pull: async (peer, options) => await exchange.advert(peer, options)
    },
    { maxBytes: config.adverts.maxBytes }
  )
  parts.defer(async () => {
    await directory.close()
  })
  const publish = async (topic: string, data: Uint8Array): Promise<void> => {
    await host.publish(topic, data)
  }
  const publisher = new AdvertPublisher(
    {
      identity,
      clock,
      random,
      log,
      publish,
      seqStore: await openSequenceFile(home),
      roots: () => publicRoots(library.realms.public.records)
    },
    { ...config.adverts, caps: () => ({ did: identity.did, ipfsNode: { enabled: config.ipfs.type === 'helia', type: config.ipfs.type } }) }
  )
  await publisher.start()
  const served: readonly Realm[] = config.privacy.serveFetched === 'anyone' ? ['public', 'cache'] : ['public']
  const policy = { viewFor: () => library.served(served), advert: () => publisher.current() }
  const server = new ExchangeServer({ network: host, clock, log, policy })
  await server.start()
  parts.defer(() => {
    server.stop()
  })
  parts.defer(async () => {
    await publisher.stop()
  })
  host.subscribe(
    ADVERTS_TOPIC,
    async message => await directory.validate(message),
    message => {
      directory.receive(message)
    }
  )
  watchPeers(host, directory, events)
  return { exchange, directory, publisher }
}

/** Both sides of a new connection pull each other's advert. */
function watchPeers(host: Host, directory: AdvertDirectory, events: EventBus): void {
  const connected = (peer: string): void => {
    directory.onConnected(peer)
    events.emit('peer.connected', { peerId: peer, did: didFromPeerId(peer) })
  }
  // The host has been dialling since it started: who speaks something is identified, and was so before anybody listened.
  for (const { peer, protocols } of host.peers()) if (protocols.length > 0) connected(peer)
  host.on({
    connected,
    disconnected: peer => {
      events.emit('peer.disconnected', { peerId: peer, did: didFromPeerId(peer) })
    }
  })
}
