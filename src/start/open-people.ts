/** What a node makes of its peers: durable state, standing, estimates, and the channel for short messages. Opened before anybody can connect. */
import { openStateDb } from '../adapters/system/state-db.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import type { Host } from '../adapters/libp2p/host.ts'
import type { AssertionOutbox } from '../peers/assertion-outbox.ts'
import type { Bindings } from '../peers/bindings.ts'
import { ControlChannel } from '../peers/control.ts'
import type { Control } from '../ports/control.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { Identity } from '../ports/identity.ts'
import type { StateStore } from '../ports/state-table.ts'
import { MeasuredEstimates } from '../ranking/estimates.ts'
import { openBindings } from './open-bindings.ts'
import { openPairing, type PairingParts } from './open-pairing.ts'
import { openTrust, passAssertions, type Trust } from './open-trust.ts'
import type { Start } from './start.ts'

export interface People extends Trust, PairingParts {
  readonly state: StateStore
  readonly estimates: Estimates
  /** Kinds are registered before the host listens. */
  readonly control: Control
  readonly bindings: Bindings
  /** What this node said of others. */
  readonly outbox: AssertionOutbox
}

export interface PeopleComponents {
  readonly host: Host
  readonly identity: Identity
}

export async function openPeople(step: Start, { host, identity }: PeopleComponents): Promise<People> {
  const { home, log, parts } = step
  const onError = (err: Error): void => {
    log.warn({ err }, 'figures about peers could not be written; they are tried again')
  }
  const state = parts.use(await openStateDb({ clock, onError }, home))
  const bindings = await openBindings(step, {
    identity,
    isNamed: did => trust.book.get(did) !== undefined,
    onChange: peer => {
      trust.standing.bindingChanged(peer)
      trust.blocks.seen(peer)
    }
  })
  const trust = openTrust(step, { state, network: host, bindings })
  const { standing, book: levels } = trust
  const estimates = new MeasuredEstimates({ clock, state, isTrusted: peer => standing.isTrusted(peer), onError })
  const control = new ControlChannel({ network: host, standing, clock, log })
  await control.start()
  parts.defer(() => {
    control.stop()
  })
  const outbox = passAssertions(step, { ...trust, state, identity, control, network: host })
  const pairing = openPairing(step, { host, identity, state, standing, levels, control })
  return { state, ...trust, bindings, estimates, control, outbox, ...pairing }
}
