/** Reading directories: entries of plain and sharded (HAMT) ones, and the way along a path. */
import type { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import { IDENTITY_CODE, isSafeName } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import { getNode, type GetBlock } from '../dag/file.ts'
import { BadDagError, isNodeCid, notAFileOrDirectory, type DagNode } from '../dag/node.ts'

/** A HAMT of 64 bit hashes is at most this deep (8 bits a level; UnixFS specification). */
const HAMT_DEPTH_MAX = 8

export interface DirectoryLink {
  readonly name: string
  readonly cid: CID
  /** Serialized size the parent claims; exact for raw leaves of an honest importer. */
  readonly claimedSize: Bytes
}

export interface DirectoryEntry {
  readonly name: string
  readonly cid: CID
  readonly type: 'file' | 'directory'
  readonly size: Bytes
}

/** Links of a directory in order. Names are checked: what could not be a file name is refused. @throws INTEGRITY */
export async function* directoryLinks(get: GetBlock, node: DagNode, options: AbortOptions, depth = 0): AsyncGenerator<DirectoryLink> {
  if (depth > HAMT_DEPTH_MAX) throw new BadDagError(node.cid, `a sharded directory nests deeper than ${HAMT_DEPTH_MAX}`)
  for (const link of node.links) {
    const name = link.name.slice(node.prefixLength)
    if (node.kind === 'hamt' && name === '') {
      const shard = await getNode(get, link.cid, options)
      if (shard.kind !== 'hamt') throw new BadDagError(node.cid, 'a shard links to something that is no shard')
      yield* directoryLinks(get, shard, options, depth + 1)
      continue
    }
    if (!isSafeName(name)) throw new BadDagError(node.cid, `it holds the name ${JSON.stringify(name)}, which could not be written safely`)
    yield { name, cid: link.cid, claimedSize: link.claimedSize }
  }
}

export async function* directoryEntries(get: GetBlock, node: DagNode, options: AbortOptions): AsyncGenerator<DirectoryEntry> {
  for await (const { name, cid, claimedSize } of directoryLinks(get, node, options)) {
    if (!isNodeCid(cid)) {
      yield { name, cid, type: 'file', size: cid.multihash.code === IDENTITY_CODE ? cid.multihash.digest.byteLength : claimedSize }
      continue
    }
    const child = await getNode(get, cid, options)
    yield { name, cid, type: isDirectory(child) ? 'directory' : 'file', size: child.size }
  }
}

export function isDirectory(node: DagNode): boolean {
  return node.kind === 'directory' || node.kind === 'hamt'
}

/** Follows a path from `root`. @throws NOT_FOUND naming the missing segment */
export async function resolvePath(get: GetBlock, root: CID, path: readonly string[], options: AbortOptions): Promise<CID> {
  let at = root
  for (const segment of path) at = await step(get, at, segment, options)
  return at
}

async function step(get: GetBlock, parent: CID, segment: string, options: AbortOptions): Promise<CID> {
  const node = await getNode(get, parent, options)
  if (!isDirectory(node)) {
    if (node.kind === 'file' || node.kind === 'raw')
      throw new KithError('NOT_FOUND', `there is no "${segment}": ${parent.toString()} is a file`, { segment, attempts: [] })
    throw notAFileOrDirectory(node)
  }
  for await (const link of directoryLinks(get, node, options)) {
    if (link.name === segment) return link.cid
  }
  throw new KithError('NOT_FOUND', `the directory ${parent.toString()} has no entry "${segment}"`, { segment, attempts: [] })
}
