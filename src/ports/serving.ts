/** What the exchange server may read for a requester: decided by rights BEFORE anything is looked up. */
import type { CID } from 'multiformats/cid'
import type { VerifiedBlock } from '../model/block.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import type { AbortOptions } from './options.ts'
import type { ContentRecord } from './record-store.ts'

export interface BlockReader {
  has(cid: CID): Promise<boolean>
  /** Verified block or undefined, see BlockStore.get. */
  get(cid: CID, options?: AbortOptions): Promise<VerifiedBlock | undefined>
}

/** The union of the realms one requester may read. */
export interface ServedContent extends BlockReader {
  findByHash(sha256: Uint8Array): ContentRecord | undefined
  record(root: CID): ContentRecord | undefined
  /** The class `have` answers carry; absent: everything in this view is public. */
  classOf?(root: CID): PrivacyClass
}

export interface ServingPolicy {
  /** Everything outside the returned view does not exist for this peer. */
  viewFor(peer: string): ServedContent
  /** The own current advert for `advert` requests, encoded; null before the first. */
  advert(): Uint8Array | null
}
