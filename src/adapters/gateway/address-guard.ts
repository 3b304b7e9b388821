/**
 * Which addresses an outgoing HTTP request may reach. A gateway, or a redirect from one, must not make this node
 * talk to its own machine, its network or a cloud's metadata service. The check is made on the address that is
 * connected to, after the name was resolved, so that a name cannot resolve differently in between.
 */
import { lookup as systemLookup } from 'node:dns'
import type { LookupAddress, LookupOptions } from 'node:dns'
import { isIP } from 'node:net'
import type { LookupFunction } from 'node:net'
import { isPublicAddress } from '../../lib/public-address.ts'

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
