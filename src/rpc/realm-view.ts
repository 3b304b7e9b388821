/** What a token may see of this node: its realms, what it put itself, and the events about either. */
import { AUDIENCE } from '../observe/events.ts'
import type { Audience, KithEvent } from '../observe/events.ts'
import { isAdmin } from './access.ts'
import type { AccessToken, Caller } from './access.ts'

/** Realms of a token that names none. */
const REALMS_DEFAULT: readonly string[] = ['public']

/** Whether everything in a realm may be seen, whoever put it. */
export function seesRealm({ realms }: AccessToken, realm: string): boolean {
  return (realms ?? REALMS_DEFAULT).includes(realm)
}

export function sees(token: AccessToken, { realm, putBy = [] }: Audience): boolean {
  return seesRealm(token, realm) || putBy.includes(token.name)
}

/** An event about content that does not say whose it is, is the operator's. */
export function seesEvent(caller: Caller, event: KithEvent): boolean {
  if (isAdmin(caller)) return true
  const { token } = caller
  if (token === undefined) return false
  const audience = event[AUDIENCE]
  if (audience !== undefined) return sees(token, audience)
  return !event.type.startsWith('content.') && event.type !== 'pin.state'
}
