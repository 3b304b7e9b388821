/**
 * The blocks of one realm on disk. A block is readable from `put` on and durable after `flush`; a crash loses
 * what was not flushed. Every read is verified; a block that fails is quarantined and may be put again.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CID } from 'multiformats/cid'
import { decode } from 'multiformats/hashes/digest'
import { KithError } from '../../errors.ts'
import { verifyBlock, type VerifiedBlock } from '../../model/block.ts'
import type { Bytes } from '../../model/units.ts'
import type { BlockStore, StoreUsage } from '../../ports/block-store.ts'
import type { Log } from '../../ports/log.ts'
import type { Damage } from '../../ports/record-store.ts'
import type { AbortOptions } from '../../ports/options.ts'
import type { DiskSpace } from './disk-space.ts'
import type { LostSegments } from './lost-segments.ts'
import type { IndexDb, Place } from './index-db.ts'
import { CIPHER_PLAIN } from './segment-format.ts'
import type { SegmentFiles } from './segment-files.ts'
import { readError } from './store-error.ts'
import { keyOf, type StoreWriter } from './store-writer.ts'

/** Keys read from the index in one go: bounds how long that holds the event loop. */
const KEYS_PAGE = 1000
const NO_BYTES = new Uint8Array(0)

export interface SegmentBlockStoreComponents {
  readonly index: IndexDb
  readonly segments: SegmentFiles
  readonly lost: LostSegments
  readonly writer: StoreWriter
  readonly log: Log
  readonly space: DiskSpace
}

export interface SegmentBlockStoreInit {
  readonly realm: string
  /** Most payload bytes the realm may hold; 0 or absent: unlimited. */
  readonly maxBytes?: Bytes | undefined
}

export class SegmentBlockStore implements BlockStore {
  readonly #parts: SegmentBlockStoreComponents
  readonly #realm: string
  readonly #maxBytes: Bytes
  #usage: StoreUsage
  /** Found corrupt since start. */
  #corrupt = 0
  /** Set aside, before this start too, and neither put again nor deleted. */
  #quarantined: number

  constructor(components: SegmentBlockStoreComponents, init: SegmentBlockStoreInit) {
    this.#parts = components
    this.#realm = init.realm
    this.#maxBytes = init.maxBytes ?? 0
    this.#usage = components.index
      .segments()
      .reduce((sum, row) => ({ blocks: sum.blocks + row.blocks, bytes: sum.bytes + row.bytes }), { blocks: 0, bytes: 0 })
    const lost = components.lost.usage()
    this.#count(0 - lost.blocks, 0 - lost.bytes)
    this.#quarantined = components.index.countQuarantined()
  }

  get corruptCount(): number {
    return this.#corrupt
  }

