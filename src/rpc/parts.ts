/** What the socket is given, and what all its connections share. */
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { openAccess } from './access.ts'
import type { AccessControl, Caller } from './access.ts'
import { KeyedPuts } from './keyed-puts.ts'
import { LineMemory } from './line-memory.ts'
import type { ContentFacts, Disown } from './scoped-content.ts'
import { ScopedServices } from './scoped-services.ts'
import type { Services } from './services.ts'

export interface RpcComponents {
  readonly services: Services
  readonly log: Log
  readonly clock: Clock
  /** Tokens, and what is needed to show each its part. Absent: whoever opens the socket is the operator. */
  readonly access?: { readonly control: AccessControl; readonly facts: ContentFacts; readonly disown?: Disown }
}

export interface RpcParts {
  /** As the caller sees them where a caller is known, else as the operator does. */
  readonly services: Services
  readonly log: Log
  readonly clock: Clock
  readonly access: AccessControl
  readonly servicesFor: (caller: Caller) => Services
  readonly puts: KeyedPuts
  readonly memory: LineMemory
}

export function rpcParts({ services, log, clock, access }: RpcComponents): RpcParts {
  const scoped = access === undefined ? undefined : new ScopedServices({ services, facts: access.facts, disown: access.disown })
  return {
    services,
    log,
    clock,
    access: access?.control ?? openAccess({ tokens: [], socket: 'admin', clock }),
    servicesFor: caller => scoped?.for(caller) ?? services,
    puts: new KeyedPuts({ clock }),
    memory: new LineMemory()
  }
}
