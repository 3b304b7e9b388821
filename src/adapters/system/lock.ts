/**
 * One daemon for one home. The kernel keeps the lock (SQLite's, on HOME/lock) and lets go of it when the process
 * ends, however it ends: nothing is ever stale, and no process number is mistaken for another.
 * A crash loses nothing; `state/kithd.pid` only tells people who holds it.
 */
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { KithError } from '../../errors.ts'
import { readSmallFile } from '../../lib/small-file.ts'
import type { Ms } from '../../model/units.ts'
import { errorCode, isDiskFull, replaceFile } from './files.ts'

const PRIVATE_FILE_MODE = 0o600
/** The number of a process and the end of the line. Bytes. */
const PID_FILE_BYTES_MAX = 64
/** A daemon killed through its launcher a moment ago needs this long to be gone. */
const LEAVING_MS: Ms = 300
/** SQLite's result code for a lock that is taken. */
const SQLITE_BUSY = 5

/** Held until disposed, or until the process ends. */
export type HomeLock = AsyncDisposable

/**
 * @param home prepared home directory
 * @throws KithError START_FAILED naming the process that holds it
 */
export async function lockHome(home: string): Promise<HomeLock> {
  const database = await openPrivate(join(home, 'lock'))
  try {
    // Reserved for as long as the transaction is open, which is for good: nothing is ever written to it,
    // and the journal of nothing need not lie in the home.
    database.exec(`PRAGMA journal_mode = MEMORY; PRAGMA busy_timeout = ${LEAVING_MS}; BEGIN IMMEDIATE`)
  } catch (error) {
    database.close()
    throw await refusal(home, error)
  }
  const note = join(home, 'state', 'kithd.pid')
  await tell(note)
  return {
    [Symbol.asyncDispose]: async () => {
      if (!database.isOpen) return
      await rm(note, { force: true })
      database.close()
    }
  }
}

/** For people only: on a full disk there is no note, rather than no daemon, and none of an earlier one either. */
async function tell(note: string): Promise<void> {
  try {
    await replaceFile(note, Buffer.from(`${process.pid}\n`))
  } catch (error) {
    if (!isDiskFull(error)) throw error
    await rm(note, { force: true })
  }
}

/**
 * An existing file is opened by SQLite alone: closing any other handle on it in a process gives up all locks
 * this process has on it (POSIX).
 */
async function openPrivate(file: string): Promise<DatabaseSync> {
  try {
    const handle = await open(file, 'wx', PRIVATE_FILE_MODE)
    await handle.close()
  } catch (error) {
    if (errorCode(error) !== 'EEXIST')
      throw new KithError(
        'START_FAILED',
        `${file} cannot be made (${errorCode(error)}). Check that the disk is not full and the home can be written to`,
        { file },
        { cause: error }
      )
  }
  return new DatabaseSync(file)
}

async function refusal(home: string, error: unknown): Promise<KithError> {
  const taken = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
  if (!taken)
    return new KithError(
      'START_FAILED',
      `${join(home, 'lock')} cannot be locked (${error instanceof Error ? error.message : String(error)}). If it is no file of Kith's, remove it`,
      { home },
      { cause: error }
    )
  const pid = await holder(home)
  return new KithError(
    'START_FAILED',
    `another kithd (process ${pid ?? 'unknown'}) already runs in ${home}. Use it, stop it with "kith shutdown", or choose another home with --home`,
    { home, ...(pid !== undefined && { pid }) }
  )
}

async function holder(home: string): Promise<number | undefined> {
  try {
    const pid = Number(await readSmallFile(join(home, 'state', 'kithd.pid'), PID_FILE_BYTES_MAX))
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}
