/**
 * Writing a file that appears whole or not at all and never replaces another. A crash leaves a `.part` file beside
 * the target, which means nothing and may be deleted.
 */
import { constants } from 'node:fs'
import { copyFile, link, lstat, open, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { KithError } from '../errors.ts'

/** @throws KithError CONFLICT if there is something at `path` · INVALID_PARAMS if there is no folder it could lie in */
export async function assertFree(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found !== undefined) throw exists(path)
  const folder = dirname(path)
  const above = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new KithError('INVALID_PARAMS', `the folder ${folder} does not exist`, { path })
  })
  if (above?.isDirectory() === false) throw new KithError('INVALID_PARAMS', `${folder} is no folder, so nothing can lie in it`, { path })
}

/** @throws KithError CONFLICT if `path` exists · whatever `body` throws, with nothing left behind */
export async function saveFile(path: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  const part = join(dirname(path), `.${basename(path).slice(0, 100)}.${process.pid}.part`)
  try {
    await writeAll(part, body)
    await place(part, path)
  } finally {
    await rm(part, { force: true })
  }
}

async function writeAll(part: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(part, 'w').catch((error: NodeJS.ErrnoException) => {
    throw new KithError(
      'UNAVAILABLE',
      `the folder ${dirname(part)} cannot be written to (${error.code ?? error.message})`,
      {},
      { cause: error }
    )
  })
  try {
    for await (const chunk of body) await file.writeFile(chunk)
    await file.sync()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC')
      throw new KithError('QUOTA_EXCEEDED', `the disk of ${dirname(part)} is full`, {}, { cause: error })
    throw error
  } finally {
    await file.close()
  }
}

/** A hard link fails where a rename would replace; file systems without links get an exclusive copy. */
async function place(part: string, path: string): Promise<void> {
  try {
    await link(part, path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST') throw exists(path)
    await copyFile(part, path, constants.COPYFILE_EXCL).catch((failure: NodeJS.ErrnoException) => {
      throw failure.code === 'EEXIST' ? exists(path) : failure
    })
  }
}

function exists(path: string): KithError {
  return new KithError('CONFLICT', `${path} exists already and is not overwritten. Name another place with -o.`, { path })
}
