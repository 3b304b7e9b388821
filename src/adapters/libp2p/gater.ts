/**
 * Whom this host dials and whom it lets in. Private addresses are dialled only when the operator, the configuration or
 * the local network named them: what a stranger or a router tells must not make this node knock at its own network.
 * Peers have Ed25519 keys; another kind is met only by a peer id somebody here wrote down. Whom the operator blocked
 * is met nowhere. In memory only.
 */
import type { ConnectionGater, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { P2P_CODE } from './address.ts'
import { isPublic } from './reachable-addresses.ts'

export interface GaterInit {
  /** The swarm is a local network, whose routers may name private addresses. */
  readonly localSwarm: boolean
  /** Whom the operator blocked; absent: nobody. Asked at each connection. */
  readonly isBlocked?: (peer: string) => boolean
}

export class Gater {
  readonly #localSwarm: boolean
  readonly #isBlocked: (peer: string) => boolean
  /** Peer ids, and addresses without one, that are being dialled because somebody here named them: how many times. */
  readonly #named = new Map<string, number>()

  constructor(init: GaterInit) {
    this.#localSwarm = init.localSwarm
    this.#isBlocked = init.isBlocked ?? (() => false)
  }

  /** While it is held the address may be dialled wherever it leads. */
  name(address: Multiaddr): Disposable {
    const key = nameOf(address)
    this.#named.set(key, (this.#named.get(key) ?? 0) + 1)
    return {
      [Symbol.dispose]: () => {
        const left = (this.#named.get(key) ?? 1) - 1
        if (left === 0) this.#named.delete(key)
        else this.#named.set(key, left)
      }
    }
  }

  /** What libp2p asks before it connects, and once it knows to whom. */
  readonly rules: ConnectionGater = {
    denyDialMultiaddr: address => !(this.#localSwarm || isPublic(address) || this.#named.has(nameOf(address))),
    denyDialPeer: peer => this.#isBlocked(peer.toString()),
    denyInboundEncryptedConnection: peer => !isEd25519(peer) || this.#isBlocked(peer.toString()),
    denyOutboundEncryptedConnection: peer => (!isEd25519(peer) && !this.#named.has(peer.toString())) || this.#isBlocked(peer.toString())
  }
}

/** Every Kith peer is one: its DID is made of that key. */
export function isEd25519(peer: PeerId): boolean {
  return peer.type === 'Ed25519'
}

function nameOf(address: Multiaddr): string {
  return address.getComponents().findLast(component => component.code === P2P_CODE)?.value ?? address.toString()
}
