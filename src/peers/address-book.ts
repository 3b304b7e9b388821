/**
 * Where one's own people were found: at most eight addresses a peer, the one that worked last first. Owns the table
 * `addresses`. Losing it costs nothing but the way to those who are not connected.
 */
import type { StateStore, StateTable } from '../ports/state-table.ts'
import { ADDRESSES_MAX, isAddress, withoutPeer } from './dial-addresses.ts'
import { storedTexts } from './stored-fields.ts'

/** People somebody may have; beyond them addresses are not remembered. */
const PEERS_MAX = 10_000

export class AddressBook {
  readonly #table: StateTable<readonly string[]>

  constructor({ state }: { readonly state: StateStore }) {
    this.#table = state.table('addresses', stored => storedTexts(stored, 'the addresses of a peer'))
  }

  /** PeerIds. */
  *peers(): IterableIterator<string> {
    for (const [peer] of this.#table.entries()) yield peer
  }

  /** To be dialled, each ending in `/p2p/PEERID`; the likeliest first. */
  of(peer: string): string[] {
    return (this.#table.get(peer) ?? []).map(address => `${address}/p2p/${peer}`)
  }

  /** What the peer says of itself, or a ticket of it. What worked before stays in front; the rest is replaced. */
  async told(peer: string, addresses: readonly string[]): Promise<void> {
    const [worked] = this.#table.get(peer) ?? []
    const told = addresses.map(address => withoutPeer(address, peer)).filter(isAddress)
    await this.#put(peer, worked === undefined ? told : [worked, ...told])
  }

  /** A connection was made to this address. */
  async worked(peer: string, address: string): Promise<void> {
    const known = this.#table.get(peer)
    const plain = withoutPeer(address, peer)
    if (known === undefined || known[0] === plain || !known.includes(plain)) return
    await this.#put(peer, [plain, ...known])
  }

  async forget(peer: string): Promise<void> {
    await this.#table.remove(peer)
  }

  async #put(peer: string, addresses: readonly string[]): Promise<void> {
    const kept = [...new Set(addresses)].slice(0, ADDRESSES_MAX)
    const known = this.#table.get(peer)
    if (kept.length === 0 || (known === undefined && this.#table.size >= PEERS_MAX)) return
    if (known?.length === kept.length && known.every((address, index) => address === kept[index])) return
    await this.#table.put(peer, kept)
  }
}
