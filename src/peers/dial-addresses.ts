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

/**
 * The addresses of a node to tell others: its own before those of relays, each likeliest to be reached first; those of the
 * machine itself only if there are no others.
 */
export function addressesToTell(addresses: readonly string[], peer: string): string[] {
  const known = [...new Set(addresses.map(address => withoutPeer(address, peer)))].filter(isAddress)
  const direct = beyondMachine(known.filter(address => !isRelayed(address)))
  const relayed = beyondMachine(known.filter(isRelayed))
  const hasBeyond = direct.some(address => reachOf(address) < REACH.machine)
  const useful = relayed.filter(address => !hasBeyond || reachOf(address) < REACH.machine).slice(0, ADDRESSES_MAX)
  return [...direct.slice(0, ADDRESSES_MAX - Math.min(useful.length, RELAYED_KEPT)), ...useful].slice(0, ADDRESSES_MAX)
}

/** Relayed addresses told however many direct ones there are: a machine with many networks may be behind a router. */
const RELAYED_KEPT = 2
/** How far away somebody may be who can use it. */
const REACH = { world: 0, network: 1, machine: 2 } as const

function isRelayed(address: string): boolean {
  return address.includes('/p2p-circuit')
}

/** Farthest reach first; those of the machine itself only if there are no others. */
function beyondMachine(addresses: readonly string[]): string[] {
  const sorted = addresses.toSorted((a, b) => reachOf(a) - reachOf(b))
  const beyond = sorted.filter(address => reachOf(address) < REACH.machine)
  return beyond.length > 0 ? beyond : sorted
}

/** A relayed address begins with that of its relay, and reaches as far as that one. */
function reachOf(address: string): number {
  const [, protocol = '', host = ''] = address.split('/')
  if (host.startsWith('127.') || host === '::1' || host === 'localhost') return REACH.machine
  // Link-local addresses need the name of an interface, which differs from machine to machine.
  if (/^fe[89ab]/i.test(host)) return REACH.machine
  if (protocol.startsWith('dns')) return REACH.world
  return isPublicAddress(host) ? REACH.world : REACH.network
}
