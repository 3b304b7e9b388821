/**
 * One realm's content records and pins. Contract for every adapter, checked by test/conformance/record-store.
 * Records live in the realm's own directory so that deleting a realm leaves none of them.
 */
import type { CID } from 'multiformats/cid'
import type { Bytes, Ms } from '../model/units.ts'
import type { BlockStore } from './block-store.ts'

export interface ContentRecord {
  /** CIDv1 of the root. */
  readonly root: CID
  readonly kind: 'file' | 'directory'
  /** SHA-256 of the whole content; absent for directories. */
  readonly sha256?: Uint8Array
  /** Content bytes (files: exact; directories: sum of the files below). */
  readonly size: Bytes
  /** Distinct blocks of the DAG, root included. */
  readonly blocks: number
  readonly name?: string
  readonly contentType?: string
  /** Free word of the application ("model", "backup"), for listing and policies. */
  readonly type?: string
  /** Unix milliseconds. */
  readonly createdAt: Ms
  readonly lastAccess: Ms
  readonly pinned: boolean
  /** Names of the access tokens that put (or fetched) it; absent: the operator. Tokens without the realm see what is theirs. */
  readonly putBy?: readonly string[]
}

export interface RecordPage {
  readonly items: ContentRecord[]
  readonly cursor?: string
}

export interface RecordStore {
  get(root: CID): ContentRecord | undefined
  findByHash(sha256: Uint8Array): ContentRecord | undefined
  /** Inserts or replaces; when it returns the record AND every block put before it in this realm are durable. */
  put(record: ContentRecord): Promise<void>
  /** Durable when it returns. False if there was none. */
  remove(root: CID): Promise<boolean>
  /** Notes an access; may be lost in a crash, so it is never waited for. */
  touch(root: CID, at: Ms): void
  /** Oldest first (createdAt, then root); `limit` ≤ 1000. An unreadable cursor throws INVALID_PARAMS. */
  list(options: { readonly cursor?: string; readonly limit: number; readonly type?: string }): RecordPage
  count(): number
}

/**
 * What stays of non-public content after its bytes are gone: keyed digests, by which the node still knows that an
 * address is not public. Nobody can read addresses out of it.
 */
export interface Remembered {
  /** Durable when it returns. */
  add(digests: readonly Uint8Array[]): Promise<void>
  has(digest: Uint8Array): boolean
}

/**
 * Blocks that are in the store but must not be served to others: `unborn` ones belong to puts that are not acknowledged
 * (a store deletes them when it is opened after a crash), `removed` ones could not be deleted yet.
 * Changes are durable no later than whatever is put or deleted after them; look-ups cost no I/O.
 */
export interface Withheld {
  add(multihash: Uint8Array, reason: 'unborn' | 'removed'): void
  /** Without effect for others. */
  release(multihash: Uint8Array): void
  has(multihash: Uint8Array): boolean
}

/** What a realm is to the rest of Kith. One writer; closing flushes. */
export interface RealmStore extends AsyncDisposable {
  readonly blocks: BlockStore
  readonly records: RecordStore
  readonly remembered: Remembered
  readonly withheld: Withheld
  /** Blocks found corrupt since start; never less than before. */
  corruptCount(): number
  /** An operator's health condition; cheap. */
  damage(): Damage
  /**
   * Nothing needs what was lost: to be called when every recorded content was found whole. What {@link damage} told
   * of is over then, and files that are brought back later bring nothing back. Durable when it returns.
   */
  forgetDamage(): Promise<void>
}

/** What the disk lost of a realm, before this start too, and was neither put again nor deleted. */
export interface Damage {
  /** Blocks that were found corrupt and set aside. */
  readonly blocks: number
  /** Files that were missing or cut short at start. */
  readonly files: readonly DamagedFile[]
}

export interface DamagedFile {
  /** Below the realm's directory. */
  readonly name: string
  readonly isMissing: boolean
  /** Blocks that lay in what is gone. */
  readonly blocks: number
}
