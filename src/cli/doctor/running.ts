/** Who holds the home, and what lies where the socket belongs. Looks only: nothing is removed, no lock is taken. */
import { lstat, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { readSmallFile } from '../../lib/small-file.ts'
import { errorCode } from './finding.ts'
import type { Finding } from './finding.ts'

/** Unix socket paths end at 107 bytes on Linux and 103 on macOS; kithd takes the smaller everywhere. Bytes. */
const SOCKET_PATH_BYTES_MAX = 103
/** The byte that SQLite locks for who may write, and with which the daemon holds HOME/lock. */
const SQLITE_RESERVED_BYTE = 0x4000_0001
/** The number of a process and the end of the line. Bytes. */
const PID_FILE_BYTES_MAX = 64

/** Where the daemon of this home puts its socket. */
export function socketPathIn(home: string, configured: string | null): string {
  return resolve(home, configured ?? 'api.sock')
}

export function socketLengthFindings(path: string): Finding[] {
  const length = Buffer.byteLength(path)
  if (length <= SOCKET_PATH_BYTES_MAX) return []
  return [
    {
      code: 'SOCKET_PATH_LONG',
      severity: 'error',
      message: `the socket path ${path} has ${length} bytes, and the system takes at most ${SOCKET_PATH_BYTES_MAX}`,
      remedy: 'set api.socket to a shorter path, and give it to kith with --socket'
    }
  ]
}

export interface HolderInit {
  /** Where the kernel lists file locks. */
  readonly locks?: string
}

/**
 * The process that holds the home.
 *
 * @returns undefined when nobody does, or it cannot be told
 */
export async function holderOf(home: string, { locks = '/proc/locks' }: HolderInit = {}): Promise<number | undefined> {
  const [facts, table] = await Promise.all([
    lstat(join(home, 'lock')).catch(() => undefined),
    readFile(locks, 'utf8').catch(() => undefined)
  ])
  if (facts === undefined) return undefined
  if (table === undefined) return await notedProcess(home)
  for (const line of table.split('\n')) {
    const [, pid, inode, start, end] = /^\d+: POSIX +\S+ +WRITE (\d+) \S+:(\d+) (\d+) (\d+|EOF)/.exec(line) ?? []
    const isReserved = Number(start) <= SQLITE_RESERVED_BYTE && (end === 'EOF' || Number(end) >= SQLITE_RESERVED_BYTE)
    // A process of another container has no number here.
    if (Number(inode) === facts.ino && isReserved && Number(pid) > 0) return Number(pid)
  }
  return undefined
}

/** Without a list of locks: the process that the last daemon wrote down, if there is one of that number. */
async function notedProcess(home: string): Promise<number | undefined> {
  const pid = await readNote(home)
  if (pid === undefined) return undefined
  try {
    process.kill(pid, 0)
    return pid
  } catch (error) {
    return errorCode(error) === 'EPERM' ? pid : undefined
  }
}

async function readNote(home: string): Promise<number | undefined> {
  const pid = Number(await readSmallFile(join(home, 'state', 'kithd.pid'), PID_FILE_BYTES_MAX).catch(() => ''))
  return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
}

/** Findings for a home at whose socket nobody answered. */
export async function silentFindings(home: string, socketPath: string, init: HolderInit = {}): Promise<Finding[]> {
  const facts = await lstat(socketPath).catch(() => undefined)
  if (facts !== undefined && !facts.isSocket())
    return [
      {
        code: 'SOCKET_IN_THE_WAY',
        severity: 'error',
        message: `${socketPath} is not a socket, and the daemon needs the place`,
        remedy: 'move it, or set api.socket to another path'
      }
    ]
  const holder = await holderOf(home, init)
  if (holder !== undefined)
    return [
      {
        code: 'DAEMON_SILENT',
        severity: 'error',
        message: `process ${holder} holds the home, and nobody answers at ${socketPath}: it is starting or stopping, it hangs, or its socket is elsewhere`,
        remedy: `wait, give its socket with --socket, or end it: kill ${holder}`
      }
    ]
  const stopped: Finding = {
    code: 'DAEMON_STOPPED',
    severity: 'info',
    message: 'no daemon runs in this home',
    remedy: 'start it with kithd'
  }
  const note = await readNote(home)
  if (facts === undefined && note === undefined) return [stopped]
  return [
    stopped,
    {
      code: 'STALE_SOCKET',
      severity: 'info',
      message: `the last daemon${note === undefined ? '' : ` (process ${note})`} was ended without its doing; what it acknowledged is there, and the next start tidies up`
    }
  ]
}
