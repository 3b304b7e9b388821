/** Folders and entry lists as one stream of things to import. */
import { KithError } from '../errors.ts'
import { isSafeName } from '../model/content-id.ts'
import type { LocalFiles } from '../ports/local-files.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { PutEntry } from '../rpc/services.ts'

/** A file (with content) or an empty folder (without). */
export interface TreeItem {
  readonly path: string
  readonly content?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** Everything below a folder of this machine; links, sockets, devices and names no other system could hold are told to `skip` and left out. */
export async function* filesBelow(
  folder: string,
  files: LocalFiles,
  skip: (path: string) => void,
  options: AbortOptions
): AsyncGenerator<TreeItem> {
  let empty: string | undefined // a folder in which nothing was found yet; named only if that stays so
  for await (const entry of files.walk(folder, options)) {
    if (entry.kind === 'other' || !isSafePath(entry.path)) {
      skip(entry.path)
      continue
    }
    if (empty !== undefined && !entry.path.startsWith(`${empty}/`)) yield { path: empty }
    empty = entry.kind === 'directory' ? entry.path : undefined
    if (entry.kind === 'file') yield { path: entry.path, content: files.read(files.join(folder, entry.path), options) }
  }
  if (empty !== undefined) yield { path: empty }
}

export async function* entriesOf(entries: readonly PutEntry[], files: LocalFiles, options: AbortOptions): AsyncGenerator<TreeItem> {
  const seen = new Set<string>()
  const folders = new Set<string>()
  for (const { path, data, file } of entries) {
    assertPath(path)
    if (seen.has(path)) throw new KithError('INVALID_PARAMS', `the entry "${path}" is given twice`, { path })
    seen.add(path)
    const above = path
      .split('/')
      .slice(0, -1)
      .map((_, index, segments) => segments.slice(0, index + 1).join('/'))
    for (const folder of above) folders.add(folder)
    if (folders.has(path) || above.some(folder => seen.has(folder)))
      throw new KithError('INVALID_PARAMS', `the entry "${path}" would be a file and a folder at once`, { path })
    if ((data === undefined) === (file === undefined))
      throw new KithError('INVALID_PARAMS', `the entry "${path}" needs either data or file`, { path })
    yield { path, content: data !== undefined ? [data] : files.read(file ?? '', options) }
  }
}

function isSafePath(path: string): boolean {
  return path.split('/').every(isSafeName)
}

function assertPath(path: string): void {
  if (isSafePath(path)) return
  throw new KithError(
    'INVALID_PARAMS',
    `the path "${path}" is not allowed: relative, segments separated by "/", none of them empty, "." or ".."`,
    { path }
  )
}
