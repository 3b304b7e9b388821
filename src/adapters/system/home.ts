/**
 * The home directory: where everything of a node lies, for its owner's eyes only.
 * Makes the directories; what is in them belongs to others.
 */
import { chmod, lstat, mkdir, readdir, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { KithError } from '../../errors.ts'
import { errorCode } from './files.ts'

const PRIVATE_DIRECTORY_MODE = 0o700
const OTHERS = 0o077
const SUBDIRECTORIES = ['store', 'state', 'swarms', 'keys']
/** Entries by which a directory is known to be a home, or to become one. */
const HOME_ENTRIES = ['identity.key', 'lock', 'config.yaml', ...SUBDIRECTORIES]
/** Unix socket paths end at 107 bytes on Linux and 103 on macOS; the smaller holds everywhere. Bytes. */
const SOCKET_PATH_BYTES_MAX = 103

/**
 * Makes the home directory and its parts, or checks that they belong to this user alone.
 *
 * @returns its absolute path; of a link, that of the directory it leads to, so that changing the link changes nothing that runs
 * @throws KithError START_FAILED if it belongs to someone else or is no directory of Kith
 */
export async function prepareHome(home: string): Promise<string> {
  const named = resolve(home)
  await makeDirectory(named)
  const path = await followed(named)
  await checkDirectory(path)
  for (const name of SUBDIRECTORIES) {
    await makeDirectory(join(path, name))
    await checkOwner(join(path, name))
  }
  return path
}

/** Whether no daemon has run in this home before: it has no identity yet. */
export async function isNewHome(home: string): Promise<boolean> {
  return await lstat(join(home, 'identity.key')).then(
    () => false,
    error => errorCode(error) === 'ENOENT'
  )
}

/**
 * Where the socket goes: `api.socket` (relative to the home) or `api.sock`.
 *
 * @throws KithError START_FAILED if the path is too long for a socket
 */
export function socketPath(home: string, configured: string | null): string {
  const path = resolve(home, configured ?? 'api.sock')
  const length = Buffer.byteLength(path)
  if (length <= SOCKET_PATH_BYTES_MAX) return path
  throw new KithError(
    'START_FAILED',
    `the socket path ${path} has ${length} bytes, and the system takes at most ${SOCKET_PATH_BYTES_MAX}. Set api.socket to a shorter path, such as --set api.socket=/run/user/1000/kith.sock, and give it to kith with --socket`,
    { path, length }
  )
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: PRIVATE_DIRECTORY_MODE })
  } catch (error) {
    throw new KithError(
      'START_FAILED',
      `the directory ${path} cannot be made (${errorCode(error)}). Choose another with --home`,
      { path },
      { cause: error }
    )
  }
}

async function followed(path: string): Promise<string> {
  return (await lstat(path)).isSymbolicLink() ? await realpath(path) : path
}

async function checkOwner(path: string): Promise<number> {
  const facts = await lstat(path)
  const self = process.getuid?.()
  if (!facts.isDirectory()) throw new KithError('START_FAILED', `${path} is not a directory. Choose another with --home`, { path })
  if (self !== undefined && facts.uid !== self)
    throw new KithError(
      'START_FAILED',
      `${path} belongs to user ${facts.uid}, and this process runs as user ${self}. Start kithd as its owner, or choose another with --home`,
      { path }
    )
  return facts.mode
}

/** A home open to others is closed; a directory that merely exists (such as /srv) is not touched. */
async function checkDirectory(path: string): Promise<void> {
  if (((await checkOwner(path)) & OTHERS) === 0) return
  const entries = await readdir(path)
  const isHome = entries.length === 0 || entries.some(name => HOME_ENTRIES.includes(name))
  if (!isHome)
    throw new KithError(
      'START_FAILED',
      `${path} is open to other users and holds files that are not Kith's. Choose another directory with --home, or make it yours alone: chmod 700 ${path}`,
      { path }
    )
  await chmod(path, PRIVATE_DIRECTORY_MODE)
}
