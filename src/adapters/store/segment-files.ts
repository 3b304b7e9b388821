/**
 * The append-only segment files of one realm. Bytes returned by {@link SegmentFiles.append} are durable.
 * A crash leaves at most a torn tail behind the length the index knows; opening cuts it off.
 */
import { open as openFile, unlink, type FileHandle } from 'node:fs/promises'
import { BLOCK_BYTES_MAX } from '../../model/block.ts'
import { MIB } from '../../model/units.ts'
import type { Place, SegmentRow } from './index-db.ts'
import {
  listSegments,
  removeSegment,
  removeUnknown,
  segmentPath,
  staleIndexError,
  syncDirectory,
  TAIL_BYTES_MAX
} from './segment-directory.ts'
import {
  BLOCK_HEADER_BYTES,
  CIPHER_ERASED,
  CIPHER_PLAIN,
  decodeBlockHeader,
  decodeSegmentHeader,
  encodeSegmentHeader,
  erasedBlock,
  MULTIHASH_BYTES_MAX,
  payloadOffset,
  SEGMENT_HEADER_BYTES
} from './segment-format.ts'
import { layOut, readAt, writeAll, type Appendable } from './segment-io.ts'
import { errorCode } from './store-error.ts'

/** A segment is closed at this size: large enough that few files are open, small enough to rewrite one. Bytes. */
export const SEGMENT_BYTES_MAX = 256 * MIB
/** Segments kept open for reading. Files. */
const OPEN_SEGMENTS_MAX = 64
/** A handle can be evicted between look-up and read; the next try opens it anew. */
const READ_TRIES_MAX = 3

export type OpenFile = (path: string, flags: string, mode?: number) => Promise<FileHandle>

export interface SegmentFilesInit {
  readonly directory: string
  readonly realm: string
  /** Segments the index knows, ascending. */
  readonly known: readonly SegmentRow[]
  /** Replaced by tests to force faults of the disk. */
  readonly open?: OpenFile | undefined
  /** Replaced by tests; default {@link SEGMENT_BYTES_MAX}. */
  readonly segmentBytes?: number | undefined
}

/** A block found by scanning a segment. */
export interface ScannedBlock {
  readonly multihash: Uint8Array
  readonly place: Place
}

interface ActiveSegment {
  readonly number: number
  readonly file: FileHandle
  length: number
  durable: number
}

export class SegmentFiles {
  readonly #init: SegmentFilesInit
  readonly #open: OpenFile
  readonly #readers = new Map<number, FileHandle>()
  #active: ActiveSegment | undefined
  #isRolling = false
  #lastNumber: number

  private constructor(init: SegmentFilesInit) {
    this.#init = init
    this.#open = init.open ?? openFile
    this.#lastNumber = init.known.at(-1)?.number ?? 0
  }

