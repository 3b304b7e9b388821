/**
 * Tickets: `kith:` and base32 of a CBOR map and its checksum, as docs/protocol.md writes it down. A ticket says whom to
 * ask, where, and shows that its bearer was given it. Read strictly; one that was mistyped is told from one that is wrong. Pure.
 */
import { encode } from 'cborg'
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import { concat, equals } from 'uint8arrays'
import { KithError } from '../errors.ts'
import { decodeStrict } from '../lib/strict-cbor.ts'
import { isSupportedCid } from '../model/content-id.ts'
import { sha256 } from '../model/sha256.ts'
import type { Bytes } from '../model/units.ts'
import { didFromPublicKey, publicKeyFromDid } from './did-key.ts'
import { ADDRESS_CHARACTERS_MAX, ADDRESSES_MAX, isAddress } from './dial-addresses.ts'

export const TICKET_PREFIX = 'kith:'
export const SECRET_BYTES: Bytes = 16
/** Eight long addresses, a CID and the rest in base32, with room to spare; a QR code holds twice as much. Characters. */
const TICKET_CHARACTERS_MAX = 2048
/** Of the SHA-256 of the map: one mistyped ticket in four thousand million passes. */
const CHECKSUM_BYTES = 4
const VERSION = 1
/** As the trust of an operator is written. */
const LEVEL_MAX = 100
/** Names of swarms. Characters. */
const SWARM_CHARACTERS_MAX = 255

export interface Ticket {
  /** did:key of the node that made it. */
  readonly did: string
  /** Multiaddrs without `/p2p/…` of that node at their end; at most eight, the likeliest first. */
  readonly addresses: readonly string[]
  /** 128 random bits that nobody else has. */
  readonly secret: Uint8Array
  /** Whole Unix seconds; from then on it is worth nothing. */
  readonly expires: number
  /** 0–100: what the maker will set for the bearer. */
  readonly level?: number
  /** The maker and the bearer are the same person's. */
  readonly device?: boolean
  readonly swarm?: string
  /** Root that the bearer may have. */
  readonly content?: CID
}

/** Whether a text is meant as a ticket: addresses begin with `kith://`. */
export function isTicket(text: string): boolean {
  const start = text
    .trimStart()
    .slice(0, TICKET_PREFIX.length + 2)
    .toLowerCase()
  return start.startsWith(TICKET_PREFIX) && !start.startsWith(`${TICKET_PREFIX}//`)
}

export function encodeTicket(ticket: Ticket): string {
  const { did, addresses, secret, expires, level, device, swarm, content } = ticket
  const map = encode({
    v: VERSION,
    k: publicKeyFromDid(did),
    a: [...addresses],
    s: secret,
    e: expires,
    ...(level === undefined ? {} : { l: level }),
    ...(device === true ? { d: true } : {}),
    ...(swarm === undefined ? {} : { w: swarm }),
    ...(content === undefined ? {} : { c: content.bytes })
  })
  return `${TICKET_PREFIX}${base32.baseEncode(concat([map, checksumOf(map)]))}`
}

/** @throws KithError INVALID_PARAMS whose `data.reason` is `mistyped`, `version` or `malformed` */
export function decodeTicket(text: string): Ticket {
  const map = checkedMap(text)
  let fields: ReadonlyMap<unknown, unknown>
  try {
    fields = decodeFields(map)
  } catch (error) {
    throw malformed(error)
  }
  if (fields.get('v') !== VERSION)
    throw refusal(
      'version',
      'this ticket was made by another version of Kith, which this one cannot read. Update the older of the two nodes'
    )
  try {
    return readTicket(fields)
  } catch (error) {
    throw malformed(error)
  }
}

