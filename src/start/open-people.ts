/** What a node makes of its peers: durable state, standing, estimates, and the channel for short messages. Opened before anybody can connect. */
import { openStateDb } from '../adapters/system/state-db.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import { systemRandom as random } from '../adapters/system/random.ts'
import type { Host } from '../adapters/libp2p/host.ts'
import { AddressBook } from '../peers/address-book.ts'
import { ControlChannel } from '../peers/control.ts'
import { Invitations } from '../peers/invitations.ts'
import { OwnPeople } from '../peers/own-people.ts'
import { Pairing, type Levels } from '../peers/pairing.ts'
import { Shares } from '../peers/shares.ts'
import { STRANGERS } from '../peers/strangers.ts'
import type { Control } from '../ports/control.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { Identity } from '../ports/identity.ts'
import type { Standing } from '../ports/standing.ts'
import type { StateStore } from '../ports/state-table.ts'
import { UNMEASURED } from '../ranking/unmeasured.ts'
import type { Log } from '../ports/log.ts'
import { didFromPeerId } from '../peers/did-key.ts'
import type { Start } from './start.ts'

export interface People {
  readonly state: StateStore
  readonly standing: Standing
  readonly estimates: Estimates
  /** Kinds are registered before the host listens. */
  readonly control: Control
  readonly pairing: Pairing
  readonly shares: Shares
  /** To be started when the host listens. */
  readonly own: OwnPeople
  /** Connects to a peer whose addresses are known, unless it is connected. */
  readonly reach: OwnPeople['reach']
}

export interface PeopleComponents {
  readonly host: Host
  readonly identity: Identity
}

export async function openPeople({ home, log, parts }: Start, { host, identity }: PeopleComponents): Promise<People> {
  const onError = (err: Error): void => {
    log.warn({ err }, 'figures about peers could not be written; they are tried again')
  }
  const state = parts.use(await openStateDb({ clock, onError }, home))
  const standing: Standing = STRANGERS
  const levels: Levels = { get: () => undefined, setLevel: async () => {} }
  const control = new ControlChannel({ network: host, standing, clock, log })
  await control.start()
  parts.defer(() => {
    control.stop()
  })
  const pairing = openPairing({ host, identity, log, state, standing, levels, control })
  parts.defer(() => {
    pairing.own.stop()
  })
  return { state, standing, estimates: UNMEASURED, control, ...pairing }
}

type PairingParts = PeopleComponents & Pick<People, 'state' | 'standing' | 'control'> & { readonly levels: Levels; readonly log: Log }

function openPairing(parts: PairingParts): Pick<People, 'pairing' | 'shares' | 'own' | 'reach'> {
  const { host, state, standing, levels, log } = parts
  const book = new AddressBook({ state })
  const shares = new Shares({ clock, state })
  const invitations = new Invitations({ clock, state })
  const own = new OwnPeople({ ...parts, network: host, book, clock, random })
  const pairing = new Pairing({ ...parts, network: host, invitations, shares, book, people: own, clock, random })
  standing.onChange(peer => {
    if (levels.get(didFromPeerId(peer))?.isBlocked !== true) return
    shares.endPeer(peer).catch((err: unknown) => {
      log.error(
        { err },
        'what was shared with a blocked peer could not be taken back for good; nothing is served to it while it is blocked'
      )
    })
  })
  return { pairing, shares, own, reach: async (peer, options) => await own.reach(peer, options) }
}
