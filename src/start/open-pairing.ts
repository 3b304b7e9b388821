/** Pairing and what comes of it: tickets, single contents shared, and one's own people kept connected. Made before the host listens. */
import { systemClock as clock } from '../adapters/system/clock.ts'
import { systemRandom as random } from '../adapters/system/random.ts'
import { AddressBook } from '../peers/address-book.ts'
import { Invitations } from '../peers/invitations.ts'
import { OwnPeople } from '../peers/own-people.ts'
import { Pairing, type Levels } from '../peers/pairing.ts'
import { Shares } from '../peers/shares.ts'
import type { Control } from '../ports/control.ts'
import type { Identity } from '../ports/identity.ts'
import type { Network } from '../ports/network.ts'
import type { Standing } from '../ports/standing.ts'
import type { StateStore } from '../ports/state-table.ts'
import type { Start } from './start.ts'

export interface PairingParts {
  readonly pairing: Pairing
  /** Single contents given to single peers, and who gave some to this node. */
  readonly shares: Shares
  /** To be started when the host listens. */
  readonly own: OwnPeople
  /** Connects to a peer whose addresses are known, unless it is connected. */
  readonly reach: OwnPeople['reach']
  /** PeerIds of those who gave this node a content by a ticket. */
  readonly sharedBy: Shares['sharersOf']
}

interface PairingComponents {
  readonly host: Network
  readonly identity: Identity
  readonly state: StateStore
  readonly standing: Standing
  readonly levels: Levels
  readonly control: Control
}

export function openPairing({ log, parts }: Start, components: PairingComponents): PairingParts {
  const { host, state, standing } = components
  const book = new AddressBook({ state })
  const shares = new Shares({ clock, state })
  const invitations = new Invitations({ clock, state })
  const own = new OwnPeople({ ...components, network: host, book, clock, random, log })
  parts.defer(() => {
    own.stop()
  })
  const pairing = new Pairing({ ...components, network: host, invitations, shares, book, people: own, clock, random, log })
  const unlisten = standing.onChange(peer => {
    if (standing.whyShunned(peer) !== 'blocked') return // also through who speaks for it
    shares.endPeer(peer).catch((err: unknown) => {
      log.error({ err }, 'that a blocked peer may have nothing any more could not be written; it is served nothing while it is blocked')
    })
  })
  parts.defer(unlisten)
  const reach: PairingParts['reach'] = async (peer, options) => await own.reach(peer, options)
  return { pairing, shares, own, reach, sharedBy: root => shares.sharersOf(root) }
}
