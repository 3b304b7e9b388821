/** The folder of a path, held open and allowed: where every use of a path begins. */
import { basename, dirname, resolve } from 'node:path'
import { assertAllowed, type Fence } from './fence.ts'
import { openFolder, type Folder } from './folder.ts'

export interface Place extends AsyncDisposable {
  readonly folder: Folder
  /** The path by way of that folder. */
  readonly target: string
}

/** @throws KithError for what is not allowed · what node:fs throws */
export async function placeOf(fence: Fence, path: string): Promise<Place> {
  const full = resolve(path)
  const name = basename(full)
  const folder = await openAllowed(fence, path, dirname(full), { follow: true, name })
  return { folder, target: `${folder.at}/${name}`, [Symbol.asyncDispose]: async () => await folder[Symbol.asyncDispose]() }
}

/**
 * @param path - as the caller wrote it, for the error
 * @param name - what is meant in the folder `at`; `''`: the folder itself
 */
export async function openAllowed(
  fence: Fence,
  path: string,
  at: string,
  { follow, name }: { readonly follow: boolean; readonly name: string }
): Promise<Folder> {
  const folder = await openFolder(at, { follow })
  try {
    await assertAllowed(fence, path, folder.real, name)
    return folder
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    throw error
  }
}
