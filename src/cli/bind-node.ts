/**
 * `kith id bind`: signs with a person's key that the person speaks for a node. Runs where that key is, and needs no
 * daemon if it is told the node: the key is read, used once and shown to nobody. What it makes is no secret.
 */
import { createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseDuration } from '../config/quantities.ts'
import { KithError } from '../errors.ts'
import { usage } from './arguments.ts'
import type { CommandContext } from './command.ts'
import { textOption, waitSignal } from './search-options.ts'
import { printable } from './text.ts'

const LASTS_DEFAULT = '365d'
/** An Ed25519 key as PEM has 119 bytes. */
const KEY_BYTES_MAX = 16_384
/** Of a file name, so that `.jwt` and the mark of a file that is not whole yet still fit. */
const NAME_CHARACTERS_MAX = 200
const MAKE_ONE = 'openssl genpkey -algorithm ed25519 -out person.pem makes one'

interface Person {
  readonly key: KeyObject
  /** The DID of that very key. */
  readonly keyDid: string
  /** Who is to speak for the node. */
  readonly did: string
}

interface Bound {
  readonly jwt: string
  readonly did: string
  readonly node: string
  readonly expires: string
  /** Where it was laid. */
  readonly path?: string
}

/** @throws KithError INVALID_PARAMS naming what is wrong · UNAVAILABLE if no node is named and no daemon runs */
export async function bind(context: CommandContext): Promise<void> {
  const [iat, lasts] = [Math.floor(Date.now() / 1000), await lastsSeconds(context)]
  const isSaved = context.options['save'] === true
  // The socket may be that of another home than the usual one, into which it would be written.
  if (isSaved && context.socket !== undefined) throw usage('--save writes to the home: name it with --home, and leave out --socket')
  const person = await readPerson(context)
  const node = await nodeDid(context)
  if (node === person.keyDid) throw usage('this is the key of the node itself, and a node speaks for itself without a binding')
  const { BINDING_CHARACTERS_MAX, signBinding } = await import('../peers/sign-binding.ts')
  const signer = { did: person.did, sign: async (bytes: Uint8Array) => sign(null, bytes, person.key) }
  const jwt = await signBinding(signer, node, { iat, exp: iat + lasts })
  if (jwt.length > BINDING_CHARACTERS_MAX) throw usage(`--did: it is too long for a binding of ${BINDING_CHARACTERS_MAX} characters`)
  const path = isSaved ? await save(context, person.did, jwt) : undefined
  const bound = {
    jwt,
    did: person.did,
    node,
    expires: new Date((iat + lasts) * 1000).toISOString(),
    ...(path === undefined ? {} : { path })
  }
  context.print(bound, () => path ?? jwt)
  remarks(context, person, bound)
}

async function lastsSeconds(context: CommandContext): Promise<number> {
  const { BINDING_LIFETIME_SECONDS_MAX } = await import('../peers/sign-binding.ts')
  const text = textOption(context, 'expires') ?? LASTS_DEFAULT
  const seconds = Math.floor((parseDuration(text) ?? 0) / 1000)
  if (seconds >= 1 && seconds <= BINDING_LIFETIME_SECONDS_MAX) return seconds
  throw usage(`--expires ${text}: write how long it holds, such as 90d; from 1s to ${BINDING_LIFETIME_SECONDS_MAX / 86_400}d`)
}

async function readPerson(context: CommandContext): Promise<Person> {
  const file = textOption(context, 'key')
  if (file === undefined) throw usage(`name the person's key: kith id bind --key FILE. It is an Ed25519 key as PEM; ${MAKE_ONE}`)
  const key = parseKey(file, await readKey(context, file))
  const { didFromPublicKey } = await import('../peers/did-key.ts')
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
  const keyDid = didFromPublicKey(new Uint8Array(Buffer.from(x, 'base64url')))
  const named = textOption(context, 'did')
  if (named === undefined) return { key, keyDid, did: keyDid }
  const did = await didOf('--did', named)
  if (did.startsWith('did:key:') && did !== keyDid) throw usage(`--did ${did} is not the DID of this key, which is ${keyDid}`)
  return { key, keyDid, did }
}

