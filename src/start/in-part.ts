/** Gives a failed start its cause: which part, and what to do, instead of what the system called it. */
import { KithError } from '../errors.ts'

/**
 * Opens a part. Errors of Kith pass as they are, and so do bugs; an error of the system (a full disk, something in the
 * way) becomes START_FAILED that names the part.
 */
export async function inPart<T>(part: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    if (error instanceof KithError || !isOfTheSystem(error)) throw error
    throw new KithError(
      'START_FAILED',
      `${part} cannot be opened: ${error.message}. Check that the disk is neither full nor read-only, and that nothing is in the way`,
      { part },
      { cause: error }
    )
  }
}

/** Errors of system calls carry a number, those of SQLite another. */
function isOfTheSystem(error: unknown): error is Error {
  return error instanceof Error && ('errno' in error || 'errcode' in error)
}
