/** Blocks and records for the suites. */
import { KithError } from '../../src/errors.ts'
import { verifyBlock, type VerifiedBlock } from '../../src/model/block.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import type { BlockStore } from '../../src/ports/block-store.ts'
import type { ContentRecord } from '../../src/ports/record-store.ts'

export function blockOf(content: string | Uint8Array): VerifiedBlock {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return verifyBlock(rawCid(sha256(bytes)), bytes)
}

export function filled(size: number, value: number): VerifiedBlock {
  return blockOf(new Uint8Array(size).fill(value))
}

export function recordOf(content: string, fields: Partial<ContentRecord> = {}): ContentRecord {
  const { cid, bytes } = blockOf(content)
  return {
    root: cid,
    kind: 'file',
    sha256: sha256(bytes),
    size: bytes.byteLength,
    blocks: 1,
    createdAt: 1,
    lastAccess: 1,
    pinned: false,
    ...fields
  }
}

/** Hex, sorted. */
export async function collectKeys(store: BlockStore): Promise<string[]> {
  const keys: string[] = []
  for await (const key of store.keys()) keys.push(Buffer.from(key).toString('hex'))
  return keys.toSorted()
}

/** Code of the KithError a promise rejects with; undefined if it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise
    return undefined
  } catch (error) {
    if (error instanceof KithError) return error.code
    throw error
  }
}
