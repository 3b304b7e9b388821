/**
 * Who is connected and what they speak: libp2p's events as the domain's two. In memory only. Peers without an Ed25519
 * key (a few of the public swarm's bootstrap peers) are connected, but have no DID and are none of the domain's business.
 */
import type { IdentifyResult, Libp2p, Peer, PeerId } from '@libp2p/interface'
import type { Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { ConnectedPeer, NetworkEvents } from '../../ports/network.ts'
import { isRelayed } from './circuit.ts'
import { isEd25519 } from './gater.ts'

interface Entry {
  readonly since: Ms
  /** False: never told of. */
  readonly isShown: boolean
  protocols: readonly string[]
  identified: boolean
}

interface PeerTableComponents {
  readonly libp2p: Libp2p
  readonly clock: Clock
  readonly log: Log
}

export class PeerTable {
  readonly #parts: PeerTableComponents
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Set<Partial<NetworkEvents>>()
  /** Parts of this adapter. */
  readonly #insiders = new Set<Partial<NetworkEvents>>()

  constructor(components: PeerTableComponents) {
    this.#parts = components
    const { libp2p } = components
    libp2p.addEventListener('peer:connect', ({ detail }) => {
      this.#entry(detail)
    })
    libp2p.addEventListener('peer:identify', ({ detail }) => {
      this.#onIdentify(detail)
    })
    libp2p.addEventListener('peer:update', ({ detail }) => {
      this.#onUpdate(detail.peer)
    })
    libp2p.addEventListener('peer:disconnect', ({ detail }) => {
      this.#onDisconnect(detail.toString())
    })
  }

  on(events: Partial<NetworkEvents>): () => void {
    return added(this.#listeners, events)
  }

  /** As {@link on}, of every peer. */
  onAny(events: Partial<NetworkEvents>): () => void {
    return added(this.#insiders, events)
  }

  isConnected(peer: string): boolean {
    return this.#entries.has(peer)
  }

  isIdentified(peer: string): boolean {
    return this.#entries.get(peer)?.identified ?? false
  }

  list(): ConnectedPeer[] {
    const connections = Map.groupBy(this.#parts.libp2p.getConnections(), connection => connection.remotePeer.toString())
    return [...this.#entries]
      .filter(([, { isShown }]) => isShown)
      .map(([peer, entry]) => {
        const open = connections.get(peer) ?? []
        return {
          peer,
          addresses: open.map(connection => connection.remoteAddr.toString()),
          since: entry.since,
          protocols: entry.protocols,
          identified: entry.identified,
          relayed: open.length > 0 && open.every(isRelayed)
        }
      })
  }

  #entry(id: PeerId): Entry {
    const peer = id.toString()
    let entry = this.#entries.get(peer)
    if (entry === undefined) {
      entry = { since: this.#parts.clock.monotonic(), isShown: isEd25519(id), protocols: [], identified: false }
      this.#entries.set(peer, entry)
    }
    return entry
  }

  /** Identify may finish after the connection is gone; such a peer is not reported. */
  #onIdentify({ peerId, protocols }: IdentifyResult): void {
    if (this.#parts.libp2p.getConnections(peerId).length === 0) return
    const peer = peerId.toString()
    const entry = this.#entry(peerId)
    entry.protocols = protocols
    if (entry.identified) return
    entry.identified = true
    this.#emit(entry, listener => listener.connected?.(peer))
  }

  #onUpdate({ id, protocols }: Peer): void {
    const entry = this.#entries.get(id.toString())
    if (entry?.identified === true) entry.protocols = protocols
  }

  #onDisconnect(peer: string): void {
    const entry = this.#entries.get(peer)
    this.#entries.delete(peer)
    if (entry?.identified === true) this.#emit(entry, listener => listener.disconnected?.(peer))
  }

  #emit({ isShown }: Entry, call: (listener: Partial<NetworkEvents>) => void): void {
    for (const listener of isShown ? [...this.#listeners, ...this.#insiders] : [...this.#insiders]) {
      try {
        call(listener)
      } catch (error) {
        this.#parts.log.error({ err: error }, 'a listener for peers threw')
      }
    }
  }
}

function added(listeners: Set<Partial<NetworkEvents>>, events: Partial<NetworkEvents>): () => void {
  const own = { ...events }
  listeners.add(own)
  return () => {
    listeners.delete(own)
  }
}
