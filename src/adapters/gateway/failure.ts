/** What went wrong with a question to a gateway: whose fault it is, and whether asking again may help. */
import { KithError } from '../../errors.ts'
import { SourceError } from '../../ports/block-source.ts'
import { AddressRefusedError } from './address-guard.ts'
import { LedAstrayError } from './endpoint.ts'
import type { Patience } from './patience.ts'

/** Undefined when the caller gave up. */
export function asSourceError(error: unknown, { signal, timeUp }: Patience): SourceError | undefined {
  if (signal.aborted) return signal.reason === timeUp ? timeUp : undefined
  if (error instanceof SourceError) return error
  if (error instanceof KithError && error.code === 'INTEGRITY')
    return new SourceError('corrupt', `the gateway sent no CAR: ${error.message}`)
  const message = `the connection to the gateway failed: ${causeOf(error)}`
  return error instanceof AddressRefusedError
    ? new LedAstrayError(message, { cause: error })
    : new SourceError('fault', message, { cause: error })
}

/** Faults of the moment: time-outs, 5xx, broken connections. */
export function isPassing(error: unknown): boolean {
  if (error instanceof LedAstrayError || !(error instanceof SourceError)) return false
  return error.outcome === 'fault' || error.outcome === 'timeout'
}

function causeOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
