/** File habits shared by this folder: whole or not at all, and durable where that is promised. */
import { randomUUID } from 'node:crypto'
import { link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Read and write for the owner alone. */
const PRIVATE_FILE_MODE = 0o600

/**
 * Makes a new private file with these bytes, durable when it returns.
 *
 * @throws EEXIST if there is one; it is left as it was
 */
export async function createFile(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = await writeTemporary(file, bytes)
  try {
    await link(temporary, file)
  } finally {
    await rm(temporary, { force: true })
  }
  await syncDirectory(dirname(file))
}

/** Replaces a private file, durable when it returns: readers see the old bytes or the new ones. */
export async function replaceFile(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = await writeTemporary(file, bytes)
  try {
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncDirectory(dirname(file))
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** The file system or a quota says that there is no room. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(errorCode(error) ?? '')
}

async function writeTemporary(file: string, bytes: Uint8Array): Promise<string> {
  const temporary = `${file}.${randomUUID()}.tmp`
  const handle = await open(temporary, 'wx', PRIVATE_FILE_MODE)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  } finally {
    await handle.close()
  }
  return temporary
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
