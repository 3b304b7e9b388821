/** What the exchange server may read for a requester: decided by rights BEFORE anything is looked up. */
import type { CID } from 'multiformats/cid'
import type { VerifiedBlock } from '../model/block.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import type { Bytes } from '../model/units.ts'
import type { AbortOptions } from './options.ts'
import type { ContentRecord } from './record-store.ts'

export interface BlockReader {
  has(cid: CID): Promise<boolean>
  /** Verified block or undefined, see BlockStore.get. */
  get(cid: CID, options?: AbortOptions): Promise<VerifiedBlock | undefined>
}

/** What a view sees, to be compared. */
export interface Rights {
  /** Equal for views that see the same; what was learned by one view is used again for views of this scope only. */
  readonly scope: string
  /** A peer whose view has a lower rank than before has lost rights. */
  readonly rank: number
  /** It was given single contents: it comes before other strangers. */
  readonly isGuest?: boolean
}

/** The union of the realms one requester may read. */
export interface ServedContent extends BlockReader {
  findByHash(sha256: Uint8Array): ContentRecord | undefined
  record(root: CID): ContentRecord | undefined
  /** The class `have` answers carry, of a content or block that is here; absent: everything in this view is public. */
  classOf?(cid: CID): Promise<PrivacyClass>
  /** What a request may see that names a content: of what was given one by one only what lies below it. Absent: the same. */
  below?(root: CID): ServedContent
  /**
   * What a request with `hops: 1` may see: of all this only what is public here. It is a question to the own IPFS, and
   * what it brings is taken for public by who asks. Absent: the same.
   */
  readonly open?: ServedContent
  /** Absent: everybody sees the same. */
  readonly rights?: Rights | undefined
  /** Most bytes to be read before they can be sent, when so many were taken; absent: as many as is quick. */
  ahead?(taken: Bytes): Bytes
}

/** Who was given single contents, beyond what a peer's access opens. Answers at once, from memory. */
export interface Shares {
  /** Not expired, not taken back, and the peer is not blocked. */
  mayHave(peer: string, root: CID): boolean
  /** All roots for which {@link mayHave} is true. */
  grantsOf(peer: string): readonly CID[]
}

export interface ServingPolicy {
  /** Everything outside the returned view does not exist for this peer. Rights are as of now: ask anew for each request. */
  viewFor(peer: string): ServedContent
  /** The own current advert for `advert` requests, encoded; null before the first, and for who is told nothing. */
  advert(peer: string): Uint8Array | null
  /** The own signed capabilities for this peer; null for who is told nothing. Absent: not built. */
  capabilities?(peer: string): Promise<Uint8Array | null>
  /** Called when a peer's rights may have changed: answers under way are looked at again. @returns how to take it away */
  onChange?(listener: (peer: string) => void): () => void
}
