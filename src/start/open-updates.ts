/** News of public contents: what is told by gossip and by peers, in and out. */
import type { Host } from '../adapters/libp2p/host.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import { KnownPublic } from '../adverts/known-public.ts'
import { UPDATES_TOPIC } from '../adverts/update.ts'
import { UpdatePublisher } from '../adverts/update-publisher.ts'
import { UpdateReceiver } from '../adverts/update-receiver.ts'
import type { Library } from '../content/library.ts'
import type { EventBus } from '../observe/events.ts'
import { CONTROL_PROTOCOL } from '../peers/control-codec.ts'
import type { Identity } from '../ports/identity.ts'
import type { People } from './open-people.ts'
import type { Start } from './start.ts'

export interface Updates {
  readonly updates: UpdatePublisher
  readonly knownPublic: KnownPublic
}

export interface UpdatesComponents {
  readonly library: Library
  readonly host: Host
  readonly identity: Identity
  readonly events: EventBus
  readonly people: Pick<People, 'state' | 'standing' | 'control'>
}

/** To be called before the host listens. */
export function openUpdates({ log, parts }: Start, { library, host, identity, events, people }: UpdatesComponents): Updates {
  const { standing, control } = people
  const knownPublic = new KnownPublic({ ...people, log })
  const receiver = new UpdateReceiver({
    clock,
    log,
    events,
    standing,
    self: identity.peerId,
    known: knownPublic,
    isConnected: peer => host.isConnected(peer),
    listeners: () =>
      host
        .peers()
        .filter(({ protocols }) => protocols.includes(CONTROL_PROTOCOL))
        .map(({ peer }) => peer)
        .toSorted((a, b) => standing.trustOf(b) - standing.trustOf(a)),
    tell: async (peer, jwt) => {
      await control.ask(peer, 'available', { jwt }, {})
    }
  })
  control.handle('available', async (peer, body) => await receiver.told(peer, body))
  host.subscribe(
    UPDATES_TOPIC,
    async message => await receiver.validate(message),
    message => {
      receiver.receive(message)
    }
  )
  const updates = new UpdatePublisher({
    identity,
    clock,
    log,
    publish: async (topic, data) => {
      await host.publish(topic, data)
    },
    isPublic: root => library.realms.public.records.get(root) !== undefined
  })
  parts.defer(async () => {
    await updates.close()
  })
  return { updates, knownPublic }
}
