/**
 * Reads a UnixFS file in order from wherever its blocks are. Claimed sizes are compared with real ones at every
 * step, so that a lying node ends the read instead of shifting bytes.
 */
import type { CID } from 'multiformats/cid'
import { Turns } from '../lib/turns.ts'
import type { VerifiedBlock } from '../model/block.ts'
import { IDENTITY_CODE } from '../model/content-id.ts'
import { verifyBlock } from '../model/block.ts'
import type { Bytes } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import { BadDagError, isNodeCid, notAFile, parseNode, type DagNode } from './node.ts'

/** Deepest tree inside one file: 32 levels of two links already hold 4 billion leaves. */
const FILE_DEPTH_MAX = 32
/** Blocks asked for ahead of the reader: hides disk latency, holds at most 4 MiB in the standard profile. */
const READ_AHEAD_BLOCKS = 4

/** Finds one verified block, waiting for it if need be. */
export type GetBlock = (cid: CID, options: AbortOptions) => Promise<VerifiedBlock>

export interface ByteRange {
  /** First byte, from 0. */
  readonly offset: Bytes
  /** Bytes at most; undefined to the end. */
  readonly length?: Bytes | undefined
}

/** A piece of a file: a leaf, or bytes inline in a node (`size` then is theirs), and which part of it is wanted. */
export interface Piece {
  readonly cid: CID
  readonly inline?: Uint8Array
  readonly size: Bytes
  readonly from: Bytes
  readonly to: Bytes
}

/** @returns the size of the file whose root is given. @throws IS_DIRECTORY for directories */
export function fileSize(node: DagNode): Bytes {
  if (node.kind === 'raw' || node.kind === 'file') return node.size
  throw notAFile(node)
}

export async function getNode(get: GetBlock, cid: CID, options: AbortOptions): Promise<DagNode> {
  return parseNode(await loadBlock(get, cid, options))
}

/** Verified bytes of a file in order. Memory: a few blocks. @throws IS_DIRECTORY · INTEGRITY for lying sizes */
export async function* readFile(get: GetBlock, root: DagNode, range: ByteRange, options: AbortOptions): AsyncGenerator<Uint8Array> {
  const ahead: Promise<Uint8Array>[] = []
  let last: { readonly cid: CID; readonly bytes: Promise<Uint8Array> } | undefined
  for await (const piece of filePieces(get, root, range, options)) {
    // A run of the same leaf (zeros, mostly) is read and hashed once.
    if (piece.inline !== undefined || last?.cid.equals(piece.cid) !== true) last = { cid: piece.cid, bytes: loadPiece(get, piece, options) }
    const bytes = last.bytes.then(all => cut(all, piece))
    bytes.catch(() => {}) // reported when its turn comes
    ahead.push(bytes)
    if (ahead.length > READ_AHEAD_BLOCKS) yield await (ahead.shift() as Promise<Uint8Array>)
  }
  for (const bytes of ahead) yield await bytes
}

/** The pieces of a file that hold a range, in order. Reads nodes, no leaves. */
export async function* filePieces(get: GetBlock, root: DagNode, range: ByteRange, options: AbortOptions): AsyncGenerator<Piece> {
  const to = Math.min(fileSize(root), range.length === undefined ? Infinity : range.offset + range.length)
  if (range.offset >= to) return
  // Five blocks may unfold into 900 million pieces.
  const turns = new Turns()
  for await (const piece of pieces(get, root, 0, { from: range.offset, to }, 0, options, turns)) {
    await turns.step(options)
    yield piece
  }
}

interface Span {
  readonly from: Bytes
  readonly to: Bytes
}

async function* pieces(
  get: GetBlock,
  node: DagNode,
  start: Bytes,
  want: Span,
  depth: number,
  options: AbortOptions,
  turns: Turns
): AsyncGenerator<Piece> {
  if (depth > FILE_DEPTH_MAX) throw new BadDagError(node.cid, `a file nests deeper than ${FILE_DEPTH_MAX}`)
  const own = overlap({ from: start, to: start + node.data.byteLength }, want)
  if (own !== undefined) yield { cid: node.cid, inline: node.data, size: node.data.byteLength, from: own.from - start, to: own.to - start }
  let at = start + node.data.byteLength
  for (const link of node.links) {
    const size = link.size ?? 0
    const part = overlap({ from: at, to: at + size }, want)
    if (part !== undefined && isNodeCid(link.cid)) {
      await turns.step(options) // a node may take milliseconds to read
      const child = await getNode(get, link.cid, options)
      if (fileSize(child) !== size)
        throw new BadDagError(node.cid, `it claims ${size} bytes for ${link.cid.toString()}, which has ${child.size}`)
      yield* pieces(get, child, at, want, depth + 1, options, turns)
    } else if (part !== undefined) {
      yield { cid: link.cid, size, from: part.from - at, to: part.to - at }
    }
    at += size
  }
}

async function loadPiece(get: GetBlock, { cid, inline }: Piece, options: AbortOptions): Promise<Uint8Array> {
  return inline ?? (await loadBlock(get, cid, options)).bytes
}

function cut(bytes: Uint8Array, { cid, size, from, to }: Piece): Uint8Array {
  if (bytes.byteLength !== size) throw new BadDagError(cid, `its parent claims ${size} bytes, it has ${bytes.byteLength}`)
  return bytes.subarray(from, to)
}

/** Identity CIDs hold their bytes: nobody is asked. */
async function loadBlock(get: GetBlock, cid: CID, options: AbortOptions): Promise<VerifiedBlock> {
  if (cid.multihash.code === IDENTITY_CODE) return verifyBlock(cid, cid.multihash.digest)
  return await get(cid, options)
}

function overlap(span: Span, want: Span): Span | undefined {
  const from = Math.max(span.from, want.from)
  const to = Math.min(span.to, want.to)
  return from < to ? { from, to } : undefined
}
