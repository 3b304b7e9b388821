/**
 * One realm's blocks. Contract for every adapter, checked by test/conformance/block-store.
 * Keys are multihashes: a block put as CIDv0 is found as CIDv1.
 */
import type { CID } from 'multiformats/cid'
import type { VerifiedBlock } from '../model/block.ts'
import type { Bytes } from '../model/units.ts'
import type { AbortOptions } from './options.ts'

export interface StoreUsage {
  readonly blocks: number
  readonly bytes: Bytes
}

export interface BlockStore {
  /** Cheap and exact: never true for bytes that cannot be read back, never false on an I/O error (that throws). */
  has(cid: CID): Promise<boolean>
  /**
   * Reads and verifies. Absent, or present but corrupt (then quarantined and counted): undefined.
   * The CID of the answer is the one asked for.
   */
  get(cid: CID, options?: AbortOptions): Promise<VerifiedBlock | undefined>
  /** Accepts a block: readable at once, durable after {@link flush}. Waits while too much is unflushed. True if it was new. */
  put(block: VerifiedBlock, options?: AbortOptions): Promise<boolean>
  /** When it returns, everything put before survives power loss. */
  flush(): Promise<void>
  /** `unless` is asked at the last moment, in the same turn in which the block goes. */
  delete(cid: CID, unless?: () => boolean): Promise<void>
  /** Multihash bytes of every block, in no order; a snapshot is not promised. */
  keys(options?: AbortOptions): AsyncIterable<Uint8Array>
  usage(): StoreUsage
}
