/**
 * Blocks of a whole answer that came before the walk reached them, and what they name. An answer goes depth first from
 * the root; the walk names a block that is linked twice where it was linked first, so the two orders may differ.
 * In memory only: the blocks themselves are in the store.
 */
import type { CID } from 'multiformats/cid'
import type { DagNode } from '../dag/node.ts'
import { blockKey, IDENTITY_CODE } from '../model/content-id.ts'

/** Names kept; what is named beyond is asked for again when the walk gets there. Some 100 MB. */
const NAMES_MAX = 1_048_576

export class EarlyBlocks {
  /** Blocks that are stored; with their links if they are nodes. */
  readonly #stored = new Map<string, DagNode | undefined>()
  /** Links of early nodes, by multihash. */
  readonly #named = new Map<string, CID>()

  /** A block came that the walk does not want next. */
  add(cid: CID, node?: DagNode): void {
    if (this.#stored.size + this.#named.size >= NAMES_MAX) return
    this.#stored.set(keyOf(cid), node)
    for (const link of node?.links ?? []) {
      if (link.cid.multihash.code !== IDENTITY_CODE) this.#named.set(blockKey(link.cid), link.cid)
    }
  }

  /** The walk has reached a node: from now on it names what is below. */
  forget(cid: CID): void {
    const key = keyOf(cid)
    for (const link of this.#stored.get(key)?.links ?? []) this.#named.delete(blockKey(link.cid))
    this.#stored.delete(key)
  }

  has(cid: CID): boolean {
    return this.#stored.has(keyOf(cid))
  }

  /** The address under which an early node names this multihash. */
  named(cid: CID): CID | undefined {
    return this.#named.get(blockKey(cid))
  }
}

/** The same bytes may be a node and a leaf. */
function keyOf(cid: CID): string {
  return `${cid.code}${blockKey(cid)}`
}
