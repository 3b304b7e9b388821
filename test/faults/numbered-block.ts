/** Blocks and records that parent and child can both make from a seed and a number. */
import { KIB } from '../../src/model/units.ts'
import type { VerifiedBlock } from '../../src/model/block.ts'
import { sha256 } from '../../src/model/sha256.ts'
import type { ContentRecord } from '../../src/ports/record-store.ts'
import { blockOf, recordOf } from '../conformance/builders.ts'

/** Blocks of one acknowledgement. */
export const GROUP = 8
/** So small that segments are closed and rewritten all the time. Bytes. */
export const SEGMENT_BYTES = 48 * KIB
/** A block that is deleted in the life that put it goes so many puts later. */
export const OWN_DELAY = 3

/** Between 32 bytes and 48 KiB, mostly small, all different. */
export function numberedBlock(seed: string, number: number): VerifiedBlock {
  const key = sha256(new TextEncoder().encode(`${seed} ${number}`))
  const size = (key[0] ?? 0) < 40 ? (key[1] ?? 0) * 192 : (key[1] ?? 0) * 16
  const bytes = Buffer.alloc(size + key.byteLength, key)
  bytes.writeUInt32BE(number)
  return blockOf(Uint8Array.from(bytes))
}

export function recordFor(seed: string, group: number): ContentRecord {
  return recordOf(`record ${seed} ${group}`, { name: `${group}` })
}

export function isDeletedOfOwn(number: number): boolean {
  return number >= 0 && number % 7 === 3
}

/** Deleted by the next life when it puts the block of the same number. */
export function isDeletedOfEarlier(number: number): boolean {
  return number % 5 !== 0
}
