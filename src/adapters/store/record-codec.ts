/**
 * One content record as the bytes of a database row: version byte, cipher byte, checksum, JSON. The time of the last
 * access is a column of its own, because it changes without the rest.
 */
import { crc32 } from 'node:zlib'
import { CID } from 'multiformats/cid'
import { fromString } from 'uint8arrays'
import { KithError } from '../../errors.ts'
import { hex } from '../../model/content-id.ts'
import type { ContentRecord } from '../../ports/record-store.ts'
import { CIPHER_PLAIN } from './segment-format.ts'

const RECORD_VERSION = 2
/** Without a checksum; still read. */
const RECORD_VERSION_1 = 1
/** Version and cipher. */
const PREFIX_BYTES = 2
/** CRC-32 of the JSON, big-endian: SQLite has no checksums, and a flipped bit in a name or a size is still JSON. */
const CHECKSUM_BYTES = 4

interface StoredRecord {
  readonly root: string
  readonly kind: ContentRecord['kind']
  readonly sha256?: string
  readonly size: number
  readonly blocks: number
  readonly name?: string
  readonly contentType?: string
  readonly type?: string
  readonly createdAt: number
  readonly pinned: boolean
  readonly putBy?: readonly string[]
}

export function encodeRecord(record: ContentRecord): Uint8Array {
  const { root, sha256, lastAccess: _, ...rest } = record
  const stored: StoredRecord = { root: root.toString(), ...rest, ...(sha256 === undefined ? {} : { sha256: hex(sha256) }) }
  const json = Buffer.from(JSON.stringify(stored))
  const checksum = Buffer.alloc(CHECKSUM_BYTES)
  checksum.writeUInt32BE(crc32(json))
  return Buffer.concat([Buffer.of(RECORD_VERSION, CIPHER_PLAIN), checksum, json])
}

/**
 * @throws KithError UNAVAILABLE for a version or cipher this program does not know, or bytes that are not what was written
 */
export function decodeRecord(payload: Uint8Array, lastAccess: number): ContentRecord {
  const [version, cipher] = payload
  if ((version !== RECORD_VERSION && version !== RECORD_VERSION_1) || cipher !== CIPHER_PLAIN) {
    throw new KithError(
      'UNAVAILABLE',
      `a content record has version ${version} and cipher ${cipher}, which this version of Kith cannot read. Update Kith.`
    )
  }
  const stored: StoredRecord = JSON.parse(jsonOf(payload, version).toString())
  const { root, sha256, ...rest } = stored
  return { ...rest, root: CID.parse(root), lastAccess, ...(sha256 === undefined ? {} : { sha256: fromString(sha256, 'base16') }) }
}

function jsonOf(payload: Uint8Array, version: number): Buffer {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  if (version === RECORD_VERSION_1) return bytes.subarray(PREFIX_BYTES)
  const json = bytes.subarray(PREFIX_BYTES + CHECKSUM_BYTES)
  if (bytes.byteLength < PREFIX_BYTES + CHECKSUM_BYTES || bytes.readUInt32BE(PREFIX_BYTES) !== crc32(json)) throw damagedRecordError()
  return json
}

/** Never taken for a record that is not there: what it names would count as garbage. */
export function damagedRecordError(): KithError {
  return new KithError(
    'UNAVAILABLE',
    'a content record is damaged: its bytes in the index are not what was written. Check the disk, then restore index/ and segments/ from the same backup.'
  )
}
