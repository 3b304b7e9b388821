/**
 * LocalFiles over node:fs. A crash may leave a `.kith-partial-…` file beside the target, never half a file under
 * its final name.
 */
import { constants } from 'node:fs'
import { link, lstat, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { KithError } from '../../errors.ts'
import type { AbortOptions } from '../../ports/options.ts'
import type { FileSink, LocalEntry, LocalFiles, LocalKind } from '../../ports/local-files.ts'
import { KIB, MIB } from '../../model/units.ts'

/** One chunk of the standard profile a read: fewer calls, no re-slicing. Bytes. */
const READ_BYTES = MIB
/** Read at once of a file that is small or says nothing of its size: a folder of thousands must not cost a MiB each. Bytes. */
const SMALL_READ_BYTES = 4 * KIB

export const localFiles: LocalFiles = {
  async kindOf(path) {
    const stat = await lstat(path).catch((error: unknown) => {
      throw cannotRead(path, error)
    })
    return kindOf(stat)
  },
  async exists(path) {
    return await lstat(path).then(
      () => true,
      (error: unknown) => {
        if (errnoOf(error) === 'ENOENT') return false
        throw cannotRead(path, error)
      }
    )
  },
  read,
  walk: (path, options) => walk(path, '', options),
  nameOf: path => basename(path),
  join: (folder, name) => join(folder, name),
  async makeFolder(path) {
    await mkdir(path).catch((error: unknown) => {
      throw cannotWrite(path, error)
    })
  },
  createFile
}

async function* read(path: string, options: AbortOptions): AsyncGenerator<Uint8Array> {
  // Opening a pipe that nobody writes to would wait for ever, on one of the few threads all disk work shares.
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
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
      const length = await fill(handle, chunk, left - 1)
      left -= length
      if (length > 0) yield chunk.subarray(0, length)
      if (length < chunk.byteLength) return
    }
  } finally {
    await handle.close()
  }
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

async function* walk(root: string, below: string, options: AbortOptions): AsyncGenerator<LocalEntry> {
  const entries = await readdir(join(root, below), { withFileTypes: true }).catch((error: unknown) => {
    throw cannotRead(join(root, below), error)
  })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    options.signal?.throwIfAborted()
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    // A name that is not UTF-8 reads with a replacement character and cannot be opened by what was read.
    if (entry.name.includes('\ufffd')) {
      yield { path, kind: 'other' }
      continue
    }
    yield { path, kind: kindOf(entry) }
    if (entry.isDirectory()) yield* walk(root, path, options)
  }
}

async function createFile(path: string): Promise<FileSink> {
  const partial = join(dirname(path), `.kith-partial-${randomBytes(6).toString('hex')}`)
  const handle = await open(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o644).catch(
    (error: unknown) => {
      throw cannotWrite(path, error)
    }
  )
  const discard = async (): Promise<void> => {
    await handle.close().catch(() => {}) // may be closed by a failed commit
    await unlink(partial).catch(() => {}) // the name is random: nothing else can be meant
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
        await link(partial, path) // unlike rename, never replaces what is there
        await unlink(partial)
      } catch (error) {
        await discard()
        throw cannotWrite(path, error)
      }
    }
  }
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean }): LocalKind {
  if (entry.isFile()) return 'file'
  return entry.isDirectory() ? 'directory' : 'other'
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function cannotRead(path: string, error: unknown): KithError {
  const why: Record<string, string> = {
    ENOENT: 'it does not exist',
    EACCES: 'the daemon may not read it',
    ELOOP: 'it is a symbolic link, which is not followed',
    EISDIR: 'it is a directory'
  }
  const code = errnoOf(error) ?? ''
  return new KithError('INVALID_PARAMS', `cannot read "${path}": ${why[code] ?? code}`, { path }, { cause: error })
}

function cannotWrite(path: string, error: unknown): KithError {
  const code = errnoOf(error) ?? ''
  if (code === 'EEXIST') return new KithError('CONFLICT', `"${path}" exists already; nothing was overwritten`, { path })
  if (code === 'ENOSPC' || code === 'EDQUOT') return new KithError('QUOTA_EXCEEDED', `the disk of "${path}" is full`, { path })
  const why: Record<string, string> = {
    ENOENT: 'its folder does not exist',
    EACCES: 'the daemon may not write there',
    ENOTDIR: 'its folder is not a folder',
    EROFS: 'the file system is read-only'
  }
  return new KithError('INVALID_PARAMS', `cannot write "${path}": ${why[code] ?? code}`, { path }, { cause: error })
}
