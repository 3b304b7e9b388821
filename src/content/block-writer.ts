/**
 * Writes the blocks of one put, and takes back those that were new if the put fails.
 *
 * Puts overlap: two of them may bring the same block at the same time. A block is taken back only when nobody
 * else brings it and no finished put counts on it. Until one put is acknowledged, its new blocks are withheld: nobody
 * outside is served them, and a crash lets them go.
 */
import type { CID } from 'multiformats/cid'
import { verifyBlock, type VerifiedBlock } from '../model/block.ts'
import { blockKey } from '../model/content-id.ts'
import type { RealmStore } from '../ports/record-store.ts'

interface Birth {
  /** Puts under way that bring this block. */
  users: number
  /** Was not in the store before. */
  fresh: boolean
  /** A finished put counts on it. */
  kept: boolean
}

/** The blocks of all puts under way in one realm. */
export class Births {
  readonly #births = new Map<string, Birth>()
  /** One set for each sweep under way: blocks that finished puts count on since it began. */
  readonly #sweeps = new Set<Set<string>>()

  /**
   * For whoever takes blocks away: from now on, `isSafe(key)` is false for every block that a put brings or has
   * brought since, so that a sweep never takes what a put just acknowledged.
   */
  beginSweep(): { isSafe(key: string): boolean } & Disposable {
    const kept = new Set<string>()
    this.#sweeps.add(kept)
    return {
      isSafe: key => !this.#births.has(key) && !kept.has(key),
      [Symbol.dispose]: () => {
        this.#sweeps.delete(kept)
      }
    }
  }

  /** A finished put counts on this block. */
  keep(key: string, birth: Birth): void {
    birth.kept = true
    for (const kept of this.#sweeps) kept.add(key)
  }

  join(key: string): Birth {
    const birth = this.#births.get(key) ?? { users: 0, fresh: false, kept: false }
    birth.users += 1
    this.#births.set(key, birth)
    return birth
  }

  /** @returns true if the caller was the last and nobody counts on the block */
  leave(key: string): boolean {
    const birth = this.#births.get(key)
    if (birth === undefined) return false
    birth.users -= 1
    if (birth.users > 0) return false
    this.#births.delete(key)
    return birth.fresh && !birth.kept
  }
}

export class BlockWriter {
  /** Blocks that were not in the realm before. */
  newCount = 0
  readonly #births: Births
  readonly #realm: RealmStore
  readonly #joined = new Map<string, { readonly cid: CID; readonly birth: Birth }>()

  constructor(births: Births, realm: RealmStore) {
    this.#births = births
    this.#realm = realm
  }

  /** Distinct blocks so far. */
  get count(): number {
    return this.#joined.size
  }

  /** All of them. */
  get cids(): CID[] {
    return [...this.#joined.values()].map(({ cid }) => cid)
  }

  async put(cid: CID, bytes: Uint8Array): Promise<CID> {
    const key = blockKey(cid)
    if (this.#joined.has(key)) return cid
    const birth = this.#births.join(key)
    this.#joined.set(key, { cid, birth })
    await this.#write(verifyBlock(cid, bytes), birth)
    return cid
  }

  /** True if {@link put} or {@link adopt} was called for it. */
  brings(cid: CID): boolean {
    return this.#joined.has(blockKey(cid))
  }

  /** Counts on a block that another writer of this realm brought and that was just read. */
  adopt(cid: CID): void {
    const key = blockKey(cid)
    if (!this.#joined.has(key)) this.#joined.set(key, { cid, birth: this.#births.join(key) })
  }

  /** What is said to be there is read before it is counted on: a damaged block is set aside then, and written anew. */
  async #write(block: VerifiedBlock, birth: Birth): Promise<void> {
    const { blocks, withheld } = this.#realm
    if ((await blocks.get(block.cid)) !== undefined) return
    birth.fresh = true
    withheld.add(block.cid.multihash.bytes, 'unborn')
    if (await blocks.put(block)) this.newCount += 1
  }

  /** To be called right before the record is written: from then on the blocks are content of this node. */
  release(): void {
    for (const { cid } of this.#joined.values()) this.#realm.withheld.release(cid.multihash.bytes)
  }

  /** The record is durable: the blocks stay. */
  keep(): void {
    for (const [key, { birth }] of this.#joined) {
      this.#births.keep(key, birth)
      this.#births.leave(key)
    }
    this.#joined.clear()
  }

  /**
   * After a failure; without effect after {@link keep}. What is taken back stays withheld: were that undone before the
   * deletion is durable, a crash in between would let it out.
   */
  async undo(): Promise<void> {
    // A put that comes while a deletion waits may already count on the block: it is asked for at the last moment.
    using sweep = this.#births.beginSweep()
    for (const [key, { cid }] of this.#joined) {
      if (this.#births.leave(key)) await this.#realm.blocks.delete(cid, () => !sweep.isSafe(key)).catch(() => {})
    }
    this.#joined.clear()
  }
}
