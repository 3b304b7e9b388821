/** The home directory and the key in it: there, this user's, and nobody else's to read. Changes nothing. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { constants } from 'node:fs'
import type { Stats } from 'node:fs'
import { access, lstat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readSmallFile } from '../../lib/small-file.ts'
import { errorCode } from './finding.ts'
import type { Finding } from './finding.ts'

const OTHERS = 0o077
/** Of a seed, and of a public key. */
const ED25519_BYTES = 32
/** libp2p's PrivateKey (peer-ids.md): field 1 `Type` is 1 (Ed25519), field 2 `Data` has 64 bytes, the seed and the public key. */
const KEY_HEAD = Buffer.from('08011240', 'hex')
const KEY_FILE_BYTES = KEY_HEAD.byteLength + 2 * ED25519_BYTES
/** What stands before a seed in PKCS #8 (RFC 8410, 7). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')
const SUBDIRECTORIES = ['store', 'state', 'swarms', 'keys']

export async function homeFindings(home: string, user: number | undefined = process.getuid?.()): Promise<Finding[]> {
  const facts = await factsOf(home)
  if (facts === undefined) return [await missing(home)]
  if (!facts.isDirectory()) return [notADirectory(home)]
  const found = [
    ...ownerFindings(home, facts, user),
    ...modeFindings(home, facts),
    ...(await writeFindings(home)),
    ...(await keyFindings(home, user))
  ]
  for (const name of SUBDIRECTORIES) {
    const path = join(home, name)
    const inner = await factsOf(path)
    if (inner !== undefined) found.push(...(inner.isDirectory() ? ownerFindings(path, inner, user) : [notADirectory(path)]))
  }
  return found.length > 0 ? found : [{ code: 'HOME', severity: 'ok', message: `the home ${home} is this user's alone` }]
}

/** @returns the nearest directory above (or this one) that exists */
export async function nearestDirectory(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) if ((await factsOf(at))?.isDirectory() === true || at === dirname(at)) return at
}

async function factsOf(path: string): Promise<Stats | undefined> {
  return await lstat(path).catch(() => undefined)
}

async function missing(home: string): Promise<Finding> {
  const above = await nearestDirectory(home)
  const reason = await refusal(above)
  if (reason === undefined)
    return { code: 'HOME_NEW', severity: 'info', message: `there is no home at ${home} yet; kithd makes it at its first start` }
  return {
    code: 'HOME_IMPOSSIBLE',
    severity: 'error',
    message: `there is no home at ${home}, and ${above} may not be written to (${reason})`,
    remedy: 'choose another with --home'
  }
}

async function refusal(directory: string): Promise<string | undefined> {
  return await access(directory, constants.W_OK | constants.X_OK).then(() => undefined, errorCode)
}

function notADirectory(path: string): Finding {
  return {
    code: 'HOME_NOT_A_DIRECTORY',
    severity: 'error',
    message: `${path} is not a directory`,
    remedy: 'move it away, or choose another home with --home'
  }
}

function ownerFindings(path: string, { uid }: Stats, user: number | undefined): Finding[] {
  if (user === undefined || uid === user) return []
  return [
    {
      code: 'HOME_FOREIGN',
      severity: 'error',
      message: `${path} belongs to user ${uid}, and this is user ${user}`,
      remedy: 'start kithd as its owner, or choose another home with --home'
    }
  ]
}

function modeFindings(home: string, { mode }: Stats): Finding[] {
  if ((mode & OTHERS) === 0) return []
  return [{ code: 'HOME_OPEN', severity: 'error', message: `the home ${home} is open to other users`, remedy: `chmod 700 ${home}` }]
}

async function writeFindings(home: string): Promise<Finding[]> {
  const reason = await refusal(home)
  if (reason === undefined) return []
  return [
    {
      code: 'HOME_READ_ONLY',
      severity: 'error',
      message: `the home ${home} may not be written to (${reason})`,
      remedy: 'see how its disk is mounted, and its permissions'
    }
  ]
}

async function keyFindings(home: string, user: number | undefined): Promise<Finding[]> {
  const path = join(home, 'identity.key')
  const facts = await factsOf(path)
  if (facts === undefined) return await lostKey(home, path)
  if (!facts.isFile())
    return [{ code: 'KEY_BROKEN', severity: 'error', message: `${path} is no plain file`, remedy: 'bring the key back from a copy' }]
  if ((facts.mode & OTHERS) !== 0)
    return [
      { code: 'KEY_OPEN', severity: 'error', message: `${path} can be read by other users`, remedy: `if nobody has: chmod 600 ${path}` }
    ]
  const foreign = ownerFindings(path, facts, user)
  return foreign.length > 0 ? foreign : await damagedKey(path)
}

async function damagedKey(path: string): Promise<Finding[]> {
  if (await holdsKey(path)) return []
  return [
    {
      code: 'KEY_BROKEN',
      severity: 'error',
      message: `${path} cannot be read as an Ed25519 private key: kithd does not start with it`,
      remedy: 'bring the key back from a copy; without it the node is somebody nobody knows'
    }
  ]
}

/** Whether a file is what libp2p writes, and its two halves belong together. */
async function holdsKey(path: string): Promise<boolean> {
  try {
    const bytes = await readSmallFile(path, KEY_FILE_BYTES)
    if (bytes.byteLength !== KEY_FILE_BYTES || !bytes.subarray(0, KEY_HEAD.byteLength).equals(KEY_HEAD)) return false
    const [seed, half] = [bytes.subarray(KEY_HEAD.byteLength, -ED25519_BYTES), bytes.subarray(-ED25519_BYTES)]
    const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' })
    return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-ED25519_BYTES).equals(half)
  } catch {
    return false
  }
}

/** A home that a daemon has lived in has a key. */
async function lostKey(home: string, path: string): Promise<Finding[]> {
  if ((await factsOf(join(home, 'store', 'own'))) === undefined) return []
  return [
    {
      code: 'KEY_LOST',
      severity: 'error',
      message: `${path} is gone: the next start makes a new one, and this node will be somebody nobody knows`,
      remedy: 'bring the key back from a copy before you start kithd'
    }
  ]
}
