/**
 * A folder that appears under its name when everything is in it: filled as `.kith-partial-…` beside it, and renamed at
 * the end. A crash leaves that one, and the name free.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rename, rmdir, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { cannotWrite, moved } from './disk-errors.ts'
import type { Fence } from './fence.ts'
import { openAllowed, placeOf, type Place } from './place.ts'

/** What is being filled, and the bounds within which that may be done. */
export interface PartialFolder {
  readonly path: string
  readonly fence: Fence
  /** The name must be free. @throws CONFLICT · INVALID_PARAMS; what was written is gone then */
  commit(): Promise<void>
  discard(): Promise<void>
}

export function partialName(): string {
  return `.kith-partial-${randomBytes(6).toString('hex')}`
}

export async function createPartialFolder(fence: Fence, path: string): Promise<PartialFolder> {
  try {
    const place = await placeOf(fence, path)
    try {
      const name = partialName()
      await mkdir(join(place.folder.at, name))
      if (await place.folder.isSame()) return partialOf(fence, path, place, name)
      await rmdir(join(place.folder.at, name))
      throw moved(path)
    } catch (error) {
      await place[Symbol.asyncDispose]()
      throw error
    }
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

/** Owns the place. */
function partialOf(fence: Fence, path: string, place: Place, name: string): PartialFolder {
  const at = join(dirname(resolve(path)), name)
  // It is no name that anybody was allowed, being beside the one that was.
  const inside: Fence = { ...fence, within: [join(place.folder.real, name)] }
  const partial = join(place.folder.at, name)
  const discard = async (): Promise<void> => {
    await removeBelow(inside, at).catch(() => {}) // what somebody else put into it stays
    await rmdir(partial).catch(() => {})
    await place[Symbol.asyncDispose]()
  }
  const appear = async (): Promise<void> => {
    if (!(await place.folder.isSame())) throw moved(path)
    // A rename would replace an empty folder, so that the name is taken first: what it replaces is ours.
    await mkdir(place.target)
    try {
      await rename(partial, place.target)
    } catch (error) {
      await rmdir(place.target).catch(() => {}) // not empty: somebody uses it
      throw error
    }
  }
  return {
    path: at,
    fence: fence.within === undefined ? fence : inside,
    discard,
    async commit() {
      try {
        await appear()
      } catch (error) {
        await discard()
        throw cannotWrite(path, error)
      }
      await place[Symbol.asyncDispose]()
    }
  }
}

/** By way of folders that are held and lie within, so that no link leads out of it. */
async function removeBelow(fence: Fence, path: string): Promise<void> {
  await using folder = await openAllowed(fence, path, path, { follow: false, name: '' })
  for (const entry of await readdir(folder.at, { withFileTypes: true })) {
    const each = join(folder.at, entry.name)
    if (entry.isDirectory()) {
      await removeBelow(fence, join(path, entry.name))
      await rmdir(each)
    } else await unlink(each)
  }
}
