/**
 * Gives back the space of deleted blocks: a segment that the index no longer names is unlinked; one that is
 * mostly dead has its living blocks appended anew first. Works on copies only: a crash at any moment loses nothing.
 */
import { CID } from 'multiformats/cid'
import { decode } from 'multiformats/hashes/digest'
import { RAW_CODEC } from '../../model/content-id.ts'
import type { BlockStore } from '../../ports/block-store.ts'
import type { Log } from '../../ports/log.ts'
import type { IndexDb, SegmentRow } from './index-db.ts'
import type { SegmentFiles } from './segment-files.ts'
import { keyOf, type StoreWriter } from './store-writer.ts'

/** Rewriting begins when less than this share of a segment is alive: at most one byte is copied for each freed. */
const ALIVE_SHARE_MIN = 0.5

export interface CompactorComponents {
  readonly index: IndexDb
  readonly segments: SegmentFiles
  readonly writer: StoreWriter
  readonly log: Log
  /** The same realm's blocks: reads through it are verified. */
  readonly blocks: BlockStore
}

export class Compactor {
  readonly #parts: CompactorComponents
  readonly #abort = new AbortController()
  #running: Promise<void> | undefined

  constructor(components: CompactorComponents) {
    this.#parts = components
  }

  /** Looks for dead space; one run at a time. Never rejects: what fails is logged and tried after the next deletion. */
  async run(): Promise<void> {
    if (this.#abort.signal.aborted) return
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    try {
      for (const row of this.#mostlyDead()) {
        if (row.blocks > 0) await this.#moveLiving(row)
        this.#abort.signal.throwIfAborted()
        await this.#removeIfEmpty(row.number)
      }
    } catch (error) {
      if (!this.#abort.signal.aborted)
        this.#parts.log.warn({ err: error }, 'dead space in the store could not be given back; it is tried again after the next deletion')
    }
  }

  #mostlyDead(): SegmentRow[] {
    const { index, segments } = this.#parts
    return index.segments().filter(row => row.number !== segments.active?.number && row.bytes < row.length * ALIVE_SHARE_MIN)
  }

  async #moveLiving(row: SegmentRow): Promise<void> {
    const { index, segments, writer, blocks } = this.#parts
    for await (const { multihash, place } of segments.scan(row.number, row.length)) {
      const now = index.findBlock(multihash)
      if (now?.segment !== place.segment || now.offset !== place.offset) continue
      const block = await blocks.get(CID.createV1(RAW_CODEC, decode(multihash)), { signal: this.#abort.signal })
      while (!writer.hasRoom(place.length)) await writer.room({ signal: this.#abort.signal })
      // Whoever deleted or replaced it meanwhile is right; a corrupt one was quarantined by the read.
      const isCurrent = writer.find(keyOf(multihash)) === undefined && index.findBlock(multihash)?.offset === place.offset
      if (block !== undefined && isCurrent)
        writer.accept(keyOf(multihash), { kind: 'put', multihash: block.cid.multihash.bytes, bytes: block.bytes })
    }
    await writer.flush()
  }

  async #removeIfEmpty(number: number): Promise<void> {
    const { index, segments, writer } = this.#parts
    if (index.segments().find(row => row.number === number)?.blocks !== 0) return
    await segments.remove(number) // before its row: a file without a row would count as damage
    await writer.commit(db => {
      db.removeSegment(number)
    })
  }
}
