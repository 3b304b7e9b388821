/**
 * Bytes of a segment file: its header and the header in front of every block. Pure; docs/store-format.md is
 * the prose of this file. All integers are big-endian.
 */
import { crc32 } from 'node:zlib'

/** Raised when either the segments or the index change in a way older programs cannot read. */
export const STORE_FORMAT_VERSION = 1
/** Fixed, so that the first block's place does not depend on the realm's name. Bytes. */
export const SEGMENT_HEADER_BYTES = 256
/** In front of multihash and payload. Bytes. */
export const BLOCK_HEADER_BYTES = 16
/** The multihash length is one byte. */
export const MULTIHASH_BYTES_MAX = 255
/** The payload as it is; sealed realms will use other values. */
export const CIPHER_PLAIN = 0
/** A deleted block that was overwritten: its multihash and payload are zeros. */
export const CIPHER_ERASED = 255

const SEGMENT_MAGIC = 'KITHSEG\n'
const BLOCK_MAGIC = 0x4b42_4c4b // "KBLK"
const REALM_OFFSET = 16
/** What the header leaves for the realm's name. Bytes. */
const REALM_BYTES_MAX = SEGMENT_HEADER_BYTES - REALM_OFFSET

export interface SegmentHeader {
  readonly version: number
  readonly number: number
  readonly realm: string
}

export interface BlockHeader {
  readonly cipher: number
  readonly multihashLength: number
  readonly payloadLength: number
}

export function encodeSegmentHeader(number: number, realm: string): Buffer {
  const name = Buffer.from(realm)
  if (name.byteLength > REALM_BYTES_MAX) throw new RangeError(`a realm's name has at most ${REALM_BYTES_MAX} bytes`)
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  header.write(SEGMENT_MAGIC, 0, 'latin1')
  header.writeUInt16BE(STORE_FORMAT_VERSION, 8)
  header.writeUInt16BE(name.byteLength, 10)
  header.writeUInt32BE(number, 12)
  name.copy(header, REALM_OFFSET)
  return header
}

/** @returns undefined if these are not the first bytes of a segment */
export function decodeSegmentHeader(header: Buffer): SegmentHeader | undefined {
  if (header.byteLength < SEGMENT_HEADER_BYTES || header.toString('latin1', 0, 8) !== SEGMENT_MAGIC) return undefined
  const nameLength = header.readUInt16BE(10)
  if (nameLength > REALM_BYTES_MAX) return undefined
  return {
    version: header.readUInt16BE(8),
    number: header.readUInt32BE(12),
    realm: header.toString('utf8', REALM_OFFSET, REALM_OFFSET + nameLength)
  }
}

/** Where the payload of a block begins, counted from the start of its header. */
export function payloadOffset(multihash: Uint8Array): number {
  return BLOCK_HEADER_BYTES + multihash.byteLength
}

/** Writes header and multihash at `at`. The payload needs no checksum: the multihash is one. */
export function writeBlockHeader(
  target: Buffer,
  at: number,
  multihash: Uint8Array,
  payloadLength: number,
  cipher: number = CIPHER_PLAIN
): void {
  target.writeUInt32BE(BLOCK_MAGIC, at)
  target.writeUInt8(cipher, at + 4)
  target.writeUInt8(multihash.byteLength, at + 5)
  target.writeUInt16BE(0, at + 6)
  target.writeUInt32BE(payloadLength, at + 8)
  target.set(multihash, at + BLOCK_HEADER_BYTES)
  target.writeUInt32BE(headerChecksum(target.subarray(at), multihash.byteLength), at + 12)
}

/** What a deleted block is overwritten with: as long as it was, so that a scan finds the next one. */
export function erasedBlock({ multihashLength, payloadLength }: Omit<BlockHeader, 'cipher'>): Buffer {
  const bytes = Buffer.alloc(BLOCK_HEADER_BYTES + multihashLength + payloadLength)
  writeBlockHeader(bytes, 0, new Uint8Array(multihashLength), payloadLength, CIPHER_ERASED)
  return bytes
}

/** @returns undefined if no intact header with its multihash begins here */
export function decodeBlockHeader(bytes: Buffer): BlockHeader | undefined {
  if (bytes.byteLength < BLOCK_HEADER_BYTES || bytes.readUInt32BE(0) !== BLOCK_MAGIC) return undefined
  const multihashLength = bytes.readUInt8(5)
  if (bytes.byteLength < BLOCK_HEADER_BYTES + multihashLength) return undefined
  if (bytes.readUInt32BE(12) !== headerChecksum(bytes, multihashLength)) return undefined
  return { cipher: bytes.readUInt8(4), multihashLength, payloadLength: bytes.readUInt32BE(8) }
}

function headerChecksum(header: Buffer, multihashLength: number): number {
  const fixed = crc32(header.subarray(0, 12))
  return crc32(header.subarray(BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + multihashLength), fixed)
}
