/**
 * Blocks that were lost go back to where their content is recorded, unless that was removed while they were on their
 * way: then what was fetched for it goes too. In the turn of the root, so that no removal comes in between. A crash
 * loses what was not yet flushed, or leaves what was fetched in the cache.
 */
import type { CID } from 'multiformats/cid'
import { walkLocal } from '../dag/skeleton.ts'
import type { VerifiedBlock } from '../model/block.ts'
import { blockKey } from '../model/content-id.ts'
import type { Realm } from '../model/privacy.ts'
import { BlockWriter } from './block-writer.ts'
import type { Library } from './library.ts'

/** Records read a page. */
const PAGE = 1000

/** Blocks of one recorded content that are to be fetched. */
export interface Lost {
  readonly realm: Realm
  readonly root: CID
  readonly cids: readonly CID[]
}

export class Mend {
  readonly #library: Library
  readonly #lost: Lost
  /** Keys of the lost blocks that the cache had before. */
  readonly #cached: ReadonlySet<string>

  private constructor(library: Library, lost: Lost, cached: ReadonlySet<string>) {
    this.#library = library
    this.#lost = lost
    this.#cached = cached
  }

  /** To be called before they are fetched. */
  static async begin(library: Library, lost: Lost): Promise<Mend> {
    const cached = new Set<string>()
    for (const cid of lost.cids) if (await library.realms.cache.blocks.has(cid)) cached.add(blockKey(cid))
    return new Mend(library, lost, cached)
  }

  /**
   * To be called once they are fetched. `work` stores blocks of the content; they are durable when this returns, those
   * stored before a failure too.
   *
   * @returns false, and `work` has not run, if the content is not recorded there any more
   */
  async end(work: (store: (block: VerifiedBlock) => Promise<void>) => Promise<void>): Promise<boolean> {
    const { root, realm } = this.#lost
    return await this.#library.inTurn(root, async () => {
      const store = this.#library.realms[realm]
      if (store.records.get(root) === undefined) {
        await this.#drop()
        return false
      }
      const writer = new BlockWriter(this.#library.births[realm], store)
      try {
        await work(async ({ cid, bytes }) => void (await writer.put(cid, bytes)))
      } finally {
        // Blocks of what is recorded: nothing of them is taken back.
        writer.release()
        await store.blocks.flush().finally(() => writer.keep())
      }
      return true
    })
  }

  /** Takes out of the cache what came for the content, but what others need. */
  async #drop(): Promise<void> {
    const { cache } = this.#library.realms
    // Recorded anywhere else, or fetched whole meanwhile: it is here for that.
    if (this.#lost.realm === 'own' || this.#library.findRoot(this.#lost.root) !== undefined) return
    using sweep = this.#library.births.cache.beginSweep()
    const doomed = new Map<string, CID>()
    for (const cid of this.#lost.cids) {
      if (this.#cached.has(blockKey(cid)) || !(await cache.blocks.has(cid))) continue
      for (const each of await this.#below(cid)) doomed.set(blockKey(each), each)
    }
    const isSure = await this.#spareNeeded(doomed)
    for (const [key, cid] of doomed) {
      if (isSure) await cache.blocks.delete(cid, () => !sweep.isSafe(key))
      else if (sweep.isSafe(key)) cache.withheld.add(cid.multihash.bytes, 'removed')
    }
    await cache.blocks.flush()
  }

  /** Takes out of `doomed` what is recorded in the cache. @returns false if a content there could not be walked whole */
  async #spareNeeded(doomed: Map<string, CID>): Promise<boolean> {
    const { records } = this.#library.realms.cache
    let isSure = true
    let cursor: string | undefined
    do {
      const page = records.list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
      for (const { root } of page.items) {
        const walk = await walkLocal(this.#library.home('cache'), root)
        isSure &&= walk.done
        for (const cid of [...walk.nodes, ...walk.leaves.map(leaf => leaf.cid)]) doomed.delete(blockKey(cid))
      }
      cursor = page.cursor
    } while (cursor !== undefined && doomed.size > 0)
    return isSure
  }

  async #below(cid: CID): Promise<CID[]> {
    const { nodes, leaves } = await walkLocal(this.#library.realms.cache.blocks, cid)
    return [...nodes, ...leaves.map(leaf => leaf.cid)]
  }
}
