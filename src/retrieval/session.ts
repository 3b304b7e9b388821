/**
 * One DAG being brought together from many sources: what is verified here, what is still missing, and who waits
 * for it. Knows nothing of stages or peers; whoever delivers calls {@link DagSession.accept}.
 *
 * Every byte passes the one door (verifyBlock) and is in the store before anybody is told of it.
 */
import type { CID } from 'multiformats/cid'
import type { ByteRange } from '../dag/file.ts'
import { isNodeCid, parseNode, type DagNode } from '../dag/node.ts'
import { SkeletonWalk } from '../dag/skeleton.ts'
import { KithError } from '../errors.ts'
import { abortable } from '../lib/deadline.ts'
import { Turns } from '../lib/turns.ts'
import { deferred, type Deferred } from '../lib/deferred.ts'
import { verifyBlock, type VerifiedBlock } from '../model/block.ts'
import { blockKey, IDENTITY_CODE } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'
import type { LeafRange } from '../ports/exchange.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { BlockReader } from '../ports/serving.ts'
import { EarlyBlocks } from './early-blocks.ts'
import type { LeafPart } from './leaf-ranges.ts'
import { LeafTable, type Leaves } from './leaf-table.ts'
import { leavesOfRange } from './range-leaves.ts'
import { SizeLimit } from './size-limit.ts'

/** Which part of a DAG is asked for. `root`: its first block only, to follow a path. */
export type Want = { readonly kind: 'all' } | { readonly kind: 'root' } | { readonly kind: 'range'; readonly range: ByteRange }

export interface SessionStore extends BlockReader {
  put(block: VerifiedBlock): Promise<boolean>
}

export interface DagSessionInit {
  /** Largest content fetched as a whole, declared or seen; absent or 0: unlimited. */
  readonly maxBytes?: Bytes
}

export class DagSession {
  readonly root: CID
  readonly want: Want
  /** Bytes found in the local store. */
  localBytes: Bytes = 0
  /** Rises whenever something was accepted. */
  progress = 0
  /** Verified bytes taken from sources. */
  receivedBytes: Bytes = 0
  readonly #store: SessionStore
  readonly #walk: SkeletonWalk
  readonly #waiting = new Map<string, Deferred<VerifiedBlock>>()
  readonly #leaves: LeafTable
  readonly #early = new EarlyBlocks()
  readonly #limit: SizeLimit
  #rootNode: DagNode | undefined
  #error: unknown
  #isDone = false
  #change = deferred<void>()
  readonly #done = deferred<void>()

  /** @param want what has to be complete before {@link done} resolves */
  constructor(store: SessionStore, root: CID, want: Want, { maxBytes = 0 }: DagSessionInit = {}) {
    this.#store = store
    this.#limit = new SizeLimit(want.kind === 'all' ? maxBytes : 0)
    this.root = root
    this.want = want.kind === 'range' && !isNodeCid(root) ? { kind: 'all' } : want // one block has no parts
    this.#walk = new SkeletonWalk(root)
    this.#leaves = new LeafTable(this.#walk, this.want.kind === 'range' ? undefined : 'all')
  }

  /** Takes whatever the local store has. Call once, first. */
  async loadLocal(): Promise<void> {
    const { multihash } = this.root
    if (multihash.code === IDENTITY_CODE) {
      this.#sawRoot(verifyBlock(this.root, multihash.digest))
    } else if (isNodeCid(this.root)) {
      await this.#advance()
    } else {
      const block = await this.#store.get(this.root)
      if (block !== undefined) this.#sawRoot(block)
    }
    await this.#settle()
  }

  get rootNode(): DagNode | undefined {
    return this.#rootNode
  }
  get failure(): unknown {
    return this.#error
  }
  get isDone(): boolean {
    return this.#isDone
  }
  /** Resolves when everything wanted is local; rejects after {@link fail}. */
  get done(): Promise<void> {
    return this.#done.promise
  }
  /** Distinct blocks known so far; all of them once {@link done}. */
  get blockCount(): number {
    return this.#walk.nodes.length + this.#walk.leaves.length
  }
  /** Every node is here, so every leaf is named. */
  get hasSkeleton(): boolean {
    return this.#walk.done
  }
  get skeletonNodes(): number {
    return this.#walk.nodes.length
  }
  /** Resolves at the next change: something accepted, finished or failed. */
  async changed(): Promise<void> {
    await this.#change.promise
  }

  /** Leaves still needed, as at most `rangesMax` ranges in leaf order; while the skeleton is incomplete, what is known of it and all beyond. */
  missingLeaves(rangesMax: number): LeafRange[] {
    return this.#leaves.ranges(rangesMax)
  }

  /** The CID a skeleton index of an answer must have; undefined for what cannot come next. */
  nodeAt(index: number): CID | undefined {
    return index === this.#walk.nodes.length ? this.#walk.next : this.#walk.nodes[index]
  }

  get leaves(): Leaves {
    return this.#leaves
  }

  /**
   * Up to `count` missing blocks that are not in `asked`, which takes them in. Each source has its own `asked`: while
   * sources race for the first byte, one that hangs must not keep the others from asking for the same block. Of the leaves,
   * those of `part` only.
   */
  claim(count: number, asked: Set<string>, part: LeafPart = 'all'): CID[] {
    const taken: CID[] = []
    for (const cid of this.#needed(count + asked.size, part)) {
      if (taken.length >= count) break
      const key = blockKey(cid)
      if (asked.has(key)) continue
      asked.add(key)
      taken.push(cid)
    }
    return taken
  }

