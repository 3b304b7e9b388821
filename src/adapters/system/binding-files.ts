/** HOME/keys/bindings/*.jwt: statements by which other DIDs let this node speak for them. Laid there by the operator; only read. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bytes } from '../../model/units.ts'
import { errorCode } from './files.ts'

/** More are no bindings but a mistake. Count. */
const FILES_MAX = 16
/** A binding has some 400 bytes. */
const FILE_BYTES_MAX: Bytes = 4096

export interface BindingFile {
  readonly path: string
  /** Null for what is too large to be one. */
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
  const facts = await stat(path)
  return facts.isFile() && facts.size <= FILE_BYTES_MAX ? (await readFile(path, 'utf8')).trim() : null
}
