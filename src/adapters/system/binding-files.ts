/** HOME/keys/bindings/*.jwt: statements by which other DIDs let this node speak for them. Laid there by the operator; only read. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readSmallFile, UnfitFileError } from '../../lib/small-file.ts'
import type { Bytes } from '../../model/units.ts'
import { errorCode } from './files.ts'

/** More are no bindings but a mistake. Count. */
const FILES_MAX = 16
/** A binding has some 400 bytes. */
const FILE_BYTES_MAX: Bytes = 4096

export interface BindingFile {
  readonly path: string
  /** Null for what is too large to be one, or no plain file. */
  readonly text: string | null
}

/** In the order of their names; none without the directory. */
export async function readBindingFiles(home: string): Promise<readonly BindingFile[]> {
  const directory = join(home, 'keys', 'bindings')
  const names = await readdir(directory).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  })
  const paths = names
    .filter(name => name.endsWith('.jwt'))
    .toSorted()
    .slice(0, FILES_MAX)
    .map(name => join(directory, name))
  return await Promise.all(paths.map(async path => ({ path, text: await readSmall(path) })))
}

async function readSmall(path: string): Promise<string | null> {
  try {
    return String(await readSmallFile(path, FILE_BYTES_MAX)).trim()
  } catch (error) {
    if (error instanceof UnfitFileError) return null
    throw error
  }
}
