/** Access and trust of a running node: the books, the standing made of them, and no connection to whom it shuns. */
import { systemClock as clock } from '../adapters/system/clock.ts'
import { takeAssertions } from '../peers/assertion-intake.ts'
import { AssertionOutbox } from '../peers/assertion-outbox.ts'
import { AssertionBook } from '../peers/assertions.ts'
import { BehaviourBook } from '../peers/behaviour.ts'
import type { Bindings } from '../peers/judge.ts'
import { PersonBlocks } from '../peers/person-blocks.ts'
import { PeerStanding } from '../peers/standing.ts'
import { TrustBook } from '../peers/trust-book.ts'
import type { Control } from '../ports/control.ts'
import type { Identity } from '../ports/identity.ts'
import type { Network } from '../ports/network.ts'
import type { StateStore } from '../ports/state-table.ts'
import type { Start } from './start.ts'

export interface Trust {
  readonly standing: PeerStanding
  /** Where access is given and taken, by the operator and by pairing. */
  readonly book: TrustBook
  /** How people are blocked, with their nodes. */
  readonly blocks: PersonBlocks
  readonly behaviour: BehaviourBook
  readonly assertions: AssertionBook
}

export interface TrustComponents {
  readonly state: StateStore
  readonly network: Pick<Network, 'on' | 'isConnected' | 'disconnect'>
  readonly bindings?: Bindings
}

export function openTrust({ config, log }: Start, { state, network, bindings }: TrustComponents): Trust {
  const book = new TrustBook({ state })
  const behaviour = new BehaviourBook({ state, clock, log, isKnown: did => book.get(did) !== undefined })
  const assertions = new AssertionBook({ state, clock, isKnown: did => (book.get(did)?.level ?? 0) > 0 })
  const standing = new PeerStanding(
    { clock, log, book, behaviour, assertions, ...(bindings === undefined ? {} : { bindings }) },
    config.trust
  )
  const blocks = new PersonBlocks({ book, state, log, ...(bindings === undefined ? {} : { bindings }) })
  const leave = (peer: string): void => {
    if (!standing.isShunned(peer) || !network.isConnected(peer)) return
    network.disconnect(peer).catch((err: unknown) => {
      log.debug({ err, peer }, 'the connection to a peer that is shunned could not be closed')
    })
  }
  standing.onChange(leave)
  network.on({ connected: leave })
  return { standing, book, blocks, behaviour, assertions }
}

interface PassComponents extends Trust {
  readonly state: StateStore
  readonly identity: Identity
  readonly control: Control
  readonly network: Pick<Network, 'on' | 'isConnected'>
}

/** What others say of third parties comes in from here on, and what is said here goes out. */
export function passAssertions({ log, parts }: Start, components: PassComponents): AssertionOutbox {
  takeAssertions({ ...components, clock, book: components.assertions }, components.control)
  return parts.use(new AssertionOutbox({ ...components, clock, log }))
}
