/**
 * Writes the blocks of one put, and takes back those that were new if the put fails.
 *
 * Puts overlap: two of them may bring the same block at the same time. A block is taken back only when nobody
 * else brings it and no finished put counts on it; until one put is acknowledged, nobody outside is served it.
 */
import type { CID } from 'multiformats/cid'
import { verifyBlock } from '../model/block.ts'
import { blockKey } from '../model/content-id.ts'
import type { BlockStore } from '../ports/block-store.ts'

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
  beginSweep (): { isSafe(key: string): boolean } & Disposable {
    const kept = new Set<string>()
    this.#sweeps.add(kept)
    return {
      isSafe: key => !this.#births.has(key) && !kept.has(key),
      [Symbol.dispose]: () => { this.#sweeps.delete(kept) }
    }
  }

  /** A finished put counts on this block. */
  keep (key: string, birth: Birth): void {
    birth.kept = true
    for (const kept of this.#sweeps) kept.add(key)
  }

  /** True while the block exists only for puts that may still fail. */
  isUnborn (key: string): boolean {
    const birth = this.#births.get(key)
    return birth !== undefined && birth.fresh && !birth.kept
  }

  join (key: string): Birth {
    const birth = this.#births.get(key) ?? { users: 0, fresh: false, kept: false }
    birth.users += 1
    this.#births.set(key, birth)
    return birth
  }

  /** @returns true if the caller was the last and nobody counts on the block */
  leave (key: string): boolean {
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
  readonly #blocks: BlockStore
  readonly #joined = new Map<string, { readonly cid: CID, readonly birth: Birth }>()

  constructor (births: Births, blocks: BlockStore) {
    this.#births = births
    this.#blocks = blocks
  }

  /** Distinct blocks so far. */
  get count (): number { return this.#joined.size }

  async put (cid: CID, bytes: Uint8Array): Promise<CID> {
    const key = blockKey(cid)
    if (this.#joined.has(key)) return cid
    const birth = this.#births.join(key)
    this.#joined.set(key, { cid, birth })
    const block = verifyBlock(cid, bytes)
    if (!await this.#blocks.has(cid)) birth.fresh = true
    if (await this.#blocks.put(block)) this.newCount += 1
    return cid
  }

  /** The record is durable: from here the blocks are served and stay. */
  keep (): void {
    for (const [key, { birth }] of this.#joined) {
      this.#births.keep(key, birth)
      this.#births.leave(key)
    }
    this.#joined.clear()
  }

  /** After a failure; without effect after {@link keep}. */
  async undo (): Promise<void> {
    for (const [key, { cid }] of this.#joined) {
      if (this.#births.leave(key)) await this.#blocks.delete(cid).catch(() => {}) // a block too many is garbage, not harm
    }
    this.#joined.clear()
  }
}
