/** Why a ticket got nothing, in words for the person who holds it. Pure. */
import { KithError } from '../errors.ts'
import type { ControlValue } from '../ports/control.ts'

const WHY = {
  expired: 'this ticket has expired. Ask for a new one',
  used: 'this ticket has been used already, by another node. If that was not you, tell the one who made it; ask for a new one',
  revoked: 'this ticket was taken back by the one who made it. Ask for a new one',
  'not-yours': 'this ticket was made for somebody else. Ask for one that names the DID kith id shows',
  unknown: 'the node that this ticket names does not know it. It may be long expired; ask for a new one',
  unproven: 'the node that this ticket names did not prove that it made it; nothing was granted to it',
  blocked: 'the node that this ticket names is blocked or suspended here'
} as const

export type TicketReason = keyof typeof WHY

/** UNAUTHORIZED; `data.reason` is the word. */
export function ticketError(reason: TicketReason, more?: string): KithError {
  return new KithError('UNAUTHORIZED', more === undefined ? WHY[reason] : `${WHY[reason]}: ${more}`, { reason })
}

/** For the word the maker of the ticket answered; another than those known says no more than `unknown`. */
export function refusedTicket(refused: ControlValue): KithError {
  const known = (['expired', 'used', 'revoked', 'not-yours', 'unknown'] as const).find(word => word === refused)
  return ticketError(known ?? 'unknown')
}
