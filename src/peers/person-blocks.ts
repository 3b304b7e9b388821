/**
 * A block of a person reaches the nodes that person spoke for, and stays when the binding ends, is no longer shown or is
 * forgotten. Owns the table `spoken-for`: who was seen to speak for the nodes the operator has an entry for.
 */
import type { Log } from '../ports/log.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'
import { didFromPeerId } from './did-key.ts'
import { nodeOf } from './did.ts'
import type { Bindings } from './judge.ts'
import { storedTexts } from './stored-fields.ts'
import type { TrustBook } from './trust-book.ts'

/** DIDs remembered for one node; the first ones stay, so that it cannot push them out. Count. */
const SPEAKERS_MAX = 16
/** Nodes without an entry of their own that are blocked for one person: new ones cost it nothing. Count. */
const UNKNOWN_NODES_MAX = 64

export interface PersonBlocksComponents {
  readonly book: TrustBook
  readonly state: StateStore
  readonly log: Log
  readonly bindings?: Bindings
}

export class PersonBlocks {
  readonly #parts: PersonBlocksComponents
  /** DID of a node → DIDs that spoke for it. */
  readonly #speakers: StateTable<readonly string[]>

  constructor(components: PersonBlocksComponents) {
    this.#parts = components
    this.#speakers = components.state.table('spoken-for', stored => storedTexts(stored, 'who spoke for a node'))
    components.book.onChange(did => this.#keep(this.#entered(did)))
  }

  /** The DID is blocked, and so are the nodes it spoke for. Durable when it resolves. */
  async block(did: string): Promise<void> {
    const { book } = this.#parts
    for (const node of this.#nodesOf(did)) await this.#blockNode(node, did)
    await book.block(did)
  }

  /** A peer showed who speaks for it. */
  seen(peer: string): void {
    this.#keep(this.#remember(peer))
  }

  /** Whoever gets an entry while it is connected was seen before it had one. */
  async #entered(did: string): Promise<void> {
    const peer = nodeOf(did)
    if (peer !== undefined) await this.#remember(peer)
  }

  async #remember(peer: string): Promise<void> {
    const { book, bindings } = this.#parts
    const shown = bindings?.boundDids(peer) ?? []
    if (shown.length === 0) return
    const node = didFromPeerId(peer)
    const known = this.#speakers.get(node) ?? []
    const speakers = [...new Set([...known, ...shown])].slice(0, SPEAKERS_MAX)
    if (book.get(node) !== undefined && speakers.length > known.length) await this.#speakers.put(node, speakers)
    for (const did of shown) if (book.get(did)?.isBlocked === true) await this.#blockNode(node, did)
  }

  #nodesOf(did: string): Set<string> {
    const shown = (this.#parts.bindings?.boundPeers?.(did) ?? []).map(didFromPeerId)
    const remembered = [...this.#speakers.entries()].flatMap(([node, speakers]) => (speakers.includes(did) ? [node] : []))
    return new Set([...shown, ...remembered])
  }

  async #blockNode(node: string, person: string): Promise<void> {
    const { book } = this.#parts
    if (book.get(node) === undefined && book.blockedFor(person) >= UNKNOWN_NODES_MAX) return
    await book.blockFor(node, person)
  }

  #keep(work: Promise<void>): void {
    work.catch((err: unknown) => {
      this.#parts.log.error({ err }, 'the block of a person could not be written for its node; it holds while the node shows whose it is')
    })
  }
}
