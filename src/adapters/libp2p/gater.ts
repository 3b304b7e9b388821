/**
 * Whom this host dials and whom it lets in. Private addresses are dialled only when the operator, the configuration or
 * the local network named them: what a stranger or a router tells must not make this node knock at its own network.
 * Peers have Ed25519 keys; another kind is met only by a peer id somebody here wrote down. In memory only.
 */
import type { ConnectionGater, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { P2P_CODE } from './address.ts'
import { isPublic } from './reachable-addresses.ts'

export class Gater {
  readonly #localSwarm: boolean
  /** Peer ids, and addresses without one, that are being dialled because somebody here named them: how many times. */
  readonly #named = new Map<string, number>()

  /** `localSwarm`: the swarm is a local network, whose routers may name private addresses. */
  constructor(init: { readonly localSwarm: boolean }) {
    this.#localSwarm = init.localSwarm
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
    denyInboundEncryptedConnection: peer => !isEd25519(peer),
    denyOutboundEncryptedConnection: peer => !isEd25519(peer) && !this.#named.has(peer.toString())
  }
}

/** Every Kith peer is one: its DID is made of that key. */
export function isEd25519(peer: PeerId): boolean {
  return peer.type === 'Ed25519'
}

function nameOf(address: Multiaddr): string {
  return address.getComponents().findLast(component => component.code === P2P_CODE)?.value ?? address.toString()
}
