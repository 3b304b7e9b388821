/** A directory of its own in memory, for what dies by a kill only: that spares the disk thousands of flushes. */
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TemporaryDirectory } from '../support/temporary-directory.ts'

const MEMORY = '/dev/shm'

/** Use with `await using`. On disk where there is no such place. */
export async function memoryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(isWritable(MEMORY) ? MEMORY : tmpdir(), 'kith-'))
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
