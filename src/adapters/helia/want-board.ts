/** All running searches by block, so that one answer serves every search that waits for it. In memory only. */
import type { CID } from 'multiformats/cid'
import { blockKey } from '../../model/content-id.ts'
import type { Outbox } from './outbox.ts'
import type { BlockSearch } from './block-search.ts'
import type { Presence } from './bitswap-wire.ts'

export class WantBoard {
  readonly #searches = new Map<string, Set<BlockSearch>>()

  add(search: BlockSearch): void {
    const key = blockKey(search.cid)
    const group = this.#searches.get(key)
    if (group === undefined) this.#searches.set(key, new Set([search]))
    else group.add(search)
  }

  /**
   * Takes a finished search off, and the want back from every peer that was asked and is not needed by another
   * search: a peer that keeps it would send the block later for nothing, and Helia's would not answer it again.
   */
  remove(search: BlockSearch, outbox: Pick<Outbox, 'cancel'>): void {
    const key = blockKey(search.cid)
    const group = this.#searches.get(key)
    group?.delete(search)
    if (group?.size === 0) this.#searches.delete(key)
    const others = [...(group ?? [])]
    for (const peer of search.asked()) {
      if (!others.some(other => other.isAsking(peer))) outbox.cancel(peer, search.cid)
    }
  }

  presence({ sender, cid, has, block }: Presence): void {
    const peer = sender.toString()
    for (const search of this.#of(cid)) search.answer(peer, has, block)
  }

  /** The wants for these blocks never reached the peer. */
  failed(peer: string, keys: readonly string[]): void {
    for (const key of keys) {
      for (const search of [...(this.#searches.get(key) ?? [])]) search.answer(peer, false)
    }
  }

  joined(peer: string): void {
    for (const search of this.all()) search.joined(peer)
  }

  left(peer: string): void {
    for (const search of this.all()) search.answer(peer, false)
  }

  all(): BlockSearch[] {
    return [...this.#searches.values()].flatMap(group => [...group])
  }

  #of(cid: CID): BlockSearch[] {
    return [...(this.#searches.get(blockKey(cid)) ?? [])]
  }
}
