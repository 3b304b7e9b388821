/** DAGs for tests, made by the field's importer, and a library of in-memory realms to hold them. */
import { createHmac } from 'node:crypto'
import { importer, type ImportCandidate } from 'ipfs-unixfs-importer'
import type { CID } from 'multiformats/cid'
import { memoryRealmStore } from '../../src/adapters/memory/memory-realm-store.ts'
import { Library } from '../../src/content/library.ts'
import { verifyBlock, type VerifiedBlock } from '../../src/model/block.ts'
import { blockKey, toV1 } from '../../src/model/content-id.ts'

export interface MadeDag {
  readonly root: CID
  readonly blocks: ReadonlyMap<string, VerifiedBlock>
}

export async function fileDag(
  content: Uint8Array,
  shape: { readonly profile?: 'unixfs-v1-2025' } = { profile: 'unixfs-v1-2025' }
): Promise<MadeDag> {
  return await treeDag([{ content: [content] }], shape)
}

export async function treeDag(
  candidates: readonly ImportCandidate[],
  shape: { readonly profile?: 'unixfs-v1-2025' } = { profile: 'unixfs-v1-2025' }
): Promise<MadeDag> {
  const blocks = new Map<string, VerifiedBlock>()
  const sink = {
    put: async (cid: CID, bytes: unknown) => {
      if (!(bytes instanceof Uint8Array)) throw new Error('the importer is expected to give whole blocks')
      blocks.set(blockKey(cid), verifyBlock(cid, bytes))
      return cid
    }
  }
  let root: CID | undefined
  for await (const result of importer(candidates, sink, { ...shape })) root = result.cid
  if (root === undefined) throw new Error('nothing was imported')
  return { root: toV1(root), blocks }
}

/** Bytes that repeat nowhere. */
export function distinctBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  let x = seed >>> 0
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = x >>> 24
  }
  return bytes
}

export function memoryLibrary(): Library {
  return new Library({
    realms: { public: memoryRealmStore(), cache: memoryRealmStore(), own: memoryRealmStore() },
    keyedDigest: bytes => createHmac('sha256', 'test').update(bytes).digest()
  })
}
