/** Addresses under which a node is dialled, as text: which are addresses at all, and which to try or to tell first. Pure. */
import { isPublicAddress } from '../lib/public-address.ts'

/** Addresses told of one node. */
export const ADDRESSES_MAX = 8
/** A DNS name of 253 characters is rare; a relayed address with two peer ids has some 130. Characters. */
export const ADDRESS_CHARACTERS_MAX = 256

/** What a node may tell: an IP address or a name, and a way on from there. The host reads it in full when it dials. */
const ADDRESS = /^\/(?:ip4|ip6|dns|dns4|dns6|dnsaddr)\/[A-Za-z0-9.:_-]+(?:\/[A-Za-z0-9.:_-]+)*$/

export function isAddress(text: string): boolean {
  return text.length <= ADDRESS_CHARACTERS_MAX && ADDRESS.test(text)
}

/** Without the peer id at its end; that of a relay stays. */
export function withoutPeer(address: string, peer: string): string {
  const end = `/p2p/${peer}`
  return address.endsWith(end) ? address.slice(0, -end.length) : address
}

/** The addresses of a node to tell others, likeliest to be reached first; those of the machine itself only if there are no others. */
export function addressesToTell(addresses: readonly string[], peer: string): string[] {
  const known = [...new Set(addresses.map(address => withoutPeer(address, peer)))].filter(isAddress)
  const ranked = known.map(address => ({ address, rank: rankOf(address) })).toSorted((a, b) => a.rank - b.rank)
  const beyond = ranked.filter(({ rank }) => rank < RANK.machine)
  return (beyond.length > 0 ? beyond : ranked).slice(0, ADDRESSES_MAX).map(({ address }) => address)
}

const RANK = { world: 0, relayed: 1, network: 2, machine: 3 } as const

/** How far away somebody may be who can use it. */
function rankOf(address: string): number {
  const [, protocol = '', host = ''] = address.split('/')
  if (address.includes('/p2p-circuit')) return RANK.relayed
  if (host.startsWith('127.') || host === '::1' || host === 'localhost') return RANK.machine
  // Link-local addresses need the name of an interface, which differs from machine to machine.
  if (/^fe[89ab]/i.test(host)) return RANK.machine
  if (protocol.startsWith('dns')) return RANK.world
  return isPublicAddress(host) ? RANK.world : RANK.network
}
