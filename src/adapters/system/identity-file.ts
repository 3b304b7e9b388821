/**
 * HOME/identity.key: the node's Ed25519 private key as libp2p writes it. Made once, durable before it is used,
 * never overwritten: losing it is losing the node's name.
 */
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
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

/**
 * Reads the key of this home, or makes one. Call while the home's lock is held.
 *
 * @throws KithError START_FAILED if the file can be read by others, is broken, or holds another kind of key
 */
export async function loadIdentity(home: string): Promise<NodeIdentity> {
  const file = join(home, 'identity.key')
  const privateKey = (await readKey(file)) ?? (await makeKey(file))
  return { privateKey, identity: identityOf(privateKey) }
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
    return await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
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

function broken(file: string, cause?: unknown): KithError {
  return new KithError(
    'START_FAILED',
    `${file} holds no Ed25519 private key. Bring it back from a copy; moving it away gives this node a new identity that nobody knows`,
    { file },
    { cause }
  )
}
