/** Who is to blame for an error: the source that was asked, or this node. */
import { BadDagError } from '../dag/node.ts'
import { KithError } from '../errors.ts'
import { SourceError } from '../ports/block-source.ts'

/**
 * Wrong bytes are the source's fault; everything else that is no SourceError is our own trouble. A malformed node whose
 * bytes do hash to its address is what was asked for: nobody who has it could send another.
 */
export function asSourceError(error: unknown): SourceError | undefined {
  if (error instanceof SourceError) return error
  if (error instanceof KithError && error.code === 'INTEGRITY' && !(error instanceof BadDagError))
    return new SourceError('corrupt', error.message)
  return undefined
}