  /**
   * Looks up a block that came unasked, in the answer for the whole DAG. `needed`: the addresses under which its bytes
   * are wanted now; `isNamed` false: nothing verified so far names this multihash.
   */
  judge(cid: CID): { readonly needed: readonly CID[]; readonly isNamed: boolean } {
    const node = this.#walk.pendingNode(cid)
    const early = this.#early.named(cid)
    const needed = new Map<number, CID>()
    for (const one of [node, this.#leaves.lacking(cid), early]) {
      if (one !== undefined && !this.#early.has(one)) needed.set(one.code, one)
    }
    return { needed: [...needed.values()], isNamed: early !== undefined || this.#walk.names(cid) }
  }

  /**
   * Verifies and stores a block that was asked for; `accepted` hears of it before anybody who waits for the block.
   *
   * @throws BlockMismatchError, BadDagError (INTEGRITY): the sender is wrong · anything else: this node cannot go on
   */
  async accept(cid: CID, bytes: Uint8Array, accepted: (bytes: Bytes) => void = () => {}): Promise<void> {
    const block = verifyBlock(cid, bytes)
    const node = isNodeCid(cid) ? parseNode(block) : undefined // refuse what cannot be used before it is stored
    const isNew = await this.#store.put(block)
    this.progress += 1
    this.receivedBytes += bytes.byteLength
    accepted(bytes.byteLength)
    try {
      this.#note(block, node)
      if (isNew && node === undefined) this.#limit.took(bytes.byteLength)
      await this.#settle()
    } catch (error) {
      this.fail(error) // before another block completes what cannot be used
      throw error
    }
  }

  /** A block of this DAG, as soon as it is verified here. */
  async get(cid: CID, options: AbortOptions): Promise<VerifiedBlock> {
    options.signal?.throwIfAborted()
    let before: number
    do {
      before = this.progress
      const stored = await this.#store.get(cid, options)
      if (stored !== undefined) return stored
    } while (before !== this.progress) // it may have come in while the store was asked
    if (this.#error !== undefined) throw this.#error
    if (this.#isDone) throw notComing()
    const key = blockKey(cid)
    const waiter = this.#waiting.get(key) ?? deferred<VerifiedBlock>()
    this.#waiting.set(key, waiter)
    return { ...(await abortable(waiter.promise, options)), cid }
  }

  /** Ends the session: everybody who waits gets the error. What is verified stays in the store. */
  fail(error: unknown): void {
    if (this.#error !== undefined || this.#isDone) return
    this.#error = error
    this.#done.reject(error)
    this.#release(error)
  }

  #note(block: VerifiedBlock, node: DagNode | undefined): void {
    const next = this.#walk.next
    // The same bytes may be linked as a node and as a leaf; only what came as a node is read as one.
    if (next !== undefined && next.code === block.cid.code && blockKey(next) === blockKey(block.cid)) this.#acceptNode(block)
    else this.#markLeaf(block, node)
    const key = blockKey(block.cid)
    this.#waiting.get(key)?.resolve(block)
    this.#waiting.delete(key)
    this.#announce()
  }

  #acceptNode(block: VerifiedBlock): void {
    const node = this.#walk.accept(block)
    this.#early.forget(block.cid)
    this.#rootNode ??= node
    this.#limit.declared(this.#walk.declaredBytes)
  }

  #sawRoot(block: VerifiedBlock): void {
    this.localBytes += block.bytes.byteLength
    this.#markLeaf(block, undefined)
    this.#rootNode ??= parseNode(block)
  }

  #markLeaf(block: VerifiedBlock, node: DagNode | undefined): void {
    this.#leaves.mark(block.cid)
    if (node === undefined ? this.#walk.leafIndex(block.cid) === undefined : !this.#walk.hasNode(block.cid))
      this.#early.add(block.cid, node)
    if (blockKey(block.cid) === blockKey(this.root)) this.#rootNode ??= parseNode(block)
  }

  /** Moves on over nodes and leaves that are in the store already, then looks whether all is there. */
  async #settle(): Promise<void> {
    if (this.#isDone || this.#error !== undefined) return
    if (this.want.kind === 'root') {
      if (this.#rootNode !== undefined) this.#finish()
      return
    }
    await this.#advance()
    if (this.#walk.done && !this.#leaves.isChosen)
      this.#leaves.choose(await leavesOfRange(this.#store, this.#walk, this, () => this.#error !== undefined))
    const found = await this.#leaves.check(this.#store, cid => this.#early.has(cid))
    this.localBytes += found
    if (this.#walk.done && this.#leaves.isComplete) this.#finish()
  }

  async #advance(): Promise<void> {
    const turns = new Turns()
    for (let next = this.#walk.next; next !== undefined; next = this.#walk.next) {
      await turns.step({})
      if (this.#walk.next !== next) continue
      const block = await this.#store.get(next)
      if (block === undefined || this.#walk.next !== next) return
      if (this.progress === 0) this.localBytes += block.bytes.byteLength
      this.#acceptNode(block)
    }
  }

  *#needed(count: number, part: LeafPart): Generator<CID> {
    if (this.want.kind === 'root') {
      if (this.#rootNode === undefined) yield this.root
      return
    }
    yield* this.#walk.upcoming(count)
    yield* this.#leaves.missing(part)
  }

  #finish(): void {
    if (this.#isDone || this.#error !== undefined) return
    this.#isDone = true
    this.#done.resolve()
    this.#release(notComing())
  }

  #release(error: unknown): void {
    for (const waiter of this.#waiting.values()) waiter.reject(error)
    this.#waiting.clear()
    this.#announce()
  }

  #announce(): void {
    const change = this.#change
    this.#change = deferred<void>()
    change.resolve()
  }
}

function notComing(): KithError {
  return new KithError(
    'UNAVAILABLE',
    'a block of this content was here and is gone, or was never part of what was asked for; ask for the content again'
  )
}
