/** What the disk refused, said so that people can act on it. */
import { KithError } from '../../errors.ts'

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

export function cannotRead(path: string, error: unknown): KithError {
  if (error instanceof KithError) return error
  const why: Record<string, string> = {
    ENOENT: 'it does not exist',
    EACCES: 'the daemon may not read it',
    ELOOP: 'it is a symbolic link, which is not followed',
    EISDIR: 'it is a directory'
  }
  const code = errnoOf(error) ?? ''
  return new KithError('INVALID_PARAMS', `cannot read "${path}": ${why[code] ?? code}`, { path }, { cause: error })
}

/** It could be opened, and then not be read: the disk, or what is behind a network file system, fails. */
export function brokeOff(path: string, error: unknown): KithError {
  if (error instanceof KithError) return error
  return new KithError(
    'UNAVAILABLE',
    `reading "${path}" broke off (${errnoOf(error) ?? String(error)}): what it lies on does not give it. Check that disk or network, and try again`,
    { path },
    { cause: error }
  )
}

export function cannotWrite(path: string, error: unknown): KithError {
  if (error instanceof KithError) return error
  const code = errnoOf(error) ?? ''
  if (code === 'EEXIST' || code === 'ENOTEMPTY')
    return new KithError('CONFLICT', `"${path}" exists already; nothing was overwritten`, { path })
  if (code === 'ENOSPC' || code === 'EDQUOT') return new KithError('QUOTA_EXCEEDED', `the disk of "${path}" is full`, { path })
  const why: Record<string, string> = {
    ENOENT: 'its folder does not exist',
    EACCES: 'the daemon may not write there',
    ENOTDIR: 'its folder is not a folder',
    EROFS: 'the file system is read-only'
  }
  return new KithError('INVALID_PARAMS', `cannot write "${path}": ${why[code] ?? code}`, { path }, { cause: error })
}

/** Somebody renames folders under our hands. */
export function moved(path: string): KithError {
  return new KithError('INVALID_PARAMS', `the folder of "${path}" was replaced while it was being used; nothing was read or written`, {
    path
  })
}
