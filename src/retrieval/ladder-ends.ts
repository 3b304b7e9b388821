/** How a ladder ends without the content: the errors, each saying what happened and what to do. Pure. */
import { KithError } from '../errors.ts'
import type { Attempt } from '../model/source.ts'
import type { Ms } from '../model/units.ts'
import type { Running } from './running.ts'

/** Nobody is left to ask. */
export function exhausted(attempts: readonly Attempt[], hasBegun: boolean): KithError {
  if (attempts.some(attempt => attempt.outcome === 'corrupt'))
    return new KithError('INTEGRITY', 'every source that delivered sent bytes that do not match the address; they were thrown away')
  if (hasBegun)
    return new KithError(
      'TIMEOUT',
      'the source that had begun to deliver stopped, and no other is left. What arrived is verified and kept: asking again goes on from there.'
    )
  return new KithError('NOT_FOUND', 'nobody who was asked has this content')
}

/** The search has lasted as long as it may, and these were still being asked. */
export function searchOver(ttl: Ms, asked: readonly Pick<Running, 'candidate' | 'hasSent' | 'isQueued'>[]): KithError {
  const seconds = Math.round(ttl / 1000)
  if (asked.some(({ hasSent }) => hasSent))
    return new KithError(
      'TIMEOUT',
      `a peer was sending, but no block was whole within ${seconds} s: the line is slow. Ask again with a larger ttl (--timeout).`
    )
  if (asked.some(({ isQueued }) => isQueued))
    return new KithError(
      'TIMEOUT',
      `within ${seconds} s a peer could not be asked, because it still sends other contents to this node. Ask again when they are here, or with a larger ttl (--timeout).`
    )
  return asked.some(({ candidate }) => candidate.claims)
    ? new KithError(
        'TIMEOUT',
        `a peer that says it has the content did not deliver within ${seconds} s. Ask again with a larger ttl (--timeout).`
      )
    : new KithError('NOT_FOUND', `nobody delivered within ${seconds} s`)
}
