/** One retrieval's use of bitswap: remembers which peers delivered blocks of this content and asks them first. */
import type { CID } from 'multiformats/cid'
import type { Semaphore } from '../../lib/semaphore.ts'
import type { Ms } from '../../model/units.ts'
import { SourceError } from '../../ports/block-source.ts'
import type { BlockSession } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AbortOptions } from '../../ports/options.ts'
import type { BitswapPeers } from './bitswap-peers.ts'
import { BlockSearch } from './block-search.ts'
import type { Outbox } from './outbox.ts'
import type { WantBoard } from './want-board.ts'

export interface BitswapSessionComponents {
  readonly peers: BitswapPeers
  readonly outbox: Outbox
  readonly board: WantBoard
  /** Bounds the wants of all sessions together. */
  readonly wants: Semaphore
  readonly clock: Clock
  readonly stopped: AbortSignal
}

export class BitswapSession implements BlockSession {
  readonly #parts: BitswapSessionComponents
  readonly #timeout: Ms
  readonly #proven = new Set<string>()
  readonly #searches = new Set<BlockSearch>()
  #closed = false

  constructor(components: BitswapSessionComponents, init: { readonly timeout: Ms }) {
    this.#parts = components
    this.#timeout = init.timeout
  }

  async get(cid: CID, { signal }: AbortOptions): Promise<Uint8Array> {
    signal?.throwIfAborted()
    this.#throwIfEnded()
    if (this.#parts.peers.size === 0) throw new SourceError('not-found', 'no IPFS peer is connected and no router is running')
    using _place = await this.#parts.wants.acquire({ signal })
    signal?.throwIfAborted()
    this.#throwIfEnded()
    return await this.#search(cid, signal)
  }

  close(): void {
    this.#closed = true
    for (const search of this.#searches) search.end(closedError())
  }

  async #search(cid: CID, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const search = new BlockSearch(this.#parts, {
      cid,
      timeout: this.#timeout,
      proven: this.#bestFirst(),
      delivered: peer => {
        this.#proven.add(peer)
      }
    })
    const giveUp = (): void => {
      search.end(signal?.reason)
    }
    this.#searches.add(search)
    this.#parts.board.add(search)
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      return await search.run()
    } finally {
      signal?.removeEventListener('abort', giveUp)
      this.#searches.delete(search)
      this.#parts.board.remove(search, this.#parts.outbox)
    }
  }

  /** Whoever owes least is asked next: a faster peer is free more often and so gets more. */
  #bestFirst(): string[] {
    const searches = [...this.#searches]
    const owed = new Map([...this.#proven].map(peer => [peer, searches.filter(search => search.owes(peer)).length]))
    return [...owed].sort((a, b) => a[1] - b[1]).map(([peer]) => peer)
  }

  #throwIfEnded(): void {
    if (this.#closed || this.#parts.stopped.aborted) throw closedError()
  }
}

function closedError(): SourceError {
  return new SourceError('refused', 'IPFS was stopped or the session closed')
}
