/**
 * One retrieval's use of bitswap: remembers which peers delivered blocks of this content and asks them first, and looks
 * for providers of it, once, when the connected peers do not have it.
 */
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

/** Head start of the connected peers before providers are looked up: who has the content answers long before. */
const LOOKUP_DELAY_MS: Ms = 1_000

/** Finds and connects those who have a content; the main host's public swarm. */
export interface ProviderRouting {
  /** A public content is asked for: the swarm is entered, if it may be and was not. */
  wake(): void
  /** Whether a search would ask anybody. */
  readonly isRouting: boolean
  /** Resolves when the search is over and every dial has ended. Never rejects. */
  connectProviders(cid: CID, options: AbortOptions): Promise<void>
}

export interface BitswapSessionComponents {
  readonly peers: BitswapPeers
  readonly outbox: Outbox
  readonly board: WantBoard
  /** Bounds the wants of all sessions together. */
  readonly wants: Semaphore
  readonly clock: Clock
  readonly stopped: AbortSignal
  readonly routing: ProviderRouting | undefined
}

export interface BitswapSessionInit {
  /** What the blocks belong to: providers of it are looked for. */
  readonly root: CID
  /** Longest search for one block. */
  readonly timeout: Ms
}

export class BitswapSession implements BlockSession {
  readonly #parts: BitswapSessionComponents
  readonly #init: BitswapSessionInit
  readonly #proven = new Set<string>()
  readonly #searches = new Set<BlockSearch>()
  #lookup: 'not-begun' | 'running' | 'over' = 'not-begun'
  readonly #lookupStop = new AbortController()
  #cancelDelay: (() => void) | undefined
  #closed = false

  constructor(components: BitswapSessionComponents, init: BitswapSessionInit) {
    this.#parts = components
    this.#init = init
  }

  async get(cid: CID, { signal }: AbortOptions): Promise<Uint8Array> {
    signal?.throwIfAborted()
    this.#throwIfEnded()
    if (this.#parts.peers.size === 0 && !this.#mayLookUp())
      throw new SourceError('not-found', 'no IPFS peer is connected and no router is running')
    using _place = await this.#parts.wants.acquire({ signal })
    signal?.throwIfAborted()
    this.#throwIfEnded()
    return await this.#search(cid, signal)
  }

  close(): void {
    this.#closed = true
    this.#endLookup()
    for (const search of this.#searches) search.end(closedError())
  }

  async #search(cid: CID, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const search = new BlockSearch(this.#parts, {
      cid,
      timeout: this.#init.timeout,
      proven: this.#bestFirst(),
      delivered: peer => {
        this.#proven.add(peer)
        this.#cancelDelay?.()
      },
      elsewhere: () => this.#lookUp()
    })
    const giveUp = (): void => {
      search.end(signal?.reason)
    }
    this.#searches.add(search)
    if (this.#mayLookUp()) this.#cancelDelay ??= this.#parts.clock.after(LOOKUP_DELAY_MS, () => this.#lookUp())
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

  #mayLookUp(): boolean {
    return this.#lookup === 'running' || (this.#lookup === 'not-begun' && this.#parts.routing?.isRouting === true)
  }

  /** Begins to look for providers if that was not done. @returns whether they are being looked for */
  #lookUp(): boolean {
    if (!this.#mayLookUp()) return false
    if (this.#lookup === 'running') return true
    this.#lookup = 'running'
    const signal = AbortSignal.any([this.#lookupStop.signal, this.#parts.stopped])
    void this.#parts.routing?.connectProviders(this.#init.root, { signal }).then(() => {
      this.#lookup = 'over'
      // Bitswap hears of a new peer in the turn after the one in which the host did.
      setImmediate(() => {
        for (const search of this.#searches) search.nobodyElse()
      })
    })
    return true
  }

  #endLookup(): void {
    this.#cancelDelay?.()
    this.#lookupStop.abort(closedError())
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
