/**
 * The append-only segment files of one realm. Bytes returned by {@link SegmentFiles.append} are durable.
 * A crash leaves at most a torn tail behind the length the index knows; opening cuts it off.
 */
import { open as openFile, readdir, stat, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { KithError } from '../../errors.ts'
import { MIB } from '../../model/units.ts'
import type { Place, SegmentRow } from './index-db.ts'
import {
  BLOCK_HEADER_BYTES,
  CIPHER_PLAIN,
  decodeBlockHeader,
  decodeSegmentHeader,
  encodeSegmentHeader,
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
/** No crash leaves more than one commit (18 MiB and headers) unknown to the index. Bytes. */
const TAIL_BYTES_MAX = 24 * MIB
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
      if (!known.has(number)) await files.#removeUnknown(number)
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
  }

  /**
   * Ends the active segment after a failure. After a failed sync nobody can say what is on the disk behind the
   * length the index knows, so that tail is never written again: the next append begins a new file.
   */
  async abandon(): Promise<void> {
    const active = this.#active
    if (active === undefined) return
    this.#active = undefined
    this.#readers.delete(active.number)
    if (active.durable === 0) await unlink(this.#path(active.number)).catch(() => {}) // best effort: the next open does it too
    else await active.file.truncate(active.durable).catch(() => {}) // gives space back; the index ignores the tail anyway
    await active.file.close().catch(() => {}) // its fate is known to be bad already
  }

  /** The payload; undefined if the file is gone or ends before it. Throws on I/O errors. */
  async read(place: Place): Promise<Uint8Array | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        const bytes = new Uint8Array(Buffer.allocUnsafeSlow(place.length).buffer) // not zeroed, and no Buffer: its slice differs
        const file = this.#readers.get(place.segment) ?? (await this.#reader(place.segment))
        return (await readAt(file, bytes, place.offset)) === place.length ? bytes : undefined
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return undefined
        if (errorCode(error) !== 'EBADF' || tries === READ_TRIES_MAX) throw error
      }
    }
  }

  /** Every intact block header up to `length`; stops at the first that is not. Reads no payload. */
  async *scan(segment: number, length: number): AsyncGenerator<ScannedBlock> {
    const head = { segment, offset: 0, length: SEGMENT_HEADER_BYTES, cipher: CIPHER_PLAIN }
    const header = await this.read(head)
    if (header === undefined || decodeSegmentHeader(Buffer.from(header.buffer))?.number !== segment) return
    for (let at = SEGMENT_HEADER_BYTES; at < length;) {
      const bytes = await this.read({ ...head, offset: at, length: Math.min(BLOCK_HEADER_BYTES + MULTIHASH_BYTES_MAX, length - at) })
      const block = bytes === undefined ? undefined : decodeBlockHeader(Buffer.from(bytes.buffer))
      if (bytes === undefined || block === undefined) return
      const multihash = bytes.subarray(BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + block.multihashLength)
      const offset = at + payloadOffset(multihash)
      yield { multihash, place: { segment, offset, length: block.payloadLength, cipher: block.cipher } }
      at = offset + block.payloadLength
    }
  }

  /** Gives back the space of a segment of which no block is named any more. Running reads end first. */
  async remove(number: number): Promise<void> {
    const reader = this.#readers.get(number)
    this.#readers.delete(number)
    await reader?.close()
    await unlink(this.#path(number)).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOENT') throw error // a crash came between the file and its row
    })
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

  /** A segment of which no block was ever committed: at most one commit is in it. */
  async #removeUnknown(number: number): Promise<void> {
    const path = this.#path(number)
    if ((await stat(path)).size > TAIL_BYTES_MAX) throw staleIndexError(path)
    await unlink(path)
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
    return join(this.#init.directory, `${String(number).padStart(6, '0')}.seg`)
  }
}

/** More data than a crash can leave behind: throwing it away could be throwing away what somebody relies on. */
function staleIndexError(path: string): KithError {
  return new KithError(
    'START_FAILED',
    `${path} holds far more than its index knows: the index is older than the segments. Restore index/ and segments/ from the same backup, or move both away to start empty.`,
    { path }
  )
}

/** Numbers of the segment files in a directory, ascending. */
export async function listSegments(directory: string): Promise<number[]> {
  const names = await readdir(directory)
  return names
    .filter(name => /^\d{6,}\.seg$/.test(name))
    .map(name => Number.parseInt(name, 10))
    .toSorted((a, b) => a - b)
}

/** Makes the creation of files in it durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await openFile(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
