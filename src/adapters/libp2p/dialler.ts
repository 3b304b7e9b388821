/** Dials on behalf of the host, and waits until it is known what the other side speaks. Owns nothing. */
import type { Libp2p, PeerId } from '@libp2p/interface'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { KithError } from '../../errors.ts'
import { abortable, startDeadline } from '../../lib/deadline.ts'
import type { Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AbortOptions } from '../../ports/options.ts'
import { parseAddress } from './address.ts'
import { addressAt, withoutLastPeer } from './circuit.ts'
import { dialError } from './dial-error.ts'
import type { Gater } from './gater.ts'
import type { PeerTable } from './peer-table.ts'

/** Dial, handshake and identify together. */
const CONNECT_BUDGET: Ms = 15_000

interface DiallerComponents {
  readonly libp2p: Libp2p
  readonly peers: PeerTable
  readonly gater: Gater
  readonly clock: Clock
}

export class Dialler {
  readonly #parts: DiallerComponents

  constructor(components: DiallerComponents) {
    this.#parts = components
  }

  /** To an address somebody here wrote down, wherever it leads. @throws INVALID_PARAMS · UNAVAILABLE naming the cause · the signal's reason */
  async named(address: string, options: AbortOptions): Promise<string> {
    const target = parseAddress(address)
    using _named = this.#parts.gater.name(target)
    using budget = startDeadline(this.#parts.clock, CONNECT_BUDGET, options)
    try {
      return await this.#dial(target, budget)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw error instanceof KithError ? error : dialError(address, error)
    }
  }

  /** To a peer the local network or a router told of. Who may name private addresses says so. */
  async told(peer: PeerId, addresses: readonly Multiaddr[], trust: 'local' | 'stranger', options: AbortOptions): Promise<void> {
    const targets = addresses.map(address => addressAt(address, peer))
    const [first] = targets
    if (first === undefined) return
    using _named = trust === 'local' ? this.#parts.gater.name(first) : undefined
    using budget = startDeadline(this.#parts.clock, CONNECT_BUDGET, options)
    await this.#dial(targets, budget)
  }

  /** @throws UNAVAILABLE if it closes first, or takes longer than a connection may take · the signal's reason */
  async identified(peer: string, options: AbortOptions): Promise<void> {
    using budget = startDeadline(this.#parts.clock, CONNECT_BUDGET, options)
    try {
      if (!this.#parts.peers.isConnected(peer)) throw new Error('it is not connected')
      await this.#identified(peer, budget.signal)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw dialError(peer, error)
    }
  }

  async #dial(target: Multiaddr | Multiaddr[], { signal }: { readonly signal: AbortSignal }): Promise<string> {
    const connection = await this.#parts.libp2p.dial(target, { signal })
    const peer = connection.remotePeer.toString()
    await this.#identified(peer, signal)
    return peer
  }

  async #identified(peer: string, signal: AbortSignal): Promise<void> {
    const { libp2p, peers } = this.#parts
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const off = peers.onAny({
      connected: id => {
        if (id === peer) resolve()
      }
    })
    const onGone = ({ detail }: CustomEvent<{ toString(): string }>): void => {
      if (detail.toString() === peer) reject(new Error('it closed the connection before saying what it speaks'))
    }
    libp2p.addEventListener('peer:disconnect', onGone)
    try {
      if (!peers.isIdentified(peer)) await abortable(promise, { signal })
    } finally {
      off()
      libp2p.removeEventListener('peer:disconnect', onGone)
    }
  }
}

/** Without the peer id at its end; that of a relay on the way stays. */
export function withoutPeer(address: Multiaddr | string): string {
  return withoutLastPeer(multiaddr(address)).toString()
}
