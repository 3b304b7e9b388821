/**
 * The frames of an exchange stream: u32 length of the payload (big-endian), u8 type, payload.
 *
 * The reader copies each byte at most once, and not at all when a frame lies within one chunk. It allocates only
 * after the length has passed its limit, so that a claimed length of 2 GiB costs nothing.
 */
import { allocUnsafe } from 'uint8arrays/alloc'
import type { Bytes } from '../model/units.ts'

export const FRAME_HEADER_BYTES: Bytes = 5
const INDEX_BYTES: Bytes = 4

export interface Frame {
  readonly type: number
  /** May be a view of the chunk it came in. */
  readonly payload: Uint8Array
}

/** The peer broke the rules of the protocol. `name` is what it is reported as. */
export class ProtocolOffence extends Error {
  readonly offence: OffenceName
  constructor(offence: OffenceName, message: string) {
    super(message)
    this.name = 'ProtocolOffence'
    this.offence = offence
  }
}

export type OffenceName = 'oversized-frame' | 'unexpected-frame' | 'malformed-frame' | 'malformed-request' | 'truncated-frame'

/** A frame as parts to be written back to back; the payload is not copied. */
export function frameParts(type: number, payload: Uint8Array): Uint8Array[] {
  return [header(type, payload.byteLength, FRAME_HEADER_BYTES), payload]
}

/** A frame whose payload is u32 `index` and `bytes`. */
export function indexedParts(type: number, index: number, bytes: Uint8Array): Uint8Array[] {
  const head = header(type, INDEX_BYTES + bytes.byteLength, FRAME_HEADER_BYTES + INDEX_BYTES)
  writeU32(head, FRAME_HEADER_BYTES, index)
  return [head, bytes]
}

/** @throws ProtocolOffence when there is no room for an index */
export function readIndexed(payload: Uint8Array): { index: number; bytes: Uint8Array } {
  if (payload.byteLength < INDEX_BYTES) throw new ProtocolOffence('malformed-frame', 'a block frame without an index')
  return { index: readU32(payload, 0), bytes: payload.subarray(INDEX_BYTES) }
}

/** Cuts chunks into frames, whatever their borders. */
export class FrameReader {
  /** Largest payload by type; undefined: the type is unknown and must be skippable. */
  readonly #limitOf: (type: number) => Bytes
  #chunk: Uint8Array = EMPTY
  #at = 0
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES)
  #headerBytes = 0
  #payload: Uint8Array | undefined
  #payloadBytes = 0

  constructor(limitOf: (type: number) => Bytes) {
    this.#limitOf = limitOf
  }

  /** True between frames: nothing of a next one has arrived. */
  get isEmpty(): boolean {
    return this.#at === this.#chunk.byteLength && this.#headerBytes === 0
  }

  /** Adds what arrived. Only after {@link next} has returned undefined. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** The next whole frame, or undefined when more bytes are needed. @throws ProtocolOffence for a length above the limit */
  next(): Frame | undefined {
    if (!this.#readHeader()) return undefined
    const type = this.#header[4] ?? 0
    const length = readU32(this.#header, 0)
    if (length > this.#limitOf(type))
      throw new ProtocolOffence(
        'oversized-frame',
        `a frame of type ${type} claims ${length} bytes, at most ${this.#limitOf(type)} are read`
      )
    const payload = this.#readPayload(length)
    if (payload === undefined) return undefined
    this.#headerBytes = 0
    return { type, payload }
  }

  #readHeader(): boolean {
    while (this.#headerBytes < FRAME_HEADER_BYTES && this.#at < this.#chunk.byteLength) {
      this.#header[this.#headerBytes++] = this.#chunk[this.#at++] ?? 0
    }
    return this.#headerBytes === FRAME_HEADER_BYTES
  }

  #readPayload(length: Bytes): Uint8Array | undefined {
    const left = this.#chunk.byteLength - this.#at
    if (this.#payload === undefined && left >= length) {
      this.#at += length
      return this.#chunk.subarray(this.#at - length, this.#at)
    }
    this.#payload ??= allocUnsafe(length)
    const take = Math.min(left, length - this.#payloadBytes)
    this.#payload.set(this.#chunk.subarray(this.#at, this.#at + take), this.#payloadBytes)
    this.#at += take
    this.#payloadBytes += take
    if (this.#payloadBytes < length) return undefined
    const whole = this.#payload
    this.#payload = undefined
    this.#payloadBytes = 0
    return whole
  }
}

const EMPTY = new Uint8Array(0)

function header(type: number, length: Bytes, bytes: Bytes): Uint8Array {
  const head = new Uint8Array(bytes)
  writeU32(head, 0, length)
  head[4] = type
  return head
}

function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
}

function readU32(source: Uint8Array, at: number): number {
  return (source[at] ?? 0) * 0x1000000 + (((source[at + 1] ?? 0) << 16) | ((source[at + 2] ?? 0) << 8) | (source[at + 3] ?? 0))
}
