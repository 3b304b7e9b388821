/** A realm in memory, for tests and simulations. A crash loses all of it. */
import type { CID } from 'multiformats/cid'
import { KithError } from '../../errors.ts'
import { verifyBlock, type VerifiedBlock } from '../../model/block.ts'
import { blockKey, hex } from '../../model/content-id.ts'
import type { Bytes, Ms } from '../../model/units.ts'
import type { BlockStore, StoreUsage } from '../../ports/block-store.ts'
import type { AbortOptions } from '../../ports/options.ts'
import type { ContentRecord, RealmStore, RecordPage, RecordStore, Remembered, Withheld } from '../../ports/record-store.ts'

/** Most records of one page. */
const PAGE_MAX = 1000

export interface MemoryRealmStoreInit {
  /** Most payload bytes; 0 or absent: unlimited. */
  readonly maxBytes?: Bytes | undefined
}

export function memoryRealmStore(init: MemoryRealmStoreInit = {}): RealmStore {
  const blocks = new MemoryBlockStore(init)
  return {
    blocks,
    records: new MemoryRecordStore(),
    remembered: new MemoryRemembered(),
    withheld: new MemoryWithheld(),
    corruptCount: () => blocks.corruptCount,
    damage: () => ({ blocks: blocks.missed.size, files: [] }),
    forgetDamage: async () => blocks.missed.clear(),
    async [Symbol.asyncDispose]() {}
  }
}

interface StoredBlock {
  readonly multihash: Uint8Array
  readonly bytes: Uint8Array
}

class MemoryBlockStore implements BlockStore {
  readonly #blocks = new Map<string, StoredBlock>()
  readonly #maxBytes: Bytes
  #bytes: Bytes = 0
  corruptCount = 0
  /** Keys of corrupt blocks that were neither put again nor deleted. */
  readonly missed = new Set<string>()

  constructor(init: MemoryRealmStoreInit) {
    this.#maxBytes = init.maxBytes ?? 0
  }

  async has(cid: CID): Promise<boolean> {
    return this.#blocks.has(blockKey(cid))
  }

  async get(cid: CID, options: AbortOptions = {}): Promise<VerifiedBlock | undefined> {
    options.signal?.throwIfAborted()
    const stored = this.#blocks.get(blockKey(cid))
    if (stored === undefined) return undefined
    try {
      return verifyBlock(cid, stored.bytes)
    } catch {
      // Somebody changed the bytes after handing them over: the same as a bad disk.
      this.corruptCount++
      await this.delete(cid)
      this.missed.add(blockKey(cid))
      return undefined
    }
  }

  async put({ cid, bytes }: VerifiedBlock, options: AbortOptions = {}): Promise<boolean> {
    options.signal?.throwIfAborted()
    const key = blockKey(cid)
    if (this.#blocks.has(key)) return false
    if (this.#maxBytes > 0 && this.#bytes + bytes.byteLength > this.#maxBytes) {
      throw new KithError(
        'QUOTA_EXCEEDED',
        `the store is limited to ${this.#maxBytes} bytes and holds ${this.#bytes}; ${bytes.byteLength} more do not fit, and nothing is deleted unasked. Remove content (kith rm), or raise the limit (cache.maxBytes is that of fetched content).`,
        { maxBytes: this.#maxBytes }
      )
    }
    this.missed.delete(key)
    this.#blocks.set(key, { multihash: cid.multihash.bytes, bytes })
    this.#bytes += bytes.byteLength
    return true
  }

  async flush(): Promise<void> {}

  async delete(cid: CID, unless: () => boolean = () => false): Promise<void> {
    const stored = this.#blocks.get(blockKey(cid))
    if (unless()) return
    this.missed.delete(blockKey(cid))
    if (stored === undefined) return
    this.#blocks.delete(blockKey(cid))
    this.#bytes -= stored.bytes.byteLength
  }

  async *keys(options: AbortOptions = {}): AsyncGenerator<Uint8Array> {
    for (const { multihash } of [...this.#blocks.values()]) {
      options.signal?.throwIfAborted()
      yield multihash
    }
  }

  usage(): StoreUsage {
    return { blocks: this.#blocks.size, bytes: this.#bytes }
  }
}

class MemoryRecordStore implements RecordStore {
  readonly #records = new Map<string, ContentRecord>()

  get(root: CID): ContentRecord | undefined {
    return this.#records.get(blockKey(root))
  }

  findByHash(sha256: Uint8Array): ContentRecord | undefined {
    const wanted = hex(sha256)
    return this.#sorted().find(record => record.sha256 !== undefined && hex(record.sha256) === wanted)
  }

  async put(record: ContentRecord): Promise<void> {
    this.#records.set(blockKey(record.root), record)
  }

  async remove(root: CID): Promise<boolean> {
    return this.#records.delete(blockKey(root))
  }

  touch(root: CID, at: Ms): void {
    const record = this.get(root)
    if (record !== undefined && record.lastAccess < at) this.#records.set(blockKey(root), { ...record, lastAccess: at })
  }

  list(options: { readonly cursor?: string; readonly limit: number; readonly type?: string }): RecordPage {
    const after = options.cursor === undefined ? '' : checkCursor(options.cursor)
    const limit = Math.max(1, Math.min(options.limit, PAGE_MAX))
    const rest = this.#sorted().filter(record => (options.type === undefined || record.type === options.type) && cursorOf(record) > after)
    const items = rest.slice(0, limit)
    const last = items.at(-1)
    return rest.length > limit && last !== undefined ? { items, cursor: cursorOf(last) } : { items }
  }

  count(): number {
    return this.#records.size
  }

  #sorted(): ContentRecord[] {
    return [...this.#records.values()].toSorted((a, b) => (cursorOf(a) < cursorOf(b) ? -1 : 1))
  }
}

class MemoryRemembered implements Remembered {
  readonly #digests = new Set<string>()

  async add(digests: readonly Uint8Array[]): Promise<void> {
    for (const digest of digests) this.#digests.add(hex(digest))
  }

  has(digest: Uint8Array): boolean {
    return this.#digests.has(hex(digest))
  }
}

class MemoryWithheld implements Withheld {
  readonly #held = new Set<string>()

  add(multihash: Uint8Array): void {
    this.#held.add(hex(multihash))
  }

  release(multihash: Uint8Array): void {
    this.#held.delete(hex(multihash))
  }

  has(multihash: Uint8Array): boolean {
    return this.#held.has(hex(multihash))
  }
}

/** Sorts as (createdAt, root) do: 16 digits hold every safe integer. */
function cursorOf(record: ContentRecord): string {
  return `${String(record.createdAt).padStart(16, '0')}-${hex(record.root.multihash.bytes)}`
}

function checkCursor(cursor: string): string {
  if (/^\d{16}-(?:[0-9a-f]{2})+$/.test(cursor)) return cursor
  throw new KithError('INVALID_PARAMS', 'the cursor is not one that a listing returned. Leave it out to begin at the start.')
}
