/** Addresses that lead through a relay: `…/p2p/RELAY/p2p-circuit/p2p/PEER`. Pure. */
import type { Connection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { P2P_CODE } from './address.ts'

const CIRCUIT_CODE = 290

export function isCircuit(address: Multiaddr): boolean {
  return address.getComponents().some(({ code }) => code === CIRCUIT_CODE)
}

export function isRelayed({ remoteAddr }: Connection): boolean {
  return isCircuit(remoteAddr)
}

/** Who relays; undefined for a direct address. */
export function relayOf(address: Multiaddr): string | undefined {
  const components = address.getComponents()
  const at = components.findIndex(({ code }) => code === CIRCUIT_CODE)
  return components.slice(0, Math.max(at, 0)).findLast(({ code }) => code === P2P_CODE)?.value
}

/** Without the peer id at its very end; that of a relay stays. */
export function withoutLastPeer(address: Multiaddr): Multiaddr {
  const last = address.getComponents().at(-1)
  return last?.code === P2P_CODE && last.value !== undefined ? address.decapsulate(`/p2p/${last.value}`) : address
}

/** The same place, of this peer. */
export function addressAt(address: Multiaddr, peer: PeerId | string): Multiaddr {
  return withoutLastPeer(address).encapsulate(`/p2p/${peer.toString()}`)
}