  damage(): Damage {
    return { blocks: this.#quarantined, files: this.#parts.lost.files() }
  }

  /** Nothing needs what was lost: it is deleted for good. Durable when it returns. */
  async forgetDamage(): Promise<void> {
    const { index, lost, writer } = this.#parts
    const pages = [(after: Uint8Array) => index.quarantinedAfter(after, KEYS_PAGE)]
    if (!lost.isEmpty) pages.push((after: Uint8Array) => index.hashesAfter(after, KEYS_PAGE))
    for (const nextPage of pages) {
      for (let page = nextPage(NO_BYTES), last = page.at(-1); last !== undefined; page = nextPage(last), last = page.at(-1)) {
        for (const hash of page) {
          while (!writer.hasRoom(0)) await writer.room({})
          if (this.#lengthOf(hash) === undefined) this.#drop('delete', hash)
        }
        await nextTurn()
      }
    }
    await writer.flush()
  }

  async has(cid: CID): Promise<boolean> {
    return this.#lengthOf(cid.multihash.bytes) !== undefined
  }

  async get(cid: CID, options: AbortOptions = {}): Promise<VerifiedBlock | undefined> {
    options.signal?.throwIfAborted()
    const hash = cid.multihash.bytes
    const change = this.#parts.writer.find(keyOf(hash))
    if (change !== undefined) return change.kind === 'put' ? verifyBlock(cid, change.bytes) : undefined
    const place = this.#findPlace(hash)
    return place === undefined ? undefined : await this.#getFrom(place, cid, options)
  }

  async put(block: VerifiedBlock, options: AbortOptions = {}): Promise<boolean> {
    options.signal?.throwIfAborted()
    const { writer } = this.#parts
    const multihash = block.cid.multihash.bytes
    const size = block.bytes.byteLength
    for (;;) {
      if (this.#lengthOf(multihash) !== undefined) return false
      this.#checkQuota(size)
      if (writer.hasRoom(size)) break
      await writer.room(options)
    }
    this.#parts.space.take(size, writer.pendingBytes)
    this.#settle(multihash)
    writer.accept(keyOf(multihash), { kind: 'put', multihash, bytes: block.bytes })
    this.#count(1, size)
    return true
  }

  async flush(): Promise<void> {
    await this.#parts.writer.flush()
  }

  /** Gone at once; the deletion is durable after {@link flush}. */
  async delete(cid: CID, unless: () => boolean = () => false): Promise<void> {
    const multihash = cid.multihash.bytes
    while (!this.#parts.writer.hasRoom(0)) await this.#parts.writer.room({})
    if (!unless()) this.#drop('delete', multihash)
  }

  async *keys(options: AbortOptions = {}): AsyncGenerator<Uint8Array> {
    const { index, writer } = this.#parts
    const fresh = writer.pendingPuts()
    const seen = new Set(fresh.map(change => keyOf(change.multihash)))
    for (const { multihash } of fresh) {
      options.signal?.throwIfAborted()
      yield multihash
    }
    let after: Uint8Array | undefined = NO_BYTES
    while (after !== undefined) {
      options.signal?.throwIfAborted()
      const page: Uint8Array[] = index.hashesAfter(after, KEYS_PAGE)
      for (const hash of page) {
        const key = keyOf(hash)
        if (seen.has(key) || (writer.find(key)?.kind ?? 'put') !== 'put' || this.#isLost(hash)) continue
        if (isMultihash(hash)) yield hash
        else this.#quarantine(hash)
      }
      after = page.at(-1)
    }
  }

  usage(): StoreUsage {
    return this.#usage
  }

  #isLost(hash: Uint8Array): boolean {
    return !this.#parts.lost.isEmpty && this.#lengthOf(hash) === undefined
  }

  /** Undefined when absent. */
  #lengthOf(hash: Uint8Array): number | undefined {
    const change = this.#parts.writer.find(keyOf(hash))
    if (change !== undefined) return change.kind === 'put' ? change.bytes.byteLength : undefined
    return this.#findPlace(hash)?.length
  }

  /** Undefined also for what lay in a file that is gone. */
  #findPlace(hash: Uint8Array): Place | undefined {
    try {
      const place = this.#parts.index.findBlock(hash)
      return place === undefined || this.#parts.lost.hides(place) ? undefined : place
    } catch (error) {
      throw readError(error, this.#realm)
    }
  }

  async #getFrom(place: Place, cid: CID, options: AbortOptions): Promise<VerifiedBlock | undefined> {
    if (place.cipher !== CIPHER_PLAIN)
      throw new KithError(
        'UNAVAILABLE',
        `a block in realm "${this.#realm}" is sealed with cipher ${place.cipher}, which this version of Kith cannot open. Update Kith.`
      )
    const bytes = await this.#read(place)
    options.signal?.throwIfAborted()
    try {
      if (bytes !== undefined) return verifyBlock(cid, bytes)
    } catch {
      // corrupt: the same as if it were cut off
    }
    return await this.#missed(place, cid, options)
  }

  async #read(place: Place): Promise<Uint8Array | undefined> {
    try {
      return await this.#parts.segments.read(place)
    } catch (error) {
      throw readError(error, this.#realm)
    }
  }

  /** The bytes were not there: moved or deleted meanwhile, or corrupt. */
  async #missed(place: Place, cid: CID, options: AbortOptions): Promise<VerifiedBlock | undefined> {
    const hash = cid.multihash.bytes
    const now = this.#findPlace(hash)
    const isSame = now !== undefined && now.segment === place.segment && now.offset === place.offset
    if (this.#parts.writer.find(keyOf(hash)) !== undefined || !isSame) return await this.get(cid, options)
    this.#quarantine(hash)
    return undefined
  }

  #quarantine(hash: Uint8Array): void {
    this.#corrupt++
    this.#drop('quarantine', hash)
    this.#parts.log.error({ realm: this.#realm, corrupt: this.#corrupt }, 'a stored block is corrupt; check the disk')
  }

  #drop(kind: 'delete' | 'quarantine', multihash: Uint8Array): void {
    const length = this.#lengthOf(multihash)
    if (length === undefined && (kind === 'quarantine' || !this.#settle(multihash))) return
    this.#parts.writer.accept(keyOf(multihash), { kind, multihash, bytes: NO_BYTES })
    if (kind === 'quarantine') this.#quarantined++
    if (length !== undefined) this.#count(-1, -length)
  }

  /** An absent block is missed no longer. False if it was not. */
  #settle(multihash: Uint8Array): boolean {
    const { index, lost, writer } = this.#parts
    if (this.#quarantined === 0 && lost.isEmpty) return false
    const change = writer.find(keyOf(multihash))
    if (change !== undefined && change.kind !== 'quarantine') return false
    const place = change === undefined ? index.findBlock(multihash) : undefined
    if (place !== undefined) lost.settle(place)
    else if (change !== undefined || index.isQuarantined(multihash)) this.#quarantined--
    else return false
    return true
  }

  #checkQuota(size: number): void {
    if (this.#maxBytes === 0 || this.#usage.bytes + size <= this.#maxBytes) return
    throw new KithError(
      'QUOTA_EXCEEDED',
      `realm "${this.#realm}" is limited to ${this.#maxBytes} bytes and holds ${this.#usage.bytes}; ${size} more do not fit, and nothing is deleted unasked. Remove content (kith rm), or raise the limit (cache.maxBytes is that of fetched content).`,
      { realm: this.#realm, maxBytes: this.#maxBytes }
    )
  }

  #count(blocks: number, bytes: number): void {
    this.#usage = { blocks: this.#usage.blocks + blocks, bytes: this.#usage.bytes + bytes }
  }
}

/** False for a key that was damaged in the index. */
function isMultihash(bytes: Uint8Array): boolean {
  try {
    decode(bytes)
    return true
  } catch {
    return false
  }
}