async function readKey({ io }: CommandContext, file: string): Promise<string> {
  if (file === '-') {
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of io.stdin) {
      const piece = Buffer.from(part)
      bytes += piece.byteLength
      if (bytes > KEY_BYTES_MAX) throw usage('standard input is no key: it is too long')
      parts.push(piece)
    }
    return Buffer.concat(parts).toString('utf8')
  }
  const path = resolve(io.cwd, file)
  const facts = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw usage(`--key ${file} cannot be read (${error.code ?? error.message})`)
  })
  if (!facts.isFile() || facts.size > KEY_BYTES_MAX) throw usage(`--key ${file} is no key: it is to be a small file`)
  return await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw usage(`--key ${file} cannot be read (${error.code ?? error.message})`)
  })
}

/** Nothing of the text is ever repeated: it is a secret. */
function parseKey(file: string, text: string): KeyObject {
  if (text.includes('ENCRYPTED'))
    throw usage(`--key ${file} is encrypted. Hand it over without its passphrase: openssl pkey -in ${file} | kith id bind --key - …`)
  try {
    const key = createPrivateKey(text)
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // Said below, whatever it was.
  }
  throw usage(`--key ${file} holds no Ed25519 private key as PEM ("-----BEGIN PRIVATE KEY-----"); ${MAKE_ONE}`)
}

/** The node it is for: the one that is named, else the one that runs here. */
async function nodeDid(context: CommandContext): Promise<string> {
  const named = textOption(context, 'for')
  if (named !== undefined) {
    const did = await didOf('--for', named)
    if (did.startsWith('did:key:')) return did
    throw usage(`--for ${named}: a node is named by its PeerId or its did:key, which kith id shows`)
  }
  try {
    const client = await context.client()
    return (await client.call('daemon.status', {}, { signal: waitSignal(context) })).did
  } catch (error) {
    if (!(error instanceof KithError) || error.data['notRunning'] !== true) throw error
    throw new KithError(
      error.code,
      `no daemon runs here that could say which node is meant. Name it: --for DID, as kith id shows it there`,
      error.data
    )
  }
}

async function didOf(option: string, text: string): Promise<string> {
  const { parseDid } = await import('../peers/did.ts')
  try {
    return parseDid(text)
  } catch (error) {
    throw error instanceof KithError ? usage(`${option}: ${error.message}`) : error
  }
}

/** Into the home, in place of an older one of the same person. */
async function save({ home }: CommandContext, did: string, jwt: string): Promise<string> {
  const root = home ?? join(homedir(), '.kith')
  if ((await stat(root).catch(() => undefined))?.isDirectory() !== true)
    throw usage(`${root} is no home of a node. Name it with --home, or leave out --save and lay the binding there yourself`)
  const folder = join(root, 'keys', 'bindings')
  const path = join(folder, fileName(did))
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(`${path}.part`, `${jwt}\n`, { mode: 0o600 })
    await rename(`${path}.part`, path)
  } catch (error) {
    throw new KithError(
      'UNAVAILABLE',
      `the binding cannot be written to ${folder} (${error instanceof Error ? error.message : ''})`,
      {},
      { cause: error }
    )
  }
  return path
}

function fileName(did: string): string {
  return `${did.slice(0, NAME_CHARACTERS_MAX)}.jwt`
}

function remarks(context: CommandContext, { did, keyDid }: Person, { node, expires, path }: Bound): void {
  const where = path === undefined ? `Lay it on that node as HOME/keys/bindings/NAME.jwt` : 'It lies there'
  context.note(printable(`By this ${did} speaks for ${node} until ${expires}.`))
  context.note(`${where}; the node shows it from its next start on.`)
  if (did !== keyDid)
    context.note(
      `Others believe it if the document of that DID lists this key under assertionMethod, as type Multikey with publicKeyMultibase ${keyDid.slice('did:key:'.length)}`
    )
  context.note(printable(`On other nodes, kith trust set ${did} LEVEL then counts for it.`))
}
