/**
 * One content record as the bytes of a database row: version byte, cipher byte, JSON. The time of the last
 * access is a column of its own, because it changes without the rest.
 */
import { CID } from 'multiformats/cid'
import { fromString } from 'uint8arrays'
import { KithError } from '../../errors.ts'
import { hex } from '../../model/content-id.ts'
import type { ContentRecord } from '../../ports/record-store.ts'
import { CIPHER_PLAIN } from './segment-format.ts'

const RECORD_VERSION = 1

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
  return Buffer.concat([Buffer.of(RECORD_VERSION, CIPHER_PLAIN), Buffer.from(JSON.stringify(stored))])
}

/** @throws KithError UNAVAILABLE for a version or cipher this program does not know */
export function decodeRecord(payload: Uint8Array, lastAccess: number): ContentRecord {
  const [version, cipher] = payload
  if (version !== RECORD_VERSION || cipher !== CIPHER_PLAIN) {
    throw new KithError(
      'UNAVAILABLE',
      `a content record has version ${version} and cipher ${cipher}, which this version of Kith cannot read. Update Kith.`
    )
  }
  const stored: StoredRecord = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset + 2, payload.byteLength - 2).toString())
  const { root, sha256, ...rest } = stored
  return { ...rest, root: CID.parse(root), lastAccess, ...(sha256 === undefined ? {} : { sha256: fromString(sha256, 'base16') }) }
}
