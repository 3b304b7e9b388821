/**
 * The format version of an index, from the first bytes of the file: looked at before anything else, because a later
 * version may have other checks. Reads only. Format: https://www.sqlite.org/fileformat2.html#the_database_header
 */
import { open } from 'node:fs/promises'
import { KithError } from '../../errors.ts'
import { STORE_FORMAT_VERSION } from './segment-format.ts'
import { errorCode } from './store-error.ts'

/** "KITH", so that `file` and other tools can tell what this is. */
export const APPLICATION_ID = 0x4b49_5448
const HEADER_BYTES = 100
const USER_VERSION_AT = 60
const APPLICATION_ID_AT = 68

/**
 * To be called while nobody has the index open. What is missing, or no index of Kith, is left for others to judge.
 *
 * @throws KithError START_FAILED if a later version wrote it
 */
export async function checkVersion(path: string): Promise<void> {
  const header = await readHeader(path)
  if (header?.readUInt32BE(APPLICATION_ID_AT) !== APPLICATION_ID) return
  const version = header.readUInt32BE(USER_VERSION_AT)
  if (version > STORE_FORMAT_VERSION) throw versionError(path, version)
}

export function versionError(path: string, version: number): KithError {
  const advice =
    version > STORE_FORMAT_VERSION
      ? 'Update Kith, or use another home directory.'
      : 'Export the content with the version that wrote it and import it here.'
  return new KithError(
    'START_FAILED',
    `the store ${path} has format version ${version}; this version of Kith reads ${STORE_FORMAT_VERSION}. ${advice}`,
    { version, expected: STORE_FORMAT_VERSION }
  )
}

/** There are segments, and nothing says what is in them. A young index lies in its log alone: then that is what is damaged. */
export function emptyIndexError(path: string, hadLog: boolean): KithError {
  const what = hadLog ? `lies in its log ${path}-wal, which is damaged at its start` : `${path} is missing or empty`
  return new KithError(
    'START_FAILED',
    `there are segments but their index ${what}. Nothing was changed, and the blocks are still there. Restore index/ and segments/ from the same backup; without one keep a copy of both before you move them away to start empty.`,
    { path }
  )
}

async function readHeader(path: string): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, 'r')
    const header = Buffer.alloc(HEADER_BYTES)
    const { bytesRead } = await file.read(header, 0, HEADER_BYTES, 0)
    return bytesRead === HEADER_BYTES ? header : undefined
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
