/** How a ladder ends without the content: the errors, each saying what happened and what to do. Pure. */
import { KithError } from '../errors.ts'
import type { Attempt } from '../model/source.ts'
import type { Ms } from '../model/units.ts'

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

/** The search has lasted as long as it may. */
export function searchOver(ttl: Ms, isClaimed: boolean): KithError {
  const seconds = Math.round(ttl / 1000)
  return isClaimed
    ? new KithError(
        'TIMEOUT',
        `a peer that says it has the content did not deliver within ${seconds} s. Ask again with a larger ttl (--timeout).`
      )
    : new KithError('NOT_FOUND', `nobody delivered within ${seconds} s`)
}
