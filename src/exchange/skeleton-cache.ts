/**
 * Skeletons walked before, so that the second range of a large file needs no second walk. Holds order and no bytes:
 * whoever asks must be allowed to see the root, and every block is read through the asker's own view. What was walked
 * with some rights is used for the same rights only, or an answer would tell that somebody with more has been here.
 */
import type { CID } from 'multiformats/cid'
import type { LeafRef } from '../dag/skeleton.ts'
import { blockKey } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'

/** Skeletons kept. */
const ENTRIES_MAX = 64
/** CIDs kept in all: some 50 MB, leaves of 128 GiB in the standard profile. Longer skeletons are walked anew. */
const CIDS_KEPT_MAX = 131_072

export interface Skeleton {
  readonly nodes: readonly CID[]
  readonly leaves: readonly LeafRef[]
  /** Content bytes, for files. */
  readonly size: Bytes | undefined
}

export class SkeletonCache {
  /** Least recently used first. */
  readonly #entries = new Map<string, Skeleton>()
  #cids = 0

  get(scope: string, root: CID): Skeleton | undefined {
    const key = keyOf(scope, root)
    const found = this.#entries.get(key)
    if (found !== undefined) {
      this.#entries.delete(key)
      this.#entries.set(key, found)
    }
    return found
  }

  put(scope: string, root: CID, skeleton: Skeleton): void {
    const key = keyOf(scope, root)
    if (this.#entries.has(key) || weightOf(skeleton) > CIDS_KEPT_MAX) return
    this.#entries.set(key, skeleton)
    this.#cids += weightOf(skeleton)
    for (const [oldest, old] of this.#entries) {
      if (this.#entries.size <= ENTRIES_MAX && this.#cids <= CIDS_KEPT_MAX) return
      this.#entries.delete(oldest)
      this.#cids -= weightOf(old)
    }
  }
}

function keyOf(scope: string, root: CID): string {
  return `${root.code}${blockKey(root)} ${scope}`
}

function weightOf(skeleton: Skeleton): number {
  return skeleton.nodes.length + skeleton.leaves.length
}
