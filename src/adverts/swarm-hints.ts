/**
 * Addresses of the IPFS nodes of trusted peers, dialled when something public is looked for in IPFS: hints, each tried
 * now and then. Only literal addresses of the public internet: a name could lead anywhere. In memory only.
 */
import { isPublicAddress } from '../lib/public-address.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Standing } from '../ports/standing.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import type { AdvertDirectory } from './directory.ts'

/** The same address is dialled at most so often. */
const HINT_GAP_MS: Ms = 10 * 60_000
/** Dials begun by one search. Count. */
const DIALS_MAX = 4
/** Addresses whose last dial is remembered. Count. */
const ADDRESSES_MAX = 1024

export interface SwarmHintsComponents {
  readonly clock: Clock
  readonly log: Log
  readonly standing: Pick<Standing, 'trustedPeers'>
  readonly directory: Pick<AdvertDirectory, 'ipfsOf'>
  readonly dial: (address: string) => Promise<unknown>
}

export class SwarmHints {
  readonly #parts: SwarmHintsComponents
  readonly #dialled = new BoundedMap<Ms>(ADDRESSES_MAX)

  constructor(components: SwarmHintsComponents) {
    this.#parts = components
  }

  /** A search begins: dials in the background what was not dialled lately. */
  search(): void {
    const { clock, log, standing, directory, dial } = this.#parts
    const now = clock.monotonic()
    const fresh = standing
      .trustedPeers()
      .flatMap(peer => directory.ipfsOf(peer)?.swarmAddresses ?? [])
      .filter(address => isPublicSwarmAddress(address) && now - (this.#dialled.get(address) ?? -Infinity) >= HINT_GAP_MS)
    for (const address of new Set(fresh.slice(0, DIALS_MAX))) {
      this.#dialled.set(address, now)
      dial(address).catch((err: unknown) => log.debug({ err }, 'an IPFS node that a peer named was not reached'))
    }
  }
}

/** `/ip4/…/tcp/…/p2p/…` and its kin, with a public address and a peer id that the handshake must prove. */
export function isPublicSwarmAddress(address: string): boolean {
  const [, host] = /^\/ip[46]\/([0-9a-fA-F.:]+)\/tcp\/[0-9]{1,5}\/p2p\/[1-9A-HJ-NP-Za-km-z]{40,64}$/.exec(address) ?? []
  return host !== undefined && isPublicAddress(host)
}
