/** Bytes that travel inside JSON as base64: how many, and how strictly they are read. */
import { KithError } from '../errors.ts'
import { MIB } from '../model/units.ts'

/** Content above this travels as an HTTP body or by a path: base64 in JSON is six times slower and held in memory whole. Bytes. */
export const INLINE_BYTES_MAX = 4 * MIB

/**
 * @throws KithError INVALID_PARAMS if it is not base64 · TOO_LARGE above {@link INLINE_BYTES_MAX}
 */
export function decodeInline(text: string, parameter: string): Uint8Array {
  const expected = Buffer.byteLength(text, 'base64')
  if (expected > INLINE_BYTES_MAX) throw tooLarge(expected, parameter)
  const decoded = Buffer.from(text, 'base64')
  // Buffer skips what is not base64, so junk shows as missing bytes.
  if (decoded.byteLength !== expected || text.replace(/=+$/, '').length % 4 === 1)
    throw new KithError('INVALID_PARAMS', `the parameter "${parameter}" is not base64`, { parameter })
  return decoded
}

export function tooLarge(size: number, parameter: string): KithError {
  return new KithError(
    'TOO_LARGE',
    `"${parameter}" holds ${size} bytes, at most ${INLINE_BYTES_MAX} may travel inside JSON. Give a "path", or send the bytes with PUT /content over the same socket.`,
    { limit: INLINE_BYTES_MAX, size }
  )
}

export function encodeInline(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
