/** Which connected peers speak bitswap over a connection that may carry blocks. In memory; rebuilt at start. */
import type { Libp2p, PeerId } from '@libp2p/interface'
import { BITSWAP_PROTOCOL } from './bitswap-wire.ts'

export interface PeerChanges {
  joined(peer: string): void
  left(peer: string): void
}

export class BitswapPeers {
  readonly #host: Libp2p
  readonly #peers = new Map<string, PeerId>()
  readonly #watchers = new Set<PeerChanges>()
  readonly #onDisconnect = (event: CustomEvent<PeerId>): void => {
    this.#remove(event.detail)
  }
  #topology: string | undefined

  constructor(components: { readonly host: Libp2p }) {
    this.#host = components.host
  }

  /** Watches from now on, and finds who is connected already. */
  async start(): Promise<void> {
    this.#host.addEventListener('peer:disconnect', this.#onDisconnect)
    this.#topology = await this.#host.register(BITSWAP_PROTOCOL, {
      notifyOnLimitedConnection: false,
      onConnect: peer => {
        this.#add(peer)
      },
      onDisconnect: peer => {
        this.#remove(peer)
      }
    })
    for (const connection of this.#host.getConnections()) {
      if (connection.limits === undefined && (await this.#speaks(connection.remotePeer))) this.#add(connection.remotePeer)
    }
  }

  stop(): void {
    this.#host.removeEventListener('peer:disconnect', this.#onDisconnect)
    if (this.#topology !== undefined) this.#host.unregister(this.#topology)
    this.#peers.clear()
  }

  watch(changes: PeerChanges): void {
    this.#watchers.add(changes)
  }
  get(peer: string): PeerId | undefined {
    return this.#peers.get(peer)
  }
  has(peer: string): boolean {
    return this.#peers.has(peer)
  }
  ids(): string[] {
    return [...this.#peers.keys()]
  }
  get size(): number {
    return this.#peers.size
  }

  #add(peer: PeerId): void {
    const id = peer.toString()
    if (this.#peers.has(id)) return
    this.#peers.set(id, peer)
    for (const watcher of this.#watchers) watcher.joined(id)
  }

  #remove(peer: PeerId): void {
    const id = peer.toString()
    if (!this.#peers.delete(id)) return
    for (const watcher of this.#watchers) watcher.left(id)
  }

  async #speaks(peer: PeerId): Promise<boolean> {
    const known = await this.#host.peerStore.get(peer).catch(() => undefined)
    // The connection may have gone while the peer store answered.
    return known?.protocols.includes(BITSWAP_PROTOCOL) === true && this.#host.getConnections(peer).length > 0
  }
}
