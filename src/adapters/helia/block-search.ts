/**
 * The search for one block among the connected bitswap peers. Peers that delivered before are asked for the block
 * itself, one at a time; the others are first asked whether they have it. So a block travels once, and a search
 * that no peer can satisfy ends when the last of them has said so.
 */
import type { CID } from 'multiformats/cid'
import type { Ms } from '../../model/units.ts'
import { SourceError } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import type { BitswapPeers } from './bitswap-peers.ts'
import type { Outbox } from './outbox.ts'

/** How long one peer may owe a block before another is asked too: the same patience as with a gateway. */
const HEDGE_MS: Ms = 2_000
/** Peers asked whether they have a block, at most; more would cost more in messages than it finds. */
const BROADCAST_PEERS_MAX = 64

export interface BlockSearchComponents {
  readonly peers: Pick<BitswapPeers, 'ids' | 'has'>
  readonly outbox: Pick<Outbox, 'want'>
  readonly clock: Clock
}

export interface BlockSearchInit {
  readonly cid: CID
  /** Longest search. */
  readonly timeout: Ms
  /** Peers that delivered blocks of this content, the one to ask first in front. */
  readonly proven: readonly string[]
  readonly delivered: (peer: string) => void
  /**
   * Asked when no connected peer has the block: is somebody else being looked for? If so the search goes on until
   * {@link BlockSearch.nobodyElse}. Absent: nobody is.
   */
  readonly elsewhere?: () => boolean
}

type Asked = 'presence' | 'block' | 'no'

export class BlockSearch {
  readonly #parts: BlockSearchComponents
  readonly #init: BlockSearchInit
  readonly #asked = new Map<string, Asked>()
  /** Said they have it, not asked for it yet. */
  readonly #holders: string[] = []
  readonly #result = Promise.withResolvers<Uint8Array>()
  #timers: (() => void)[] = []
  /** Owes the block and still has our patience. */
  #current: string | undefined
  #claimed = false
  #broadcasting = false
  #done = false

  constructor(components: BlockSearchComponents, init: BlockSearchInit) {
    this.#parts = components
    this.#init = init
    this.#holders = init.proven.filter(peer => components.peers.has(peer))
    this.#claimed = this.#holders.length > 0
  }

  get cid(): CID {
    return this.#init.cid
  }
  asked(): string[] {
    return [...this.#asked.keys()]
  }
  isAsking(peer: string): boolean {
    return this.#asked.has(peer)
  }
  owes(peer: string): boolean {
    return this.#asked.get(peer) === 'block'
  }

  /** @returns the bytes a peer sent; rejects with SourceError not-found or timeout */
  async run(): Promise<Uint8Array> {
    this.#timers.push(
      this.#parts.clock.after(this.#init.timeout, () => {
        this.#timeUp()
      })
    )
    this.#advance()
    return await this.#result.promise
  }

  /** Ends the search from outside. */
  end(reason: unknown): void {
    this.#finish()
    this.#result.reject(reason)
  }

  /** IPFS is being switched off. */
  stopped(): void {
    this.end(new SourceError('refused', 'IPFS was stopped'))
  }

  /** HAVE, DONT_HAVE or the block itself. An answer nobody asked for counts if it brings the block. */
  answer(peer: string, has: boolean, block?: Uint8Array): void {
    if (this.#done) return
    if (block !== undefined) return this.#deliver(peer, block)
    const before = this.#asked.get(peer)
    if (before === undefined || before === 'no') return
    if (!has) this.#refused(peer)
    else if (before === 'presence') this.#claims(peer)
    this.#advance()
  }

  /** A bitswap peer has connected meanwhile. */
  joined(peer: string): void {
    if (!this.#done && this.#broadcasting && !this.#asked.has(peer)) this.#askPresence(peer)
  }

  /** The looking for others is over. */
  nobodyElse(): void {
    if (!this.#done) this.#advance()
  }

  #claims(peer: string): void {
    this.#claimed = true
    if (!this.#holders.includes(peer)) this.#holders.push(peer)
  }

  #refused(peer: string): void {
    this.#asked.set(peer, 'no')
    if (this.#current === peer) this.#current = undefined
    const at = this.#holders.indexOf(peer)
    if (at !== -1) this.#holders.splice(at, 1)
  }

  #deliver(peer: string, block: Uint8Array): void {
    this.#finish()
    this.#init.delivered(peer)
    this.#result.resolve(block)
  }

  /** The next step, if nobody with our patience owes the block. */
  #advance(): void {
    if (this.#current !== undefined) return
    const holder = this.#holders.shift()
    if (holder !== undefined) return this.#askBlock(holder)
    const fresh = this.#parts.peers.ids().filter(peer => !this.#asked.has(peer))
    if (fresh.length > 0 && !this.#broadcasting) return this.#broadcast(fresh)
    this.#broadcasting = true
    if (this.#isOver() && this.#init.elsewhere?.() !== true) this.end(new SourceError('not-found', 'no connected IPFS peer has the block'))
  }

  /** A single peer is asked for the block at once: asking whether it has it would only cost a round trip. */
  #broadcast(fresh: readonly string[]): void {
    this.#broadcasting = true
    const [only, second] = fresh
    if (only !== undefined && second === undefined) this.#askBlock(only)
    else for (const peer of fresh.slice(0, BROADCAST_PEERS_MAX)) this.#askPresence(peer)
  }

  #askPresence(peer: string): void {
    if (this.#asked.size >= BROADCAST_PEERS_MAX) return
    this.#asked.set(peer, 'presence')
    this.#parts.outbox.want(peer, this.cid, 'WantHave')
  }

  #askBlock(peer: string): void {
    this.#asked.set(peer, 'block')
    this.#current = peer
    this.#parts.outbox.want(peer, this.cid, 'WantBlock')
    this.#timers.push(
      this.#parts.clock.after(HEDGE_MS, () => {
        if (this.#current !== peer) return
        this.#current = undefined
        this.#advance()
      })
    )
  }

  #isOver(): boolean {
    return [...this.#asked.values()].every(state => state === 'no')
  }

  /** A search that ends empty is not-found; one that was promised the block and did not get it is a timeout. */
  #timeUp(): void {
    this.end(
      this.#claimed
        ? new SourceError('timeout', `no IPFS peer sent the block within ${this.#init.timeout} ms, though one has it`)
        : new SourceError('not-found', `no IPFS peer had the block within ${this.#init.timeout} ms`)
    )
  }

  #finish(): void {
    this.#done = true
    for (const cancel of this.#timers) cancel()
    this.#timers = []
  }
}
