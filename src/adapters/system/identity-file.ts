/**
 * HOME/identity.key: the node's Ed25519 private key as libp2p writes it. Made once, durable before it is used,
 * never overwritten: losing it is losing the node's name.
 */
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { constants } from 'node:fs'
import { open, readdir, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { KithError } from '../../errors.ts'
import { didFromPublicKey, peerIdFromPublicKey } from '../../peers/did-key.ts'
import type { Identity } from '../../ports/identity.ts'
import { createFile, errorCode } from './files.ts'

const OTHERS = 0o077
/** A marshalled Ed25519 key has 68 bytes. */
const KEY_FILE_BYTES_MAX = 1024

export interface NodeIdentity {
  /** For libp2p. Never leaves the process otherwise. */
  readonly privateKey: Ed25519PrivateKey
  readonly identity: Identity
}

export interface IdentityInit {
  /** The operator wants a new name for a home that has lost its key; a home that has one keeps it. */
  readonly newIdentity?: boolean
}

/**
 * Reads the key of this home, or makes one for a home that nobody has used. Call while the home's lock is held.
 *
 * @throws KithError START_FAILED if the file can be read by others, is broken, holds another kind of key, or is gone
 */
export async function loadIdentity(home: string, { newIdentity = false }: IdentityInit = {}): Promise<NodeIdentity> {
  const file = join(home, 'identity.key')
  const found = await readKey(file)
  if (found !== undefined && newIdentity) throw notLost(file)
  if (found === undefined && !newIdentity && (await isUsed(home))) throw lost(file)
  const privateKey = found ?? (await makeKey(file))
  return { privateKey, identity: identityOf(privateKey) }
}

/** The store is made right after the first key, and is empty until then. */
async function isUsed(home: string): Promise<boolean> {
  try {
    return (await readdir(join(home, 'store'))).length > 0
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}

function identityOf(privateKey: Ed25519PrivateKey): Identity {
  const raw = privateKey.publicKey.raw
  return {
    peerId: peerIdFromPublicKey(raw),
    did: didFromPublicKey(raw),
    sign: async bytes => await privateKey.sign(bytes)
  }
}

async function makeKey(file: string): Promise<Ed25519PrivateKey> {
  const privateKey = await generateKeyPair('Ed25519')
  await createFile(file, privateKeyToProtobuf(privateKey))
  return privateKey
}

async function readKey(file: string): Promise<Ed25519PrivateKey | undefined> {
  const handle = await openKey(file)
  if (handle === undefined) return undefined
  try {
    await checkFile(file, handle)
    return parseKey(file, await handle.readFile())
  } finally {
    await handle.close()
  }
}

async function openKey(file: string): Promise<FileHandle | undefined> {
  try {
    // A pipe that nobody writes to must not hold the start.
    return await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw new KithError(
      'START_FAILED',
      `${file} cannot be opened (${errorCode(error)}). It must be a plain file that belongs to this user`,
      { file },
      { cause: error }
    )
  }
}

async function checkFile(file: string, handle: FileHandle): Promise<void> {
  const facts = await handle.stat()
  if (!facts.isFile() || facts.size > KEY_FILE_BYTES_MAX) throw broken(file)
  if ((facts.mode & OTHERS) !== 0)
    throw new KithError('START_FAILED', `${file} can be read by other users. If nobody has, close it with: chmod 600 ${file}`, { file })
}

function parseKey(file: string, bytes: Uint8Array): Ed25519PrivateKey {
  try {
    const key = privateKeyFromProtobuf(bytes)
    if (key.type === 'Ed25519') return key
  } catch (error) {
    throw broken(file, error)
  }
  throw broken(file)
}

function lost(file: string): KithError {
  return new KithError(
    'START_FAILED',
    `${file} is gone, though this home was in use. It is the node's name: with another one its peers do not know it, and what they allowed it is lost. Bring it back from a copy, or start once with --new-identity to go on as a new node with the same content`,
    { file }
  )
}

/** Left in a service file, the option would one day replace a lost key without a word. */
function notLost(file: string): KithError {
  return new KithError(
    'START_FAILED',
    `--new-identity is for a home that has no key, and ${file} is there. Start without it; to really be another node, move that file away first`,
    { file }
  )
}

function broken(file: string, cause?: unknown): KithError {
  return new KithError(
    'START_FAILED',
    `${file} holds no Ed25519 private key. Bring it back from a copy; moving it away and starting once with --new-identity gives this node a new identity that nobody knows`,
    { file },
    { cause }
  )
}
