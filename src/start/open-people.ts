/** What a node makes of its peers: durable state, standing, estimates, and the channel for short messages. Opened before anybody can connect. */
import { openStateDb } from '../adapters/system/state-db.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import type { Host } from '../adapters/libp2p/host.ts'
import { KithError } from '../errors.ts'
import { AssertionOutbox } from '../peers/assertion-outbox.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { Identity } from '../ports/identity.ts'
import type { StateStore } from '../ports/state-table.ts'
import { UNMEASURED } from '../ranking/unmeasured.ts'
import { openTrust, type Trust } from './open-trust.ts'
import type { Start } from './start.ts'

export interface People extends Trust {
  readonly state: StateStore
  /** What this node said of others. */
  readonly outbox: AssertionOutbox
  readonly estimates: Estimates
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
  const trust = openTrust(step, { state, network: host })
  const ask = async (peer: string): Promise<never> => {
    throw new KithError('UNAVAILABLE', `peer ${peer} cannot be asked yet`)
  }
  const outbox = parts.use(new AssertionOutbox({ state, clock, identity, network: host, control: { ask }, log }))
  return { state, ...trust, outbox, estimates: UNMEASURED }
}
