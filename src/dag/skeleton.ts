/**
 * The order of a DAG, the same on both sides of every wire: the *skeleton* (all distinct dag-pb blocks, root
 * first, depth first) and the *leaves* (all distinct raw blocks, in the order in which skeleton nodes name them).
 *
 * A DAG of n distinct blocks costs n steps, however often they are linked: five blocks that unfold into 900
 * million paths are five steps.
 */
import type { CID } from 'multiformats/cid'
import { blockKey, DAG_PB_CODEC, IDENTITY_CODE, RAW_CODEC } from '../model/content-id.ts'
import { KithError } from '../errors.ts'
import { Turns } from '../lib/turns.ts'
import type { Bytes } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import { BadDagError, isNodeCid, parseNode, type DagNode } from './node.ts'
import { verifyBlock, type VerifiedBlock } from '../model/block.ts'

/** Most dag-pb blocks of one content: a file of a petabyte in the standard profile. */
export const DAG_NODES_MAX = 1_048_576
/** Most distinct leaves of one content: 16 TiB of 1 MiB leaves; some 3 GB of memory, so a hard stop. */
export const DAG_LEAVES_MAX = 16_777_216
/** Deepest nesting followed: directories 1,000 deep do not exist outside attacks. */
export const DAG_DEPTH_MAX = 1024

export interface LeafRef {
  readonly cid: CID
  /** Bytes its parent claims for it; undefined below directories and for a bare root. */
  readonly size: Bytes | undefined
}

interface Pending {
  readonly cid: CID
  readonly depth: number
  /** The root, or named by a directory: a content of its own, no part of a file. */
  readonly isEntry: boolean
}

/** A link on its way into the walk. */
interface Named {
  readonly cid: CID
  readonly size?: Bytes
  readonly claimedSize?: Bytes
}

/** Walks a DAG one verified node at a time. The caller finds the bytes, this keeps the order. */
export class SkeletonWalk {
  readonly root: CID
  /** Distinct dag-pb blocks accepted so far, in order. */
  readonly nodes: CID[] = []
  /** Distinct leaves named so far, in order; final once {@link done}. */
  readonly leaves: LeafRef[] = []
  /** Content bytes that the nodes so far claim, each file counted once. What they claim may be a lie. */
  declaredBytes: Bytes = 0
  readonly #leafIndex = new Map<string, number>()
  readonly #seen = new Set<string>()
  readonly #stack: Pending[] = []
  /** What is on the stack, by multihash. */
  readonly #pending = new Map<string, CID>()

  /** @throws BadDagError (INTEGRITY) when the root holds its own bytes and they are no node */
  constructor(root: CID) {
    this.root = root
    this.#push([{ cid: root }], 0, true)
  }

  /** The node whose bytes are needed next; undefined when the skeleton is complete. */
  get next(): CID | undefined {
    return this.#stack.at(-1)?.cid
  }

  /** Nodes needed soon, {@link next} first: what may be asked for ahead. */
  upcoming(count: number): CID[] {
    return this.#stack
      .slice(-count)
      .toReversed()
      .map(pending => pending.cid)
  }

  get done(): boolean {
    return this.#stack.length === 0
  }

  leafIndex(cid: CID): number | undefined {
    return this.#leafIndex.get(blockKey(cid))
  }

  /** The node with this multihash that is named and not accepted yet. */
  pendingNode(cid: CID): CID | undefined {
    return this.#pending.get(blockKey(cid))
  }

  /** Whether this node was accepted. */
  hasNode(cid: CID): boolean {
    const key = blockKey(cid)
    return this.#seen.has(`${DAG_PB_CODEC}${key}`) && !this.#pending.has(key)
  }

  /** Whether the root or an accepted node names this multihash, as a node or as a leaf. */
  names(cid: CID): boolean {
    const key = blockKey(cid)
    return this.#seen.has(`${RAW_CODEC}${key}`) || this.#seen.has(`${DAG_PB_CODEC}${key}`)
  }

  /**
   * Takes the bytes of {@link next}.
   *
   * @throws BadDagError (INTEGRITY) for what no importer makes · KithError TOO_LARGE beyond the limits
   */
  accept(block: VerifiedBlock): DagNode {
    const pending = this.#stack.at(-1)
    if (pending === undefined || blockKey(pending.cid) !== blockKey(block.cid))
      throw new KithError('INTERNAL', 'a skeleton node was accepted out of order')
    const node = parseNode(block)
    if (pending.depth >= DAG_DEPTH_MAX && node.links.length > 0) throw new BadDagError(block.cid, `it nests deeper than ${DAG_DEPTH_MAX}`)
    this.#stack.pop()
    this.#pending.delete(blockKey(block.cid))
    this.nodes.push(block.cid)
    if (pending.isEntry) this.declaredBytes += node.size
    this.#push(node.links, pending.depth + 1, node.kind !== 'file')
    return node
  }

  /** The first of `links` comes next. */
  #push(links: readonly Named[], depth: number, areEntries: boolean): void {
    const below: Pending[] = []
    for (const link of links) this.#add(link, depth, areEntries, below)
    for (const child of below.toReversed()) this.#stack.push(child)
  }

  #add({ cid, size, claimedSize = 0 }: Named, depth: number, isEntry: boolean, below: Pending[]): void {
    if (cid.multihash.code === IDENTITY_CODE) return this.#addBelow(cid, depth, isEntry, below)
    const hash = blockKey(cid)
    const key = `${cid.code}${hash}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    if (!isNodeCid(cid)) {
      if (this.leaves.length >= DAG_LEAVES_MAX) throw new KithError('TOO_LARGE', `the content has more than ${DAG_LEAVES_MAX} leaves`)
      this.#leafIndex.set(hash, this.leaves.length)
      this.leaves.push({ cid, size })
      if (isEntry) this.declaredBytes += claimedSize
      return
    }
    if (this.nodes.length + this.#stack.length + below.length >= DAG_NODES_MAX)
      throw new KithError('TOO_LARGE', `the content has more than ${DAG_NODES_MAX} nodes`)
    this.#pending.set(hash, cid)
    below.push({ cid, depth, isEntry })
  }

  /** An identity CID holds its block, so nobody sends it; but the block may have links, to some hundred bytes at most. */
  #addBelow(cid: CID, depth: number, isEntry: boolean, below: Pending[]): void {
    if (!isNodeCid(cid)) return
    const node = parseNode(verifyBlock(cid, cid.multihash.digest))
    if (isEntry) this.declaredBytes += node.size
    for (const link of node.links) this.#add(link, depth + 1, node.kind !== 'file', below)
  }
}

/** Walks as far as the nodes can be read; `done` of the result tells whether that was all. */
export async function walkLocal(
  blocks: { get(cid: CID, options?: AbortOptions): Promise<VerifiedBlock | undefined> },
  root: CID,
  options: AbortOptions = {}
): Promise<SkeletonWalk> {
  const walk = new SkeletonWalk(root)
  const turns = new Turns()
  while (walk.next !== undefined) {
    const block = await blocks.get(walk.next, options)
    if (block === undefined) break
    walk.accept(block)
    await turns.step(options)
  }
  return walk
}
