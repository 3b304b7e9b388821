/** What the disk and SQLite report, as the errors of Kith. */
import { KithError } from '../../errors.ts'

/** Primary result codes of SQLite (the low byte of `errcode`). */
const SQLITE_ERROR = 1
const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_FULL = 13
const SQLITE_NOTADB = 26

/** A failed write: QUOTA_EXCEEDED for a full disk, else UNAVAILABLE. */
export function writeError(error: unknown, realm: string): KithError {
  if (error instanceof KithError) return error
  if (isDiskFull(error)) {
    return new KithError(
      'QUOTA_EXCEEDED',
      `the disk is full: nothing more can be stored in realm "${realm}". Remove content (kith rm) or free some space on the disk, then try again; what was stored before is safe.`,
      { realm },
      { cause: error }
    )
  }
  return new KithError(
    'UNAVAILABLE',
    `realm "${realm}" could not be written (${describe(error)}). Check the disk; what was stored before is safe.`,
    { realm },
    { cause: error }
  )
}

export function readError(error: unknown, realm: string): KithError {
  if (error instanceof KithError) return error
  return new KithError(
    'UNAVAILABLE',
    `realm "${realm}" could not be read (${describe(error)}). Check the disk.`,
    { realm },
    { cause: error }
  )
}

/** A store that cannot be opened: START_FAILED saying what to do. */
export function openError(error: unknown, directory: string): KithError {
  if (error instanceof KithError) return error
  return new KithError('START_FAILED', `the store in ${directory} cannot be opened: ${openReason(error)}`, { directory }, { cause: error })
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function openReason(error: unknown): string {
  const code = sqliteCode(error)
  if (code === SQLITE_BUSY) return 'another process has it open. Stop that process first.'
  // SQLITE_ERROR while opening: a header that names a format that there is not.
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB || code === SQLITE_ERROR)
    return `its index is damaged: index/index.db (${describe(error)}). Check the disk, then restore index/ and segments/ from the same backup, or move both away to start empty.`
  return `${describe(error)}. Check the disk and the permissions of the directory.`
}

/** There would be room, but it is kept for deletions. */
export class DiskFullError extends Error {
  readonly code = 'ENOSPC'
}

/** The file system, a quota or the database says that there is no room. */
export function isDiskFull(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'ENOSPC' || code === 'EDQUOT' || sqliteCode(error) === SQLITE_FULL
}

function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