/** The map of a ticket whose characters are all as they were written. Case and white space do not count: mail and QR codes change them. */
function checkedMap(text: string): Uint8Array {
  if (text.length > TICKET_CHARACTERS_MAX * 2) throw refusal('malformed', 'this is no ticket: it is far too long')
  const plain = text.replaceAll(/\s+/g, '').toLowerCase()
  if (!isTicket(plain) || plain.length > TICKET_CHARACTERS_MAX)
    throw refusal('malformed', 'this is no ticket: it begins with "kith:" and goes on with letters and the digits 2 to 7')
  const bytes = decodeBase32(plain.slice(TICKET_PREFIX.length))
  const map = bytes?.subarray(0, -CHECKSUM_BYTES)
  if (bytes === undefined || map === undefined || map.byteLength === 0 || !equals(checksumOf(map), bytes.subarray(-CHECKSUM_BYTES)))
    throw refusal('mistyped', 'this ticket is not whole: a character is wrong or missing. Copy it again, all of it')
  return map
}

/** Undefined for what is no base32, or not the one spelling of its bytes. */
function decodeBase32(text: string): Uint8Array | undefined {
  try {
    const bytes = base32.baseDecode(text)
    return base32.baseEncode(bytes) === text ? bytes : undefined
  } catch {
    return undefined
  }
}

function decodeFields(map: Uint8Array): ReadonlyMap<unknown, unknown> {
  const value = decodeStrict(map)
  if (!(value instanceof Map)) throw new Error('it is no map')
  return value
}

function readTicket(fields: ReadonlyMap<unknown, unknown>): Ticket {
  const [key, secret, addresses, expires] = [fields.get('k'), fields.get('s'), fields.get('a'), fields.get('e')]
  const [level, device, swarm, content] = [fields.get('l'), fields.get('d'), fields.get('w'), fields.get('c')]
  if (!(key instanceof Uint8Array)) throw new Error('it names no key')
  if (!(secret instanceof Uint8Array) || secret.byteLength !== SECRET_BYTES) throw new Error('it has no secret')
  if (!isWhole(expires)) throw new Error('it has no end')
  return {
    did: didFromPublicKey(key),
    addresses: readAddresses(addresses),
    secret,
    expires,
    ...(level === undefined ? {} : { level: readLevel(level) }),
    ...(device === undefined ? {} : { device: readFlag(device) }),
    ...(swarm === undefined ? {} : { swarm: readText(swarm, SWARM_CHARACTERS_MAX) }),
    ...(content === undefined ? {} : { content: readRoot(content) })
  }
}

function readAddresses(value: unknown): string[] {
  if (!Array.isArray(value) || value.length > ADDRESSES_MAX) throw new Error(`it has at most ${ADDRESSES_MAX} addresses`)
  return value.map(address => {
    const text = readText(address, ADDRESS_CHARACTERS_MAX)
    if (!isAddress(text)) throw new Error('one of its addresses is none')
    return text
  })
}

function readLevel(value: unknown): number {
  if (!isWhole(value) || value > LEVEL_MAX) throw new Error('its level is not between 0 and 100')
  return value
}

function readFlag(value: unknown): true {
  if (value !== true) throw new Error('what is not so is left out')
  return value
}

function readText(value: unknown, max: number): string {
  if (typeof value !== 'string' || value === '' || value.length > max || !value.isWellFormed()) throw new Error('a text is none')
  return value
}

function readRoot(value: unknown): CID {
  if (!(value instanceof Uint8Array)) throw new Error('its content is no CID')
  const cid = CID.decode(value)
  if (cid.version !== 1 || !isSupportedCid(cid)) throw new Error('its content is no CID of a kind that Kith knows')
  return cid
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function checksumOf(map: Uint8Array): Uint8Array {
  return sha256(map).subarray(0, CHECKSUM_BYTES)
}

function malformed(cause: unknown): KithError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return refusal('malformed', `this is no ticket that Kith made: ${why}`, cause)
}

function refusal(reason: string, message: string, cause?: unknown): KithError {
  return new KithError('INVALID_PARAMS', message, { reason }, { cause })
}
