/**
 * LocalFiles over node:fs. Whether a path may be touched is asked of the folder that was opened, and everything goes
 * through that folder: who renames meanwhile gains nothing. A crash may leave a `.kith-partial-…` file or folder beside
 * the target, never half of one under its final name.
 */
import { constants, type Dirent } from 'node:fs'
import { link, lstat, mkdir, open, readdir, unlink, type FileHandle } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { KithError } from '../../errors.ts'
import type { AbortOptions } from '../../ports/options.ts'
import type { FileSink, FolderSink, LocalEntry, LocalFiles, LocalKind } from '../../ports/local-files.ts'
import { KIB, MIB } from '../../model/units.ts'
import { brokeOff, cannotRead, cannotWrite, errnoOf, moved } from './disk-errors.ts'
import { Home, type Fence } from './fence.ts'
import { createPartialFolder, partialName } from './partial-folder.ts'
import { openAllowed, placeOf, type Place } from './place.ts'

/** One chunk of the standard profile a read: fewer calls, no re-slicing. Bytes. */
const READ_BYTES = MIB
/** Read at once of a file that is small or says nothing of its size: a folder of thousands must not cost a MiB each. Bytes. */
const SMALL_READ_BYTES = 4 * KIB
/** Opening a pipe that nobody writes to would wait for ever, on one of the few threads all disk work shares. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** Any file of this machine. A daemon takes {@link guardedFiles}. */
export const localFiles: LocalFiles = filesBehind({})

/**
 * The files of this machine but those that the daemon keeps in `home`. To open and close a database's file drops the locks that this
 * process holds on it (POSIX), so not even a look is harmless.
 */
export async function guardedFiles(home: string): Promise<LocalFiles> {
  return filesBehind({ home: await Home.at(home) })
}

function filesBehind(fence: Fence): LocalFiles {
  return {
    kindOf: async path => await kindOf(fence, path),
    exists: async path => await exists(fence, path),
    read: (path, options) => read(fence, path, options),
    walk: (path, options) => walk(fence, path, '', options),
    nameOf: path => basename(path),
    join: (folder, name) => join(folder, name),
    makeFolder: async path => await makeFolder(fence, path),
    createFolder: async path => await createFolder(fence, path),
    createFile: async path => await createFile(fence, path),
    within: folders => (folders === undefined ? filesBehind(fence) : filesBehind({ ...fence, within: folders }))
  }
}

async function kindOf(fence: Fence, path: string): Promise<LocalKind> {
  try {
    await using place = await placeOf(fence, path)
    return kindOfEntry(await lstat(place.target))
  } catch (error) {
    throw cannotRead(path, error)
  }
}

async function exists(fence: Fence, path: string): Promise<boolean> {
  try {
    await using place = await placeOf(fence, path)
    await lstat(place.target)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw cannotRead(path, error)
  }
}

async function* read(fence: Fence, path: string, options: AbortOptions): AsyncGenerator<Uint8Array> {
  const handle = await openToRead(fence, path).catch((error: unknown) => {
    throw cannotRead(path, error)
  })
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new KithError('INVALID_PARAMS', `cannot read "${path}": it is not a plain file`, { path })
    // One more than there should be: a read that comes back short is the end, and no other has to find that out.
    let left = stat.size + 1
    while (true) {
      options.signal?.throwIfAborted()
      const chunk = new Uint8Array(Math.min(READ_BYTES, Math.max(left, SMALL_READ_BYTES)))
      const length = await fill(handle, chunk, left - 1).catch((error: unknown) => {
        throw brokeOff(path, error)
      })
      left -= length
      if (length > 0) yield chunk.subarray(0, length)
      if (length < chunk.byteLength) return
    }
  } finally {
    await handle.close()
  }
}

async function openToRead(fence: Fence, path: string): Promise<FileHandle> {
  await using place = await placeOf(fence, path)
  return await openIn(place, path, place.target, READ_FLAGS)
}

async function openIn({ folder }: Place, path: string, target: string, flags: number): Promise<FileHandle> {
  const handle = await open(target, flags, 0o644)
  if (await folder.isSame()) return handle
  await handle.close()
  throw moved(path)
}

/** Reads until the chunk is full, or nothing is left beyond what was `expected`. */
async function fill(
  handle: { read(buffer: Uint8Array, offset: number, length: number): Promise<{ bytesRead: number }> },
  chunk: Uint8Array,
  expected: number
): Promise<number> {
  let length = 0
  while (length < chunk.byteLength) {
    const { bytesRead } = await handle.read(chunk, length, chunk.byteLength - length)
    length += bytesRead
    if (bytesRead === 0 || length === expected) break
  }
  return length
}

async function* walk(fence: Fence, root: string, below: string, options: AbortOptions): AsyncGenerator<LocalEntry> {
  const entries = await entriesOf(fence, join(resolve(root), below)).catch((error: unknown) => {
    throw cannotRead(join(root, below), error)
  })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    options.signal?.throwIfAborted()
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    // A name that is not UTF-8 reads with a replacement character and cannot be opened by what was read.
    if (entry.name.includes('\ufffd') || (entry.isDirectory() && (await fence.home?.is(join(root, path))) === true)) {
      yield { path, kind: 'other' }
      continue
    }
    yield { path, kind: kindOfEntry(entry) }
    if (entry.isDirectory()) yield* walk(fence, root, path, options)
  }
}

async function entriesOf(fence: Fence, path: string): Promise<Dirent[]> {
  await using folder = await openAllowed(fence, path, path, { follow: false, name: '' })
  const entries = await readdir(folder.at, { withFileTypes: true })
  if (!(await folder.isSame())) throw moved(path)
  return entries
}

async function makeFolder(fence: Fence, path: string): Promise<void> {
  try {
    await using place = await placeOf(fence, path)
    await mkdir(place.target)
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

async function createFolder(fence: Fence, path: string): Promise<FolderSink> {
  const { fence: inside, ...partial } = await createPartialFolder(fence, path)
  return { ...partial, files: filesBehind(inside) }
}

async function createFile(fence: Fence, path: string): Promise<FileSink> {
  try {
    const place = await placeOf(fence, path)
    try {
      const partial = join(place.folder.at, partialName())
      return sinkOf(await openIn(place, path, partial, CREATE_FLAGS), place, partial, path)
    } catch (error) {
      await place[Symbol.asyncDispose]()
      throw error
    }
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

/** Owns the handle and the place. */
function sinkOf(handle: FileHandle, place: Place, partial: string, path: string): FileSink {
  const discard = async (): Promise<void> => {
    await handle.close().catch(() => {}) // may be closed by a failed commit
    await unlink(partial).catch(() => {}) // the name is random: nothing else can be meant
    await place[Symbol.asyncDispose]()
  }
  return {
    discard,
    async write(bytes) {
      await handle.writeFile(bytes).catch((error: unknown) => {
        throw cannotWrite(path, error)
      })
    },
    async commit() {
      try {
        await handle.datasync()
        await handle.close()
        if (!(await place.folder.isSame())) throw moved(path)
        await link(partial, place.target) // unlike rename, never replaces what is there
        await unlink(partial)
      } catch (error) {
        await discard()
        throw cannotWrite(path, error)
      }
      await place[Symbol.asyncDispose]()
    }
  }
}

function kindOfEntry(entry: { isFile(): boolean; isDirectory(): boolean }): LocalKind {
  if (entry.isFile()) return 'file'
  return entry.isDirectory() ? 'directory' : 'other'
}
