/**
 * Which addresses an outgoing HTTP request may reach. A gateway, or a redirect from one, must not make this node
 * talk to its own machine, its network or a cloud's metadata service. The check is made on the address that is
 * connected to, after the name was resolved, so that a name cannot resolve differently in between.
 */
import { lookup as systemLookup } from 'node:dns'
import type { LookupAddress, LookupOptions } from 'node:dns'
import { BlockList, isIP } from 'node:net'
import type { LookupFunction } from 'node:net'

/** Everything that is not the public unicast internet (IANA special-purpose registries). */
const REFUSED_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4]
] as const
/** Inside 2000::/3, which alone is public. The last three carry or tunnel an IPv4 address. */
const REFUSED_V6 = [
  ['2001:db8::', 32],
  ['3fff::', 20],
  ['2001::', 23],
  ['2002::', 16]
] as const

const refused = new BlockList()
for (const [net, prefix] of REFUSED_V4) refused.addSubnet(net, prefix, 'ipv4')
for (const [net, prefix] of REFUSED_V6) refused.addSubnet(net, prefix, 'ipv6')
const globalV6 = new BlockList()
globalV6.addSubnet('2000::', 3, 'ipv6')

/** True only for an IP address of the public internet; IPv4 inside IPv6 is never one. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !refused.check(address, 'ipv4')
  if (family !== 6 || address.includes('%')) return false
  return globalV6.check(address, 'ipv6') && !refused.check(address, 'ipv6')
}

export class AddressRefusedError extends Error {
  constructor(host: string) {
    super(`${host} is not on the public internet; only a gateway whose configured URL names it may be there`)
    this.name = 'AddressRefusedError'
  }
}

/** `dns.lookup` that hands on public addresses only. */
export function publicLookup(lookup: LookupFunction = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, '')
      const good = listOf(found).filter(({ address }) => isPublicAddress(address))
      answer(hostname, options, good, callback)
    })
  }
}

function answer(hostname: string, options: LookupOptions, good: LookupAddress[], callback: Parameters<LookupFunction>[2]): void {
  const [first] = good
  if (first === undefined) callback(new AddressRefusedError(hostname), '')
  else if (options.all === true) callback(null, good)
  else callback(null, first.address, first.family)
}

function listOf(found: string | LookupAddress[]): LookupAddress[] {
  return typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found
}
