/**
 * Who may hold the connections a host has room for. Strangers that dial in leave a part of them free, and own people
 * are the last that libp2p closes when there are too many: else whoever opens connections enough shuts them out.
 * In memory only.
 */
import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Log } from '../../ports/log.ts'
import type { Judgement } from './judgement.ts'

/** Part of all connections that strangers dialling in leave free, and the most that is: as many as are kept connected of own people. */
const RESERVED_SHARE = 1 / 4
const RESERVED_MAX = 100
/** libp2p closes the connections of the least sum of tags first. */
const OWN_TAG = 'kith-own'
const OWN_VALUE = 100

interface PlacesComponents {
  readonly judgement: Judgement
  readonly log: Log
}

export class Places {
  readonly #parts: PlacesComponents
  readonly #strangersMax: number
  #libp2p: Libp2p | undefined

  constructor(components: PlacesComponents, { maxConnections }: { readonly maxConnections: number }) {
    this.#parts = components
    this.#strangersMax = maxConnections - Math.min(RESERVED_MAX, Math.floor(maxConnections * RESERVED_SHARE))
  }

  /** Whether a peer that dials in finds a place. Handshakes under way at the same time may go beyond by as many. */
  hasRoomFor(peer: string): boolean {
    const { judgement } = this.#parts
    if (this.#libp2p === undefined || judgement.isTrusted(peer)) return true
    let strangers = 0
    for (const { direction, remotePeer } of this.#libp2p.getConnections())
      if (direction === 'inbound' && !judgement.isTrusted(remotePeer.toString())) strangers += 1
    return strangers < this.#strangersMax
  }

  /** From here on own people are marked as such. */
  follow(libp2p: Libp2p): void {
    this.#libp2p = libp2p
    libp2p.addEventListener('peer:connect', ({ detail }) => {
      if (this.#parts.judgement.isTrusted(detail.toString())) void this.#mark(libp2p, detail)
    })
    this.#parts.judgement.onChange(peer => {
      const connected = libp2p.getPeers().find(id => id.toString() === peer)
      if (connected !== undefined) void this.#mark(libp2p, connected)
    })
  }

  async #mark({ peerStore }: Libp2p, peer: PeerId): Promise<void> {
    const isOwn = this.#parts.judgement.isTrusted(peer.toString())
    try {
      await peerStore.merge(peer, { tags: { [OWN_TAG]: isOwn ? { value: OWN_VALUE } : undefined } })
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'a peer could not be marked as one of the own people; it may be closed like a stranger')
    }
  }
}
