/**
 * Gives back the space of deleted blocks: a segment that the index no longer names is unlinked; one that is
 * mostly dead, the growing one included, has its living blocks appended anew first; what stays in the others is
 * overwritten. Works on copies only, and leaves what it did not come to for later: a crash at any moment loses nothing.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CID } from 'multiformats/cid'
import { decode } from 'multiformats/hashes/digest'
import { RAW_CODEC } from '../../model/content-id.ts'
import { KIB } from '../../model/units.ts'
import type { BlockStore } from '../../ports/block-store.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { eraseDeleted } from './erasures.ts'
import type { IndexDb, Place, SegmentRow } from './index-db.ts'
import type { LostSegments } from './lost-segments.ts'
import { BLOCK_HEADER_BYTES, SEGMENT_HEADER_BYTES } from './segment-format.ts'
import type { SegmentFiles } from './segment-files.ts'
import { keyOf, type StoreWriter } from './store-writer.ts'

/** Rewriting begins when less than this share of a segment is alive: at most one byte is copied for each freed. */
const ALIVE_SHARE_MIN = 0.5
/** The growing segment is not closed for less: a new file costs three flushes. Dead bytes. */
const ACTIVE_DEAD_BYTES_MIN = 64 * KIB
/** In front of a payload: header and a SHA-256 multihash (others are rare and near it). Bytes. */
const BLOCK_OVERHEAD_BYTES = BLOCK_HEADER_BYTES + 34
/** Looked at in one turn of the event loop: some milliseconds. Blocks. */
const TURN_BLOCKS = 512
/** What failed is tried again after this, or after the next deletion. Milliseconds. */
const RETRY_DELAY_MS = 60_000

export interface CompactorComponents {
  readonly clock: Clock
  readonly index: IndexDb
  readonly segments: SegmentFiles
  readonly lost: LostSegments
  readonly writer: StoreWriter
  readonly log: Log
  /** The same realm's blocks: reads through it are verified. */
  readonly blocks: BlockStore
}

export class Compactor {
  readonly #parts: CompactorComponents
  readonly #abort = new AbortController()
  #running: Promise<void> | undefined
  #isAsked = false
  #cancelRetry: (() => void) | undefined

  constructor(components: CompactorComponents) {
    this.#parts = components
  }

  /**
   * Looks for dead space; one run at a time, which looks again if it is asked meanwhile. Never rejects: what fails
   * is logged and tried again.
   */
  async run(): Promise<void> {
    if (this.#abort.signal.aborted) return
    this.#isAsked = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    this.#cancelRetry?.()
    await this.#running
  }

  async #run(): Promise<void> {
    this.#cancelRetry?.()
    try {
      while (this.#isAsked) {
        this.#isAsked = false
        try {
          await this.#rewriteMostlyDead()
        } finally {
          await eraseDeleted(this.#parts, this.#abort.signal) // needs no room, which moving may lack
        }
      }
    } catch (error) {
      if (this.#abort.signal.aborted) return
      this.#parts.log.warn({ err: error }, 'deleted blocks could not be taken off the disk yet; it is tried again')
      this.#cancelRetry = this.#parts.clock.after(RETRY_DELAY_MS, () => void this.run())
    }
  }

  /** The emptiest first: on a full disk they give the room for the others. */
  async #rewriteMostlyDead(): Promise<void> {
    const { segments, writer, log } = this.#parts
    for (const row of this.#mostlyDead()) {
      this.#abort.signal.throwIfAborted()
      if (row.number === segments.active?.number) {
        segments.roll()
        await writer.commitFreeing(() => {})
      }
      log.debug({ segment: row.number, blocks: row.blocks }, 'rewriting a segment of the store')
      await this.#moveLiving(row.number)
      await this.#removeIfEmpty(row.number)
      log.debug({ segment: row.number }, 'rewrote a segment of the store')
    }
  }

  #mostlyDead(): SegmentRow[] {
    const { index, segments, lost } = this.#parts
    const isMostlyDead = (row: SegmentRow): boolean => {
      if (lost.isMissed(row.number)) return false // what is left of it may be brought back, and could not be emptied
      const alive = aliveBytes(row)
      const deadMin = row.number === segments.active?.number ? ACTIVE_DEAD_BYTES_MIN : 0
      return alive < row.length * ALIVE_SHARE_MIN && row.length - alive > deadMin
    }
    return index
      .segments()
      .filter(isMostlyDead)
      .toSorted((a, b) => aliveBytes(a) - aliveBytes(b))
  }

  async #moveLiving(number: number): Promise<void> {
    const { segments, writer } = this.#parts
    let seen = 0
    for await (const { multihash, place } of segments.scan(number, this.#row(number)?.length ?? 0)) {
      await this.#move(multihash, place)
      if (++seen % TURN_BLOCKS === 0) await this.#turn()
    }
    await writer.flush()
    if ((this.#row(number)?.blocks ?? 0) > 0) await this.#moveByIndex(number)
  }

  /** For what stands behind a damaged header. */
  async #moveByIndex(number: number): Promise<void> {
    const { index, writer, blocks } = this.#parts
    let seen = 0
    for await (const hash of blocks.keys({ signal: this.#abort.signal })) {
      const place = index.findBlock(hash)
      if (place?.segment === number) await this.#move(hash, place)
      if (++seen % TURN_BLOCKS === 0) await this.#turn()
    }
    await writer.flush()
  }

  /** Others get to run. */
  async #turn(): Promise<void> {
    await nextTurn()
    this.#abort.signal.throwIfAborted()
  }

  /** If the block is at this place. Whoever deleted or replaced it meanwhile is right; a corrupt one is quarantined by the read. */
  async #move(multihash: Uint8Array, place: Place): Promise<void> {
    const { writer, blocks } = this.#parts
    if (!this.#isAt(multihash, place)) return
    const block = await blocks.get(CID.createV1(RAW_CODEC, decode(multihash)), { signal: this.#abort.signal })
    while (!writer.hasRoom(place.length)) await writer.room({ signal: this.#abort.signal })
    if (block !== undefined && this.#isAt(multihash, place))
      writer.accept(keyOf(multihash), { kind: 'put', isMove: true, multihash: block.cid.multihash.bytes, bytes: block.bytes })
  }

  #isAt(multihash: Uint8Array, place: Place): boolean {
    const { index, writer } = this.#parts
    const now = index.findBlock(multihash)
    return now?.segment === place.segment && now.offset === place.offset && writer.find(keyOf(multihash)) === undefined
  }

  #row(number: number): SegmentRow | undefined {
    return this.#parts.index.segments().find(row => row.number === number)
  }

  async #removeIfEmpty(number: number): Promise<void> {
    const { segments, writer } = this.#parts
    if (this.#row(number)?.blocks !== 0) return
    await segments.remove(number) // before its row: a file without a row would count as damage
    await writer.commitFreeing(db => {
      db.removeSegment(number)
    })
  }
}

/** What the blocks that are named take in the file. */
function aliveBytes(row: SegmentRow): number {
  return SEGMENT_HEADER_BYTES + row.bytes + row.blocks * BLOCK_OVERHEAD_BYTES
}
