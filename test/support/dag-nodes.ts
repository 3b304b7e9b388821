/** Single UnixFS nodes by hand, honest and lying: shapes that no importer makes. */
import { encode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { verifyBlock, type VerifiedBlock } from '../../src/model/block.ts'
import { blockKey, DAG_PB_CODEC, rawCid, SHA2_256_CODE } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'

export interface Child {
  readonly cid: CID
  readonly name?: string
  readonly size?: number
}

export function leaf(bytes: Uint8Array | string): VerifiedBlock {
  const data = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes
  return verifyBlock(rawCid(sha256(data)), data)
}

/** A file node; `size` of a child is what the node claims for it. */
export function fileNode(children: readonly Child[], data?: Uint8Array): VerifiedBlock {
  const fs = new UnixFS({ type: 'file', blockSizes: children.map(({ size = 0 }) => BigInt(size)), ...(data === undefined ? {} : { data }) })
  return node(
    children.map(({ cid }) => ({ cid })),
    fs.marshal()
  )
}

export function directoryNode(children: readonly Child[]): VerifiedBlock {
  return node(children, new UnixFS({ type: 'directory' }).marshal())
}

export function symlinkNode(target: string): VerifiedBlock {
  return node([], new UnixFS({ type: 'symlink', data: new TextEncoder().encode(target) }).marshal())
}

/** A shard of a directory; the names of its children begin with two hex digits (fan-out 256). */
export function shardNode(children: readonly Child[], fanout = 256n): VerifiedBlock {
  const bitmap = new Uint8Array([0xff])
  return node(children, new UnixFS({ type: 'hamt-sharded-directory', hashType: 0x22n, fanout, data: bitmap }).marshal())
}

/** Any node, whatever its data say. */
export function node(children: readonly Child[], data: Uint8Array): VerifiedBlock {
  const bytes = encode({ Data: data, Links: children.map(({ cid, name = '', size = 0 }) => ({ Hash: cid, Name: name, Tsize: size })) })
  return verifyBlock(CID.createV1(DAG_PB_CODEC, createDigest(SHA2_256_CODE, sha256(bytes))), bytes)
}

/** Blocks by multihash; what a session or a walk reads. */
export class BlockMap {
  readonly #blocks = new Map<string, VerifiedBlock>()
  puts = 0

  constructor(blocks: Iterable<VerifiedBlock> = []) {
    for (const block of blocks) this.#blocks.set(blockKey(block.cid), block)
  }

  async has(cid: CID): Promise<boolean> {
    return this.#blocks.has(blockKey(cid))
  }

  async get(cid: CID): Promise<VerifiedBlock | undefined> {
    const block = this.#blocks.get(blockKey(cid))
    return block === undefined ? undefined : { ...block, cid }
  }

  async put(block: VerifiedBlock): Promise<boolean> {
    this.puts++
    const isNew = !this.#blocks.has(blockKey(block.cid))
    this.#blocks.set(blockKey(block.cid), block)
    return isNew
  }
}

/** Five blocks that unfold into `width` to the power of four leaves. */
export function bomb(kind: 'file' | 'directory', width = 174): { readonly root: CID; readonly blocks: readonly VerifiedBlock[] } {
  const blocks = [leaf('x')]
  let size = 1
  for (let level = 0; level < 4; level++) {
    const below = blocks.at(-1) ?? leaf('x')
    const children = Array.from({ length: width }, (_, index) => ({
      cid: below.cid,
      size,
      ...(kind === 'file' ? {} : { name: `${1000 + index}` })
    }))
    blocks.push(kind === 'file' ? fileNode(children) : directoryNode(children))
    size *= width
  }
  const root = blocks.at(-1)
  if (root === undefined) throw new Error('a bomb has blocks')
  return { root: root.cid, blocks }
}

/** Nine blocks, root first: shards that each name the next one at all of their 256 places, and a leaf at the end. */
export function shardBomb(): readonly VerifiedBlock[] {
  const x = leaf('x')
  const blocks = [x, shardNode([{ cid: x.cid, name: '00a' }])]
  for (let level = 0; level < 7; level++) {
    const { cid } = blocks.at(-1) ?? x
    blocks.push(shardNode(Array.from({ length: 256 }, (_, place) => ({ cid, name: place.toString(16).toUpperCase().padStart(2, '0') }))))
  }
  return blocks.toReversed()
}

/** Three blocks, root first: a directory of many links to one directory of many links to one leaf. */
export function wideTree(width = 16_000): readonly VerifiedBlock[] {
  const x = leaf('x')
  const wide = ({ cid }: VerifiedBlock): VerifiedBlock =>
    directoryNode(Array.from({ length: width }, (_, index) => ({ cid, name: `${100_000 + index}`, size: 1 })))
  const inner = wide(x)
  return [wide(inner), inner, x]
}
