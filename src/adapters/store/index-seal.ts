/**
 * A checksum of the closed index: SQLite has none of its own, so that a bit that flipped at rest could turn a name, a
 * size or an address into another. Written when the index is closed and removed before it is changed, both durably;
 * after a crash there is none, and the index is looked through instead (index-check.ts).
 */
import { open, readFile, unlink, writeFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { MIB } from '../../model/units.ts'
import { syncDirectory } from './segment-directory.ts'
import { errorCode } from './store-error.ts'

const SEAL = 'index.sum'
/** Read in one go: large enough that the calls cost nothing. Bytes. */
const READ_BYTES = MIB

/** What the seal says of the index beside it. `open`: there is none, because it was not closed in order. */
export type SealState = 'whole' | 'damaged' | 'open'

/** To be called while nobody has the index open: closing a second handle would drop SQLite's lock on it. */
export async function checkSeal(directory: string): Promise<SealState> {
  const found = await readFile(`${directory}/${SEAL}`, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return ''
    throw error
  })
  const [line = '', own] = found.trimEnd().split(' #')
  if (own !== checksum(Buffer.from(line)) || (await exists(`${directory}/index.db-wal`))) return 'open' // damaged itself: it says nothing
  return line === (await describe(directory)) ? 'whole' : 'damaged'
}

/** Durable when it returns. */
export async function breakSeal(directory: string): Promise<void> {
  await unlink(`${directory}/${SEAL}`).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error
  })
  await syncDirectory(directory)
}

/** After the index is closed. A log that SQLite could not fold in means that it is not closed in order. */
export async function seal(directory: string): Promise<void> {
  if (await exists(`${directory}/index.db-wal`)) return
  const line = await describe(directory)
  await writeFile(`${directory}/${SEAL}`, `${line} #${checksum(Buffer.from(line))}\n`, { mode: 0o600, flush: true })
  await syncDirectory(directory)
}

async function describe(directory: string): Promise<string> {
  await using file = await open(`${directory}/index.db`, 'r')
  const bytes = Buffer.allocUnsafe(READ_BYTES)
  let size = 0
  let sum = 0
  for (let { bytesRead } = await file.read(bytes); bytesRead > 0; { bytesRead } = await file.read(bytes)) {
    size += bytesRead
    sum = crc32(bytes.subarray(0, bytesRead), sum)
  }
  return `index.db ${size} ${sum.toString(16)}`
}

function checksum(bytes: Uint8Array): string {
  return crc32(bytes).toString(16)
}

async function exists(path: string): Promise<boolean> {
  return await open(path, 'r').then(
    async file => {
      await file.close()
      return true
    },
    () => false
  )
}
