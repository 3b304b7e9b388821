/** DID documents read strictly: the Ed25519 keys by which a DID may assert, and nothing else. Pure. */
import { base58btc } from 'multiformats/bases/base58'
import { equals, fromString } from 'uint8arrays'
import { KithError } from '../../errors.ts'

/** Keys taken from one document. Count. */
const KEYS_MAX = 8
/** Entries looked at. Count. */
const ENTRIES_MAX = 64
const KEY_BYTES = 32
/** Multicodec of an Ed25519 public key. */
const ED25519_PREFIX = Uint8Array.of(0xed, 0x01)
/** `z` and 34 bytes in base58 have 48 characters; decoding is quadratic. Characters. */
const MULTIBASE_CHARACTERS_MAX = 64
const BASE64_KEY = /^[A-Za-z0-9_-]{43}$/

/**
 * @returns raw Ed25519 keys listed under `assertionMethod`, by reference or embedded
 * @throws KithError INTEGRITY for a document of another DID, one that does not read, or one without such a key
 */
export function keysOf(did: string, text: string): readonly Uint8Array[] {
  const document = parse(did, text)
  if (document['id'] !== did) throw unbelievable(did, 'it is that of another DID')
  const methods = new Map(records(document['verificationMethod']).map(method => [absolute(did, method['id']), method]))
  const keys = entries(document['assertionMethod'])
    .map(entry => (typeof entry === 'string' ? methods.get(absolute(did, entry)) : isRecord(entry) ? entry : undefined))
    .flatMap(method => keyIn(did, method) ?? [])
  if (keys.length === 0) throw unbelievable(did, 'it lists no Ed25519 key under assertionMethod')
  return keys.slice(0, KEYS_MAX)
}

function keyIn(did: string, method: Record<string, unknown> | undefined): Uint8Array | undefined {
  // A key under somebody else's control says nothing about this DID.
  if (method === undefined || method['controller'] !== did) return undefined
  const { type, publicKeyMultibase, publicKeyJwk } = method
  if ((type === 'Ed25519VerificationKey2020' || type === 'Multikey') && typeof publicKeyMultibase === 'string')
    return fromMultibase(publicKeyMultibase)
  return type === 'JsonWebKey2020' || type === 'JsonWebKey' ? fromJwk(publicKeyJwk) : undefined
}

function fromMultibase(text: string): Uint8Array | undefined {
  if (text.length > MULTIBASE_CHARACTERS_MAX) return undefined
  try {
    const bytes = base58btc.decode(text)
    const isKey = bytes.byteLength === ED25519_PREFIX.byteLength + KEY_BYTES && equals(bytes.subarray(0, 2), ED25519_PREFIX)
    return isKey ? bytes.slice(ED25519_PREFIX.byteLength) : undefined
  } catch {
    return undefined
  }
}

function fromJwk(jwk: unknown): Uint8Array | undefined {
  if (!isRecord(jwk) || jwk['kty'] !== 'OKP' || jwk['crv'] !== 'Ed25519' || 'd' in jwk) return undefined
  const { x } = jwk
  return typeof x === 'string' && BASE64_KEY.test(x) ? fromString(x, 'base64url') : undefined
}

/** References may leave out the DID they belong to. */
function absolute(did: string, id: unknown): string {
  return typeof id === 'string' && id.startsWith('#') ? `${did}${id}` : String(id)
}

function parse(did: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (isRecord(value)) return value
  } catch (error) {
    throw unbelievable(did, 'it is no JSON', { cause: error })
  }
  throw unbelievable(did, 'it is no JSON object')
}

function entries(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(0, ENTRIES_MAX) : []
}

function records(value: unknown): Record<string, unknown>[] {
  return entries(value).filter(isRecord)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unbelievable(did: string, why: string, options?: ErrorOptions): KithError {
  return new KithError('INTEGRITY', `the document of ${did} is not believed: ${why}`, { did }, options)
}
