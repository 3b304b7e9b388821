/** Telling the outside world that this node has a public root. Contract for every adapter. */
import type { CID } from 'multiformats/cid'
import type { AbortOptions } from './options.ts'

/** A public root to be provided. */
export interface ProvidedRoot {
  readonly root: CID
  /** Its whole DAG as CARv1 bytes, for those who must be given it; read at most once. */
  car(options: AbortOptions): AsyncIterable<Uint8Array>
}

export interface ContentRouting {
  /**
   * Resolves when the routers know (a DHT record is stored, Kubo holds and provides it); rejects with SourceError
   * otherwise, and the caller tries again later. Doing it twice does no harm.
   */
  provide(content: ProvidedRoot, options: AbortOptions): Promise<void>
}
