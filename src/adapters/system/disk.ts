/** What the file system says of a home: room, and when its files were last written. Reads only. */
import { lstat, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bytes, Ms } from '../../model/units.ts'

export interface DiskSpace {
  /** For this user. */
  readonly freeBytes: Bytes
  readonly totalBytes: Bytes
}

/** Room on the disk that holds a directory. */
export async function diskSpace(directory: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(directory)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** When the newest file that a daemon keeps in its home was written; Unix milliseconds, 0 if there is none. */
export async function newestFileTime(home: string): Promise<Ms> {
  const realms = await names(join(home, 'store'))
  const directories = [join(home, 'state'), ...realms.flatMap(realm => [join(realm, 'segments'), join(realm, 'index')])]
  const files = (await Promise.all(directories.map(names))).flat()
  const times = await Promise.all([join(home, 'identity.key'), ...files].map(timeOf))
  return Math.max(...times)
}

async function names(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(() => [])).map(name => join(directory, name))
}

async function timeOf(file: string): Promise<Ms> {
  return await lstat(file).then(
    facts => facts.mtimeMs,
    () => 0
  )
}
