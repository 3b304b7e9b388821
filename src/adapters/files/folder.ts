/**
 * Folders held while something in them is used: what was looked at is what is used, whoever renames or links meanwhile.
 * Holds nothing that a crash could lose.
 */
import { constants } from 'node:fs'
import { open, readlink, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface Folder extends AsyncDisposable {
  /** Where it really lies, after every link on the way, when it was opened. */
  readonly real: string
  /** Names below this are names in the folder that was opened. */
  readonly at: string
  /** To be called once something in it was opened, before that is used: whether it still is the same folder. */
  isSame(): Promise<boolean>
}

export interface FolderOptions {
  /** Whether the last segment may be a symbolic link; those before it always may. */
  readonly follow: boolean
}

/** Linux: names a descriptor that can be neither read nor locked, so closing it drops no lock. Needs no right to read. */
const O_PATH = 0o10000000

/** @throws what node:fs throws: ENOENT, ENOTDIR (also for a link that is not followed), EACCES */
export const openFolder: (path: string, options: FolderOptions) => Promise<Folder> =
  process.platform === 'linux' ? openByDescriptor : openByName

async function openByDescriptor(path: string, { follow }: FolderOptions): Promise<Folder> {
  const handle = await open(path, O_PATH | constants.O_DIRECTORY | (follow ? 0 : constants.O_NOFOLLOW))
  const at = `/proc/self/fd/${handle.fd}`
  try {
    return {
      real: await readlink(at),
      at,
      isSame: async () => true,
      [Symbol.asyncDispose]: async () => await handle.close()
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Where no descriptor can be walked from: a folder swapped and swapped back within one call goes unnoticed. */
export async function openByName(path: string, { follow }: FolderOptions): Promise<Folder> {
  const real = follow ? await realpath(path) : join(await realpath(dirname(path)), basename(path))
  const isSame = async (): Promise<boolean> => (await realpath(real).catch(() => undefined)) === real
  if (!(await isSame())) throw Object.assign(new Error(`${path} is a symbolic link`), { code: 'ENOTDIR' })
  return { real, at: real, isSame, [Symbol.asyncDispose]: async () => {} }
}
