/**
 * Fetching public content from the own IPFS for a peer that asked with `hops: 1`. Used by the exchange server only
 * after the content was not found in what the peer may see.
 */
import type { CID } from 'multiformats/cid'
import type { AbortOptions } from './options.ts'
import type { BlockReader, ServedContent } from './serving.ts'

export interface ProxyRequest {
  readonly peer: string
  readonly root: CID
  /** 16 bytes; the same request is served once in 300 s, so that it cannot go in circles. */
  readonly requestId: Uint8Array
  /** Seconds the search may last. */
  readonly ttl: number
  /** What the asker may see here: the root is looked for in it before IPFS is asked. */
  readonly view?: BlockReader
}

export interface Proxied extends Disposable {
  /** Blocks of that root, which arrive while they are read; `get` waits for one that is on its way. Bytes read are booked. */
  readonly view: ServedContent
}

export interface Proxy {
  /**
   * @returns what to read from, once the root is here; undefined if this node's IPFS does not have it either
   * @throws KithError RATE_LIMITED, QUOTA_EXCEEDED or TOO_LARGE naming the limit (`data.limit`), UNAUTHORIZED for A < `proxy.serveMinTrust`, UNAVAILABLE without IPFS
   */
  open(request: ProxyRequest, options: AbortOptions): Promise<Proxied | undefined>
}
