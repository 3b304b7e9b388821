/** Stands in for a service whose part is not built: every call answers NOT_BUILT. */
import { NotBuiltError } from '../errors.ts'

export function notBuilt(what: string): () => never {
  return () => {
    throw new NotBuiltError(what)
  }
}
