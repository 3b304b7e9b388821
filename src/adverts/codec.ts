/**
 * Adverts as bytes: CBOR of a signed head and, where it travels along, the encoded filter. The same form in gossip
 * and over the exchange (docs/protocol.md). Pure; believes nothing.
 */
import { decode, encode } from 'cborg'
import { fromString, toString } from 'uint8arrays'
import { sha256 } from '../model/sha256.ts'
import type { Bytes } from '../model/units.ts'
import { AdvertError } from './advert-error.ts'
import { ADVERT_JWT_CHARACTERS_MAX } from './limits.ts'

export interface AdvertMessage {
  readonly jwt: string
  /** Encoded filter (filter-codec.ts). */
  readonly filter?: Uint8Array
}

const STRICT = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true
}

export function encodeAdvert({ jwt, filter }: AdvertMessage): Uint8Array {
  return encode(filter === undefined ? { jwt } : { jwt, filter })
}

/**
 * Reads the form only: neither signature nor filter is looked at.
 *
 * @param bytesMax largest message read
 * @throws AdvertError (reject); nothing else
 */
export function decodeAdvert(bytes: Uint8Array, bytesMax: Bytes): AdvertMessage {
  if (bytes.byteLength > bytesMax) throw new AdvertError('reject', `it has ${bytes.byteLength} bytes, at most ${bytesMax} are read`)
  const value = decodeCbor(bytes)
  if (typeof value !== 'object' || value === null || !('jwt' in value)) throw new AdvertError('reject', 'it is not a map with a head')
  const { jwt } = value
  const filter = 'filter' in value ? value.filter : undefined
  if (typeof jwt !== 'string' || jwt.length > ADVERT_JWT_CHARACTERS_MAX) throw new AdvertError('reject', 'its head is not a short text')
  if (filter === undefined) return { jwt }
  if (!(filter instanceof Uint8Array)) throw new AdvertError('reject', 'its filter is not bytes')
  return { jwt, filter }
}

/** The digest by which a head names its filter. */
export function filterDigest(encoded: Uint8Array): string {
  return toString(sha256(encoded), 'base64url')
}

/** Tells one signed head from another. */
export function headDigest(jwt: string): string {
  return toString(sha256(fromString(jwt)), 'base64url')
}

function decodeCbor(bytes: Uint8Array): unknown {
  try {
    const value: unknown = decode(bytes, STRICT)
    return value
  } catch (error) {
    throw new AdvertError('reject', 'it is not CBOR in the strict form', { cause: error })
  }
}
