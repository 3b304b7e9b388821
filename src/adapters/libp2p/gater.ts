/**
 * Whom this host dials and whom it lets in. Private addresses are dialled only when the operator, the configuration or
 * the local network named them: what a stranger or a router tells must not make this node knock at its own network.
 * Peers have Ed25519 keys; another kind is met only by a peer id somebody here wrote down. Who is
 * blocked or suspended is met nowhere. In memory only.
 */
import type { ConnectionGater, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { P2P_CODE } from './address.ts'
import { isCircuit, relayOf } from './circuit.ts'
import { isPublic } from './reachable-addresses.ts'

export interface GaterInit {
  /** The swarm is a local network, whose routers may name private addresses. */
  readonly localSwarm: boolean
  /** Who is neither asked nor served, such as whom the operator blocked; absent: nobody. Asked at each connection. */
  readonly isShunned?: (peer: string) => boolean
  /** Own people: wherever they say they are, they may be dialled, and so may others through them. Absent: nobody. */
  readonly isTrusted?: (peer: string) => boolean
  /** Whether a peer that dials in finds a place; absent: always. */
  readonly hasRoomFor?: (peer: string) => boolean
}

export class Gater {
  readonly #localSwarm: boolean
  readonly #isShunned: (peer: string) => boolean
  readonly #isTrusted: (peer: string) => boolean
  readonly #hasRoomFor: (peer: string) => boolean
  /** Peer ids, and addresses without one, that are being dialled because somebody here named them: how many times. */
  readonly #named = new Map<string, number>()

  constructor(init: GaterInit) {
    this.#localSwarm = init.localSwarm
    this.#isShunned = init.isShunned ?? (() => false)
    this.#isTrusted = init.isTrusted ?? (() => false)
    this.#hasRoomFor = init.hasRoomFor ?? (() => true)
  }

  /** While it is held the address may be dialled wherever it leads. */
  name(address: Multiaddr): Disposable {
    const keys = [nameOf(address), relayOf(address)].filter(key => key !== undefined)
    for (const key of keys) this.#named.set(key, (this.#named.get(key) ?? 0) + 1)
    return {
      [Symbol.dispose]: () => {
        for (const key of keys) this.#unname(key)
      }
    }
  }

  /** What libp2p asks before it connects, and once it knows to whom. */
  readonly rules: ConnectionGater = {
    denyDialPeer: peer => this.#isShunned(peer.toString()),
    denyDialMultiaddr: address => !this.#mayDial(address),
    denyInboundEncryptedConnection: peer => !isEd25519(peer) || this.#isShunned(peer.toString()) || !this.#hasRoomFor(peer.toString()),
    denyOutboundEncryptedConnection: peer => (!isEd25519(peer) && !this.#named.has(peer.toString())) || this.#isShunned(peer.toString())
  }

  /** Through a relay only where somebody here says so: the relays of strangers learn who talks to whom, and cut it soon. */
  #mayDial(address: Multiaddr): boolean {
    const peer = nameOf(address)
    if (this.#localSwarm || this.#named.has(peer) || this.#isTrusted(peer)) return true
    return isCircuit(address) ? this.#isTrusted(relayOf(address) ?? '') : isPublic(address)
  }

  #unname(key: string): void {
    const left = (this.#named.get(key) ?? 1) - 1
    if (left === 0) this.#named.delete(key)
    else this.#named.set(key, left)
  }
}

/** Every Kith peer is one: its DID is made of that key. */
export function isEd25519(peer: PeerId): boolean {
  return peer.type === 'Ed25519'
}

function nameOf(address: Multiaddr): string {
  return address.getComponents().findLast(component => component.code === P2P_CODE)?.value ?? address.toString()
}
