/** Who is to blame for an error: the source that was asked, or this node. */
import { KithError } from '../errors.ts'
import { SourceError } from '../ports/block-source.ts'

/** Wrong bytes are the source's fault; everything else that is no SourceError is our own trouble. */
export function asSourceError(error: unknown): SourceError | undefined {
  if (error instanceof SourceError) return error
  if (error instanceof KithError && error.code === 'INTEGRITY') return new SourceError('corrupt', error.message)
  return undefined
}