  /** Cuts off what the index does not know of and goes on in the last segment. Costs nothing per block. */
  static async open(init: SegmentFilesInit): Promise<SegmentFiles> {
    const files = new SegmentFiles(init)
    const known = new Set(init.known.map(row => row.number))
    for (const number of await listSegments(init.directory)) {
      if (!known.has(number)) await removeUnknown(files.#path(number))
    }
    const last = init.known.at(-1)
    if (last !== undefined) await files.#resume(last)
    return files
  }

  /** The segment that grows, and its length after the last append. */
  get active(): { readonly number: number; readonly length: number } | undefined {
    return this.#active
  }

  /** Writes the blocks in one go; when it returns they are durable. After a failure call {@link abandon}. */
  async append(blocks: readonly Appendable[]): Promise<Place[]> {
    if (blocks.length === 0) return []
    const active = await this.#writable()
    const { parts, places, length } = layOut(blocks, active)
    await writeAll(active.file, parts, active.length, length)
    await active.file.datasync()
    active.length += length
    return places
  }

  /** To be called when the index has committed what was appended. */
  committed(): void {
    if (this.#active !== undefined) this.#active.durable = this.#active.length
    if (this.#isRolling) this.#active = undefined
    this.#isRolling = false
  }

  /** The next append that follows a commit begins a new file. */
  roll(): void {
    this.#isRolling = true
  }

  /**
   * Ends the active segment after a failure. After a failed sync nobody can say what is on the disk behind the
   * length the index knows, so that tail is never written again: the next append begins a new file.
   * `mayBeCommitted`: the index failed in a way after which a crash may yet bring the commit to light; then what it
   * names must stay.
   */
  async abandon({ mayBeCommitted }: { readonly mayBeCommitted: boolean }): Promise<void> {
    const active = this.#active
    if (active === undefined) return
    this.#active = undefined
    this.#readers.delete(active.number)
    if (!mayBeCommitted) {
      if (active.durable === 0) await unlink(this.#path(active.number)).catch(() => {}) // best effort: the next open does it too
      else await active.file.truncate(active.durable).catch(() => {}) // gives space back; the index ignores the tail anyway
    }
    await active.file.close().catch(() => {}) // its fate is known to be bad already
  }

  /** The payload; undefined if the file is gone or ends before it. Throws on I/O errors. */
  async read(place: Place): Promise<Uint8Array | undefined> {
    if (place.offset < 0 || place.length < 0 || place.length > BLOCK_BYTES_MAX) return undefined // no place of ours: a damaged index
    for (let tries = 1; ; tries++) {
      try {
        const bytes = new Uint8Array(Buffer.allocUnsafeSlow(place.length).buffer) // not zeroed, and no Buffer: its slice differs
        const file = this.#readers.get(place.segment) ?? (await this.#reader(place.segment))
        return (await readAt(file, bytes, place.offset)) === place.length ? bytes : undefined
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return undefined
        if (!isClosed(error) || tries === READ_TRIES_MAX) throw error
      }
    }
  }

  /** Every intact block header up to `length`; stops at the first that is not. Reads no payload. */
  async *scan(segment: number, length: number): AsyncGenerator<ScannedBlock> {
    const head = { segment, offset: 0, length: SEGMENT_HEADER_BYTES, cipher: CIPHER_PLAIN }
    const header = await this.read(head)
    if (header === undefined || decodeSegmentHeader(Buffer.from(header.buffer))?.number !== segment) return
    for (let at = SEGMENT_HEADER_BYTES; at < length;) {
      const block = await this.#scanned(segment, at, length)
      if (block === undefined) return
      yield block
      at = block.place.offset + block.place.length
    }
  }

  /**
   * Overwrites the blocks whose headers are at these offsets, durably. `isDead` is asked of each, by multihash and
   * offset of the payload, at the last moment. What is no intact header is left alone.
   */
  async erase(segment: number, offsets: readonly number[], isDead: (multihash: Uint8Array, offset: number) => boolean): Promise<void> {
    const file = await this.#open(this.#path(segment), 'r+').catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return undefined // given back as a whole
      throw error
    })
    if (file === undefined) return
    try {
      const { size } = await file.stat()
      for (const at of offsets) {
        const block = await this.#scanned(segment, at, size)
        if (block === undefined || block.place.cipher === CIPHER_ERASED || !isDead(block.multihash, block.place.offset)) continue
        const bytes = erasedBlock({ multihashLength: block.multihash.byteLength, payloadLength: block.place.length })
        if (at + bytes.byteLength > size) continue
        await writeAll(file, [bytes], at, bytes.byteLength)
      }
      await file.datasync()
    } finally {
      await file.close()
    }
  }

  /** Gives back the space of a segment of which no block is named any more. Reads under way end by themselves. */
  async remove(number: number): Promise<void> {
    await removeSegment(this.#init.directory, number)
    const reader = this.#readers.get(number)
    this.#readers.delete(number)
    await reader?.close()
  }

  async close(): Promise<void> {
    const open = [...this.#readers.values()]
    this.#readers.clear()
    this.#active = undefined
    await Promise.all(
      open.map(async file => {
        await file.close()
      })
    )
  }

  async #writable(): Promise<ActiveSegment> {
    if (this.#active !== undefined && this.#active.length < (this.#init.segmentBytes ?? SEGMENT_BYTES_MAX)) return this.#active
    const number = ++this.#lastNumber
    const file = await this.#open(this.#path(number), 'wx+', 0o600)
    // Known to abandon() from here on, so that a fault in the next lines leaves no open file.
    const active = { number, file, length: SEGMENT_HEADER_BYTES, durable: 0 }
    this.#active = active
    this.#keepOpen(number, file)
    await writeAll(file, [encodeSegmentHeader(number, this.#init.realm)], 0, SEGMENT_HEADER_BYTES)
    await file.datasync()
    await syncDirectory(this.#init.directory)
    return active
  }

  async #resume(last: SegmentRow): Promise<void> {
    const file = await this.#open(this.#path(last.number), 'r+').catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return undefined // its blocks are found missing when they are read
      throw error
    })
    if (file === undefined) return
    const { size } = await file.stat()
    if (size < last.length) {
      await file.close()
      return
    } // damaged: read only, the next append begins a new file
    if (size - last.length > TAIL_BYTES_MAX) {
      await file.close()
      throw staleIndexError(this.#path(last.number))
    }
    if (size > last.length) await file.truncate(last.length)
    this.#active = { number: last.number, file, length: last.length, durable: last.length }
    this.#keepOpen(last.number, file)
  }

  async #scanned(segment: number, at: number, length: number): Promise<ScannedBlock | undefined> {
    const wanted = Math.min(BLOCK_HEADER_BYTES + MULTIHASH_BYTES_MAX, length - at)
    const bytes = wanted <= 0 ? undefined : await this.read({ segment, offset: at, length: wanted, cipher: CIPHER_PLAIN })
    const header = bytes === undefined ? undefined : decodeBlockHeader(Buffer.from(bytes.buffer))
    if (bytes === undefined || header === undefined) return undefined
    const multihash = bytes.subarray(BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + header.multihashLength)
    const offset = at + payloadOffset(multihash)
    return { multihash, place: { segment, offset, length: header.payloadLength, cipher: header.cipher } }
  }

  async #reader(number: number): Promise<FileHandle> {
    const file = await this.#open(this.#path(number), 'r')
    const other = this.#readers.get(number)
    if (other === undefined) {
      this.#keepOpen(number, file)
      return file
    }
    await file.close()
    return other
  }

  #keepOpen(number: number, file: FileHandle): void {
    this.#readers.set(number, file)
    if (this.#readers.size <= OPEN_SEGMENTS_MAX) return
    const oldest = [...this.#readers.keys()].find(other => other !== this.#active?.number && other !== number)
    const handle = oldest === undefined ? undefined : this.#readers.get(oldest)
    if (oldest === undefined || handle === undefined) return
    this.#readers.delete(oldest)
    handle.close().catch(() => {}) // was open for reading only
  }

  #path(number: number): string {
    return segmentPath(this.#init.directory, number)
  }
}

/** The handle was given up between look-up and read: by the system, or by Node, which then knows no descriptor. */
function isClosed(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'EBADF' || code === 'ERR_OUT_OF_RANGE'
}
