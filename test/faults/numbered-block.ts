/** Blocks and records that parent and child can both make from a seed and a number. */
import type { VerifiedBlock } from '../../src/model/block.ts'
import { sha256 } from '../../src/model/sha256.ts'
import type { ContentRecord } from '../../src/ports/record-store.ts'
import { blockOf, recordOf } from '../conformance/builders.ts'

/** Between 0 and 96 KiB, mostly small, all different. */
export function numberedBlock(seed: string, number: number): VerifiedBlock {
  const key = sha256(new TextEncoder().encode(`${seed} ${number}`))
  const size = (key[0] ?? 0) < 40 ? (key[1] ?? 0) * 384 : (key[1] ?? 0) * 16
  const bytes = Buffer.alloc(size + key.byteLength, key)
  bytes.writeUInt32BE(number)
  return blockOf(Uint8Array.from(bytes))
}

export function recordFor(seed: string, number: number): ContentRecord {
  return recordOf(`record ${seed} ${number}`, { name: `${number}` })
}
