/** What can be told of a content that is here: counts, sizes and the `stat` answer. */
import type { CID } from 'multiformats/cid'
import { getNode, type GetBlock } from '../dag/file.ts'
import { isNodeCid, type DagNode } from '../dag/node.ts'
import { DAG_LEAVES_MAX, walkLocal } from '../dag/skeleton.ts'
import { KithError } from '../errors.ts'
import { Turns } from '../lib/turns.ts'
import { blockKey, contentUri, hex, IDENTITY_CODE } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { BlockReader } from '../ports/serving.ts'
import type { StatResult } from '../rpc/services.ts'
import { directoryLinks, isDirectory, leafSize } from './directory.ts'
import type { Found } from './library.ts'

/** Links read to measure one content: as many as it may have blocks. Shards that directories share are read for each. */
const LINKS_MEASURED_MAX = DAG_LEAVES_MAX

/** A tree as its folders unfold. */
export interface Extent {
  /** Bytes of all files, at most what a number holds exactly. */
  readonly bytes: Bytes
  /** Files and folders below it. */
  readonly entries: number
}

/** What the measuring of one tree shares. */
interface Measuring {
  readonly get: GetBlock
  readonly options: AbortOptions
  readonly turns: Turns
  /** Nodes that were read, by block. */
  readonly known: Map<string, Extent>
  links: number
}

/**
 * Measures a directory whose nodes are here. A node that is linked often is read once: five blocks may unfold into
 * 900 million folders.
 *
 * @returns also `distinct`: entries, those of each folder counted once
 * @throws BadDagError (INTEGRITY) for a directory no importer makes · TOO_LARGE beyond the limits
 */
export async function measureTree(get: GetBlock, node: DagNode, options: AbortOptions): Promise<Extent & { readonly distinct: number }> {
  const measuring = { get, options, turns: new Turns(), known: new Map(), links: 0 }
  const extent = await extentOf(measuring, node)
  return { ...extent, distinct: measuring.links }
}

/** Bytes of all files below a directory. @throws what {@link measureTree} throws */
export async function directorySize(get: GetBlock, node: DagNode, options: AbortOptions): Promise<Bytes> {
  return (await measureTree(get, node, options)).bytes
}

async function extentOf(measuring: Measuring, node: DagNode): Promise<Extent> {
  if (!isDirectory(node)) return { bytes: node.size, entries: 0 }
  const { get, options, turns } = measuring
  let [bytes, entries] = [0, 0]
  for await (const link of directoryLinks(get, node, options, turns)) {
    if (++measuring.links > LINKS_MEASURED_MAX)
      throw new KithError('TOO_LARGE', `the directories of this content have more than ${LINKS_MEASURED_MAX} entries`)
    const below = isNodeCid(link.cid) ? await extentBelow(measuring, link.cid) : { bytes: leafSize(link), entries: 0 }
    bytes += below.bytes
    entries += 1 + below.entries
  }
  return { bytes: Math.min(bytes, Number.MAX_SAFE_INTEGER), entries: Math.min(entries, Number.MAX_SAFE_INTEGER) }
}

async function extentBelow(measuring: Measuring, cid: CID): Promise<Extent> {
  const key = blockKey(cid)
  const before = measuring.known.get(key)
  if (before !== undefined) return before
  const extent = await extentOf(measuring, await getNode(measuring.get, cid, measuring.options))
  measuring.known.set(key, extent)
  return extent
}

/** Distinct blocks of a DAG, known and readable here, as far as its nodes can be read. */
export async function localBlocks(
  blocks: BlockReader,
  root: CID,
  options: AbortOptions = {}
): Promise<{ readonly total: number; readonly local: number }> {
  const walk = await walkLocal(blocks, root, options)
  let local = walk.nodes.length
  const turns = new Turns()
  for (const { cid } of walk.leaves) {
    await turns.step(options)
    if (await blocks.has(cid)) local += 1
  }
  return { total: walk.nodes.length + walk.leaves.length, local }
}

/** True when every block of a DAG can be read here. */
export async function isWhole(blocks: BlockReader, root: CID, options: AbortOptions = {}): Promise<boolean> {
  if (root.multihash.code === IDENTITY_CODE) return true
  const walk = await walkLocal(blocks, root, options)
  if (!walk.done) return false
  const turns = new Turns()
  for (const { cid } of walk.leaves) {
    await turns.step(options)
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
