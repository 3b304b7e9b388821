/** Reading directories: entries of plain and sharded (HAMT) ones, and the way along a path. */
import type { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import { Turns } from '../lib/turns.ts'
import { blockKey, IDENTITY_CODE, isSafeName } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import { getNode, type GetBlock } from '../dag/file.ts'
import { BadDagError, isNodeCid, notAFileOrDirectory, type DagLink, type DagNode } from '../dag/node.ts'

/** A HAMT of 64 bit hashes is at most this deep (8 bits a level; UnixFS specification). */
const HAMT_DEPTH_MAX = 8
/** Links of one directory, those between its shards among them: reading as many takes seconds and some 100 MB. */
export const DIRECTORY_LINKS_MAX = 1_000_000
/** Entries of one list: some 130 bytes each, so an answer of 35 MB; it is made and sent as one piece. */
export const LISTED_ENTRIES_MAX = 262_144

export interface DirectoryLink {
  readonly name: string
  readonly cid: CID
  /** Serialized size the parent claims; exact for raw leaves of an honest importer. */
  readonly claimedSize: Bytes
}

export interface DirectoryEntry {
  readonly name: string
  readonly cid: CID
  /** A symbolic link is told of, and never followed. */
  readonly type: 'file' | 'directory' | 'symlink'
  readonly size: Bytes
}

/** A node on the way down a sharded directory, and which of its links comes next. */
interface Level {
  readonly node: DagNode
  next: number
}

/**
 * Links of a directory in order. Names are checked: what could not be a file name is refused, or occurs twice, and so
 * are shards that no hash of a name leads to. Each shard is read once: a name has one place in a sharded directory, by its hash, so
 * that a shard met twice is none of an honest one, and 9 blocks that meet each other unfold without end.
 *
 * @param turns of a walk over many directories, which together must not hold the event loop
 * @throws BadDagError (INTEGRITY) · TOO_LARGE beyond {@link DIRECTORY_LINKS_MAX}
 */
export async function* directoryLinks(
  get: GetBlock,
  node: DagNode,
  options: AbortOptions,
  turns = new Turns()
): AsyncGenerator<DirectoryLink> {
  const shards = new Set([blockKey(node.cid)])
  const names = new Set<string>()
  const path: Level[] = [enter(node)]
  let read = 0
  for (let level = path.at(-1); level !== undefined; level = path.at(-1)) {
    const link = level.node.links[level.next++]
    if (link === undefined) {
      path.pop()
      continue
    }
    await turns.step(options)
    if (++read > DIRECTORY_LINKS_MAX) throw tooLarge(node, `more than ${DIRECTORY_LINKS_MAX} links`)
    const at = level.node
    const name = link.name.slice(at.prefixLength)
    if (at.kind === 'hamt' && name === '') {
      if (path.length > HAMT_DEPTH_MAX) throw new BadDagError(at.cid, `a sharded directory nests deeper than ${HAMT_DEPTH_MAX}`)
      path.push(enter(await nextShard(get, at, link, shards, options)))
      continue
    }
    if (!isSafeName(name)) throw new BadDagError(at.cid, `it holds the name ${JSON.stringify(name)}, which could not be written safely`)
    if (names.has(name)) throw new BadDagError(at.cid, `it holds the name ${JSON.stringify(name)} twice`)
    names.add(name)
    yield { name, cid: link.cid, claimedSize: link.claimedSize }
  }
}

async function nextShard(get: GetBlock, parent: DagNode, { cid }: DagLink, shards: Set<string>, options: AbortOptions): Promise<DagNode> {
  const key = blockKey(cid)
  if (shards.has(key)) throw new BadDagError(parent.cid, `the shard ${cid.toString()} occurs twice in one directory`)
  shards.add(key)
  const shard = await getNode(get, cid, options)
  if (shard.kind !== 'hamt') throw new BadDagError(parent.cid, 'a shard links to something that is no shard')
  return shard
}

/** @throws BadDagError for a shard with a link at no place, or with two at one */
function enter(node: DagNode): Level {
  const taken = new Set<string>()
  for (const { name } of node.kind === 'hamt' ? node.links : []) {
    const place = name.slice(0, node.prefixLength)
    if (!isPlace(place, node.prefixLength))
      throw new BadDagError(node.cid, `a shard has a link at ${JSON.stringify(place)}, which is no place`)
    if (taken.has(place)) throw new BadDagError(node.cid, `a shard has two links at ${place}`)
    taken.add(place)
  }
  return { node, next: 0 }
}

/** Places are hexadecimal numbers in capitals, all of one width (UnixFS specification). */
function isPlace(text: string, width: number): boolean {
  return text.length === width && /^[0-9A-F]+$/.test(text)
}

function tooLarge({ cid }: DagNode, what: string): KithError {
  return new KithError('TOO_LARGE', `the directory ${cid.toString()} has ${what}; name a path inside it`, { cid: cid.toString() })
}

/**
 * Entries for a list, each with what it is and its size. What several entries share is read once.
 *
 * @throws what {@link directoryLinks} throws · TOO_LARGE beyond {@link LISTED_ENTRIES_MAX}
 */
export async function* directoryEntries(get: GetBlock, node: DagNode, options: AbortOptions): AsyncGenerator<DirectoryEntry> {
  const known = new Map<string, Pick<DirectoryEntry, 'type' | 'size'>>()
  let listed = 0
  for await (const link of directoryLinks(get, node, options)) {
    if (++listed > LISTED_ENTRIES_MAX) throw tooLarge(node, `more than ${LISTED_ENTRIES_MAX} entries, too many for one list`)
    const { name, cid } = link
    if (!isNodeCid(cid)) {
      yield { name, cid, type: 'file', size: leafSize(link) }
      continue
    }
    const key = blockKey(cid)
    const is = known.get(key) ?? facts(await getNode(get, cid, options))
    known.set(key, is)
    yield { name, cid, ...is }
  }
}

function facts(node: DagNode): Pick<DirectoryEntry, 'type' | 'size'> {
  if (node.kind === 'symlink') return { type: 'symlink', size: 0 }
  return { type: isDirectory(node) ? 'directory' : 'file', size: node.size }
}

/** @returns bytes of a file that is one raw block, as its directory claims */
export function leafSize({ cid, claimedSize }: Pick<DirectoryLink, 'cid' | 'claimedSize'>): Bytes {
  return cid.multihash.code === IDENTITY_CODE ? cid.multihash.digest.byteLength : claimedSize
}

export function isDirectory(node: DagNode): boolean {
  return node.kind === 'directory' || node.kind === 'hamt'
}

/** Follows a path from `root`. @throws NOT_FOUND naming the missing segment · what {@link directoryLinks} throws */
export async function resolvePath(get: GetBlock, root: CID, path: readonly string[], options: AbortOptions): Promise<CID> {
  let at = root
  const turns = new Turns()
  for (const segment of path) at = await step(get, at, segment, options, turns)
  return at
}

async function step(get: GetBlock, parent: CID, segment: string, options: AbortOptions, turns: Turns): Promise<CID> {
  const node = await getNode(get, parent, options)
  if (!isDirectory(node)) {
    if (node.kind === 'file' || node.kind === 'raw')
      throw new KithError('NOT_FOUND', `there is no "${segment}": ${parent.toString()} is a file`, { segment, attempts: [] })
    throw notAFileOrDirectory(node)
  }
  for await (const link of directoryLinks(get, node, options, turns)) {
    if (link.name === segment) return link.cid
  }
  throw new KithError('NOT_FOUND', `the directory ${parent.toString()} has no entry "${segment}"`, { segment, attempts: [] })
}
