/** Values of the exchange's CBOR maps, read strictly: each is of its type and within its bounds, or the map is refused. */
import { CID } from 'multiformats/cid'
import { decodeStrict } from '../lib/strict-cbor.ts'
import type { Bytes } from '../model/units.ts'
import { ProtocolOffence } from './frames.ts'
import { CID_BYTES_MAX, TEXT_CHARACTERS_MAX } from './protocol.ts'

export type Fields = ReadonlyMap<unknown, unknown>

export function decodeMap(payload: Uint8Array): Fields {
  const value = decodeStrict(payload)
  if (!(value instanceof Map)) throw new Error('not a map')
  return value
}

/** Deep nesting ends in a RangeError, bad lengths in plain errors: all of them are the peer's doing. */
export function guarded<T>(offence: 'malformed-request' | 'malformed-frame', run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw new ProtocolOffence(offence, error instanceof Error ? error.message : String(error))
  }
}

export function given<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>)
}

export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value)
}

export function list(value: unknown, max: number): unknown[] {
  if (!Array.isArray(value) || value.length > max) throw new Error(`a list of at most ${max} is expected`)
  return value
}

export function uint(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Error('a whole number is expected')
  return value
}

export function text(value: unknown): string {
  if (typeof value !== 'string' || value.length > TEXT_CHARACTERS_MAX)
    throw new Error(`a text of at most ${TEXT_CHARACTERS_MAX} characters is expected`)
  return value
}

export function bytes(value: unknown, max: Bytes): Uint8Array {
  if (!(value instanceof Uint8Array) || value.byteLength > max) throw new Error(`at most ${max} bytes are expected`)
  return value
}

export function readCid(value: unknown): CID {
  return CID.decode(bytes(value, CID_BYTES_MAX))
}
