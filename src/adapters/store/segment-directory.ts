/** The directory of segment files: their names, and making changes of it durable. */
import { open, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { KithError } from '../../errors.ts'
import { MIB } from '../../model/units.ts'
import { errorCode } from './store-error.ts'

/** No crash leaves more than one commit (18 MiB and headers) unknown to the index. Bytes. */
export const TAIL_BYTES_MAX = 24 * MIB

export function segmentPath(directory: string, number: number): string {
  return join(directory, segmentName(number))
}

export function segmentName(number: number): string {
  return `${String(number).padStart(6, '0')}.seg`
}

/** Numbers of the segment files in a directory, ascending. */
export async function listSegments(directory: string): Promise<number[]> {
  const names = await readdir(directory)
  return names
    .filter(name => /^\d{6,}\.seg$/.test(name))
    .map(name => Number.parseInt(name, 10))
    .toSorted((a, b) => a - b)
}

/** A segment of which no block was ever committed: at most one commit is in it. */
export async function removeUnknown(path: string): Promise<void> {
  if ((await stat(path)).size > TAIL_BYTES_MAX) throw staleIndexError(path)
  await unlink(path)
}

/** Durable when it returns: a file that came back after power loss would be one the index does not know. */
export async function removeSegment(directory: string, number: number): Promise<void> {
  await unlink(segmentPath(directory, number)).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error // a crash came between the file and its row
  })
  await syncDirectory(directory)
}

/** More data than a crash can leave behind: throwing it away could be throwing away what somebody relies on. */
export function staleIndexError(path: string): KithError {
  return new KithError(
    'START_FAILED',
    `${path} holds far more than its index knows: the index is older than the segments. Restore index/ and segments/ from the same backup, or move both away to start empty.`,
    { path }
  )
}

/** Makes the creation and removal of files in it durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
