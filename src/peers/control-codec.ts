/**
 * The bytes of `/kith/control/1`: u32 length (big-endian), then one CBOR map, read strictly and bounded before anything
 * is allocated. Error texts of a peer are claims: shortened, without control characters. Keeps nothing.
 */
import { encode } from 'cborg'
import { concat } from 'uint8arrays'
import { KithError, toKithError, type ErrorCode } from '../errors.ts'
import { decodeStrict } from '../lib/strict-cbor.ts'
import { KIB, type Bytes } from '../model/units.ts'
import type { ControlValue } from '../ports/control.ts'

export const CONTROL_PROTOCOL = '/kith/control/1'
/** Largest message, without its length: a claim sheet's bucket or an invitation fits many times. */
export const CONTROL_BYTES_MAX: Bytes = 64 * KIB
export const LENGTH_BYTES: Bytes = 4
/** Names of kinds are single words. Characters. */
const KIND_CHARACTERS_MAX = 64
/** Lists and maps within each other; what is deeper is no message of ours. */
const DEPTH_MAX = 8
/** Longest error text taken from a peer or sent to one. Characters. */
const MESSAGE_CHARACTERS_MAX = 300

/** Codes that cross the wire as they are: what the asker can act on. Others become UNAVAILABLE, so that no peer can make a bug of ours appear. */
const CODES: readonly ErrorCode[] = [
  'INVALID_PARAMS',
  'INVALID_CONTENT',
  'NOT_FOUND',
  'TIMEOUT',
  'UNAUTHORIZED',
  'TOO_LARGE',
  'RATE_LIMITED',
  'QUOTA_EXCEEDED',
  'UNAVAILABLE',
  'NOT_BUILT',
  'CONFLICT'
]

/** The peer broke the form of the protocol. */
export class ControlFormError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ControlFormError'
  }
}

export interface ControlRequest {
  readonly kind: string
  readonly body: ControlValue
}

export type ControlAnswer = { readonly ok: ControlValue } | { readonly error: { readonly code: ErrorCode; readonly message: string } }

/** @throws KithError TOO_LARGE */
export function encodeControlRequest({ kind, body }: ControlRequest): Uint8Array {
  return framed(encode({ k: kind, body }))
}

/** @throws KithError TOO_LARGE */
export function encodeControlAnswer(answer: ControlAnswer): Uint8Array {
  return framed(encode(answer))
}

/** The answer for whatever a handler threw. */
export function controlError(thrown: unknown): ControlAnswer {
  const { code, message } = toKithError(thrown)
  const isTold = CODES.includes(code)
  return { error: { code: isTold ? code : 'UNAVAILABLE', message: isTold ? plainText(message) : 'it could not be done' } }
}

/** @throws ControlFormError */
export function decodeControlRequest(payload: Uint8Array): ControlRequest {
  const fields = decodeFields(payload)
  const kind = fields['k']
  if (typeof kind !== 'string' || kind === '' || kind.length > KIND_CHARACTERS_MAX) throw new ControlFormError('a request has no kind')
  return { kind, body: fields['body'] ?? null }
}

/** @throws ControlFormError */
export function decodeControlAnswer(payload: Uint8Array): ControlAnswer {
  const { ok, error } = decodeFields(payload)
  if (ok !== undefined && error === undefined) return { ok }
  if (!isFields(error) || ok !== undefined) throw new ControlFormError('an answer is either "ok" or "error"')
  const { code, message } = error
  if (typeof code !== 'string' || typeof message !== 'string') throw new ControlFormError('an error has a code and a message')
  return { error: { code: CODES.find(known => known === code) ?? 'UNAVAILABLE', message: plainText(message) } }
}

/** @throws ControlFormError for a message longer than the protocol has */
export function readControlLength(header: Uint8Array): Bytes {
  const length = new DataView(header.buffer, header.byteOffset, LENGTH_BYTES).getUint32(0)
  if (length === 0 || length > CONTROL_BYTES_MAX)
    throw new ControlFormError(`a message claims ${length} bytes; it has 1 to ${CONTROL_BYTES_MAX}`)
  return length
}

/** A map, as handlers take it apart. */
export function isFields(value: ControlValue | undefined): value is { readonly [key: string]: ControlValue } {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && !Array.isArray(value)
}

/** Text of a stranger as one short line without control characters. */
export function plainText(text: string): string {
  const line = text
    .slice(0, MESSAGE_CHARACTERS_MAX)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
  return text.length > MESSAGE_CHARACTERS_MAX ? `${line}…` : line
}

function framed(payload: Uint8Array): Uint8Array {
  if (payload.byteLength > CONTROL_BYTES_MAX)
    throw new KithError(
      'TOO_LARGE',
      `a message between nodes has ${payload.byteLength} bytes, and ${CONTROL_BYTES_MAX} is the limit; send less at once`
    )
  const header = new Uint8Array(LENGTH_BYTES)
  new DataView(header.buffer).setUint32(0, payload.byteLength)
  return concat([header, payload])
}

function decodeFields(payload: Uint8Array): { readonly [key: string]: ControlValue } {
  let value: ControlValue
  try {
    value = readValue(decodeStrict(payload), 0)
  } catch (error) {
    throw new ControlFormError('a message is no CBOR of this protocol', { cause: error })
  }
  if (!isFields(value)) throw new ControlFormError('a message is not a map')
  return value
}

function readValue(value: unknown, depth: number): ControlValue {
  if (depth > DEPTH_MAX) throw new Error(`more than ${DEPTH_MAX} lists and maps lie within each other`)
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') return value
  if (value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(item => readValue(item, depth + 1))
  if (!(value instanceof Map)) throw new Error('a value is of no known kind')
  return Object.fromEntries([...value].map(([key, item]) => [textKey(key), readValue(item, depth + 1)]))
}

function textKey(key: unknown): string {
  if (typeof key !== 'string') throw new Error('the keys of a map are texts')
  return key
}
