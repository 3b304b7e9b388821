/** What can be told of a content that is here: counts, sizes and the `stat` answer. */
import type { CID } from 'multiformats/cid'
import { getNode, type GetBlock } from '../dag/file.ts'
import type { DagNode } from '../dag/node.ts'
import { walkLocal } from '../dag/skeleton.ts'
import { Turns } from '../lib/turns.ts'
import { blockKey, contentUri, hex, IDENTITY_CODE } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { BlockReader } from '../ports/serving.ts'
import type { StatResult } from '../rpc/services.ts'
import { directoryEntries } from './directory.ts'
import type { Found } from './library.ts'

/**
 * Bytes of all files below a directory whose nodes are here. A folder that is linked often is read once: five blocks
 * may unfold into 900 million folders.
 */
export async function directorySize(get: GetBlock, node: DagNode, options: AbortOptions, known = new Map<string, Bytes>()): Promise<Bytes> {
  let size = 0
  for await (const entry of directoryEntries(get, node, options)) {
    if (entry.type === 'file') size += entry.size
    else size += known.get(blockKey(entry.cid)) ?? (await directorySize(get, await getNode(get, entry.cid, options), options, known))
  }
  const counted = Math.min(size, Number.MAX_SAFE_INTEGER)
  known.set(blockKey(node.cid), counted)
  return counted
}

/** Distinct blocks of a DAG, known and readable here, as far as its nodes can be read. */
export async function localBlocks(blocks: BlockReader, root: CID): Promise<{ readonly total: number; readonly local: number }> {
  const walk = await walkLocal(blocks, root)
  let local = walk.nodes.length
  const turns = new Turns()
  for (const { cid } of walk.leaves) {
    await turns.step({})
    if (await blocks.has(cid)) local += 1
  }
  return { total: walk.nodes.length + walk.leaves.length, local }
}

/** True when every block of a DAG can be read here. */
export async function isWhole(blocks: BlockReader, root: CID): Promise<boolean> {
  if (root.multihash.code === IDENTITY_CODE) return true
  const walk = await walkLocal(blocks, root)
  if (!walk.done) return false
  const turns = new Turns()
  for (const { cid } of walk.leaves) {
    await turns.step({})
    if (!(await blocks.has(cid))) return false
  }
  return true
}

/** @param local how many of its blocks are here */
export function statOf({ realm, record }: Found, local: number): StatResult {
  const isPublic = realm !== 'own'
  return {
    cid: record.root.toString(),
    uri: contentUri(record.root, isPublic),
    size: record.size,
    blocks: record.blocks,
    localBlocks: local,
    privacy: isPublic ? 'public' : 'private',
    pinned: record.pinned,
    ...(record.sha256 === undefined ? {} : { sha256: hex(record.sha256) }),
    ...(record.name === undefined ? {} : { name: record.name }),
    ...(record.contentType === undefined ? {} : { contentType: record.contentType }),
    ...(record.type === undefined ? {} : { type: record.type }),
    createdAt: new Date(record.createdAt).toISOString(),
    lastAccess: new Date(record.lastAccess).toISOString()
  }
}
