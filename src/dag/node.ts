/**
 * One block of a UnixFS DAG as Kith sees it. Everything a hostile node could say is checked here, once:
 * sizes, counts and names are believed nowhere else.
 */
import { decode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import type { VerifiedBlock } from '../model/block.ts'
import { DAG_PB_CODEC, isSupportedCid, toV1 } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'

/** Most links of one block: a 2 MiB block of 44 byte links has 48 k; a legal profile has 1,024. */
const LINKS_MAX = 16_384
/** HAMT fan-out: a power of two, a multiple of eight, at most this (UnixFS specification). */
const HAMT_FANOUT_MAX = 1024

export type NodeKind = 'raw' | 'file' | 'directory' | 'hamt' | 'symlink' | 'other'

export interface DagLink {
  readonly cid: CID
  readonly name: string
  /** Serialized bytes below this link (dag-pb `Tsize`), as the node claims. */
  readonly claimedSize: Bytes
  /** File nodes: content bytes below this link, as the node claims; checked when the child is read. */
  readonly size?: Bytes
}

export interface DagNode {
  readonly cid: CID
  readonly kind: NodeKind
  readonly links: readonly DagLink[]
  /** Bytes this node itself holds of a file (before those of its links). */
  readonly data: Uint8Array
  /** Files: content bytes of this node and all below. Others: 0. */
  readonly size: Bytes
  /** HAMT shards: width of the name prefix in hex digits. */
  readonly prefixLength: number
}

const NO_BYTES = new Uint8Array(0)

/** A DAG that no honest importer makes. Counts as corrupt for whoever sent it as an answer. */
export class BadDagError extends KithError {
  constructor(cid: CID, why: string) {
    super('INTEGRITY', `block ${cid.toString()} is not a well-formed UnixFS node: ${why}`)
    this.name = 'BadDagError'
  }
}

export function isNodeCid(cid: CID): boolean {
  return cid.code === DAG_PB_CODEC
}

/** @throws BadDagError (INTEGRITY) */
export function parseNode(block: VerifiedBlock): DagNode {
  const { cid, bytes } = block
  if (!isNodeCid(cid)) return { cid, kind: 'raw', links: [], data: bytes, size: bytes.byteLength, prefixLength: 0 }
  const { pb, fs } = decodeBoth(cid, bytes)
  if (pb.Links.length > LINKS_MAX) throw new BadDagError(cid, `${pb.Links.length} links, at most ${LINKS_MAX} are read`)
  const links = pb.Links.map(({ Hash, Name, Tsize }) => {
    if (!isSupportedCid(Hash)) throw new BadDagError(cid, `it links to ${Hash.toString()}, which is neither raw nor dag-pb with sha2-256`)
    return { cid: toV1(Hash), name: Name ?? '', claimedSize: Tsize ?? 0 }
  })
  switch (fs?.type) {
    case undefined:
      return { cid, kind: 'other', links, data: NO_BYTES, size: 0, prefixLength: 0 }
    case 'file':
    case 'raw':
      return fileNode(cid, fs, links)
    case 'directory':
      return { cid, kind: 'directory', links, data: NO_BYTES, size: 0, prefixLength: 0 }
    case 'hamt-sharded-directory':
      return { cid, kind: 'hamt', links, data: NO_BYTES, size: 0, prefixLength: hamtPrefix(cid, fs) }
    case 'symlink':
      if (links.length > 0) throw new BadDagError(cid, 'a symbolic link has no links below it')
      return { cid, kind: 'symlink', links, data: NO_BYTES, size: 0, prefixLength: 0 }
    default:
      return { cid, kind: 'other', links, data: NO_BYTES, size: 0, prefixLength: 0 }
  }
}

function decodeBoth(cid: CID, bytes: Uint8Array): { pb: ReturnType<typeof decode>; fs: UnixFS | undefined } {
  try {
    const pb = decode(bytes)
    return { pb, fs: pb.Data === undefined ? undefined : UnixFS.unmarshal(pb.Data) }
  } catch (error) {
    throw new BadDagError(cid, error instanceof Error ? error.message : 'unreadable')
  }
}

function fileNode(cid: CID, fs: UnixFS, links: Omit<DagLink, 'size'>[]): DagNode {
  if (fs.blockSizes.length !== links.length) throw new BadDagError(cid, `${links.length} links but ${fs.blockSizes.length} sizes`)
  if (links.some(link => link.name !== '')) throw new BadDagError(cid, 'a link inside a file has a name')
  const sized = links.map((link, i) => ({ ...link, size: Number(fs.blockSizes[i]) }))
  const data = fs.data ?? NO_BYTES
  const size = sized.reduce((sum, link) => sum + link.size, data.byteLength)
  if (!Number.isSafeInteger(size)) throw new BadDagError(cid, `it claims ${size} bytes`)
  return { cid, kind: 'file', links: sized, data, size, prefixLength: 0 }
}

function hamtPrefix(cid: CID, fs: UnixFS): number {
  const fanout = Number(fs.fanout ?? 0n)
  const isPowerOfTwo = fanout > 0 && (fanout & (fanout - 1)) === 0
  if (!isPowerOfTwo || fanout % 8 !== 0 || fanout > HAMT_FANOUT_MAX) throw new BadDagError(cid, `a fan-out of ${fanout}`)
  return (fanout - 1).toString(16).length
}

/** @returns the error for asking a node for something it is not */
export function notAFile(node: DagNode): KithError {
  if (node.kind === 'directory' || node.kind === 'hamt')
    return new KithError('IS_DIRECTORY', `${node.cid.toString()} is a directory; ask for a path inside it, or get it into a folder`, {
      cid: node.cid.toString()
    })
  return notAFileOrDirectory(node)
}

export function notAFileOrDirectory(node: DagNode): KithError {
  return new KithError('INVALID_CONTENT', `${node.cid.toString()} is neither a file nor a directory`)
}
