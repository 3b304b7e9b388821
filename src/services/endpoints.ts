/** The places outside Kith as the rest of a node sees them, and as `daemon.status` shows them. */
import type { CID } from 'multiformats/cid'
import type { Ms } from '../model/units.ts'
import type { BlockSource } from '../ports/block-source.ts'
import type { ContentRouting } from '../ports/content-routing.ts'
import type { EndpointHealth } from './node-services.ts'

/** What an endpoint says of itself. */
export interface EndpointFacts {
  readonly url: string
  readonly type: string
  readonly healthy: boolean
  /** Unix milliseconds; null before the first answer. */
  readonly lastCheck: Ms | null
  readonly responseTime: Ms | null
  readonly error?: string
}

/** IPFS, embedded or another program's. */
export interface Ipfs {
  readonly source: BlockSource
  /** Where public roots are provided; absent: nowhere. */
  readonly routing?: ContentRouting
  endpoints(): readonly EndpointFacts[]
  /** Somebody can be asked now. */
  isConnected(): boolean
  /** A block has become public. */
  stored(cid: CID): void
}

export interface Gateway extends BlockSource {
  health(): EndpointFacts
}

export function endpointsOf(ipfs: Ipfs | undefined, gateways: readonly Gateway[]): EndpointHealth[] {
  const all = [...(ipfs?.endpoints() ?? []), ...gateways.map(gateway => gateway.health())]
  return all.map(({ lastCheck, ...facts }) => ({ ...facts, lastCheck: lastCheck === null ? null : new Date(lastCheck).toISOString() }))
}
