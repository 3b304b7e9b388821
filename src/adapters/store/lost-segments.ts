/**
 * What the index names and the segment files do not hold, as it was when the store was opened: a file is missing, or
 * ends before its last block. Such blocks count as absent. Their rows stay, so that a file which is brought back while
 * the store is closed brings them back. In memory only: every open looks anew.
 */
import { statSync } from 'node:fs'
import type { Bytes } from '../../model/units.ts'
import type { StoreUsage } from '../../ports/block-store.ts'
import type { DamagedFile } from '../../ports/record-store.ts'
import type { IndexDb, Place } from './index-db.ts'
import { segmentName, segmentPath } from './segment-directory.ts'

interface Gap {
  /** Where the file ends; 0 if there is none. */
  readonly end: Bytes
  /** Behind that, and neither put again nor deleted. */
  blocks: number
  bytes: Bytes
}

export class LostSegments {
  readonly #gaps: ReadonlyMap<number, Gap>

  private constructor(gaps: ReadonlyMap<number, Gap>) {
    this.#gaps = gaps
  }

  /** One look at each file; at single blocks only if a file was cut short. */
  static find(index: IndexDb, directory: string): LostSegments {
    const gaps = new Map<number, Gap>()
    const short = new Map<number, Gap>()
    for (const { number, length, blocks, bytes } of index.segments()) {
      const end = statSync(segmentPath(directory, number), { throwIfNoEntry: false })?.size ?? 0
      if (end >= length || blocks === 0) continue
      const gap = end === 0 ? { end, blocks, bytes } : { end, blocks: 0, bytes: 0 }
      if (end > 0) short.set(number, gap)
      gaps.set(number, gap)
    }
    if (short.size > 0) countBeyond(index, short)
    return new LostSegments(new Map([...gaps].filter(([, { blocks }]) => blocks > 0)))
  }

  /** Nothing was lost. */
  get isEmpty(): boolean {
    return this.#gaps.size === 0
  }

  /** Whether this place lay in what is gone. */
  hides({ segment, offset, length }: Place): boolean {
    const gap = this.#gaps.get(segment)
    return gap !== undefined && offset + length > gap.end
  }

  /** A block at a hidden place was put again, or deleted. */
  settle({ segment, length }: Place): void {
    const gap = this.#gaps.get(segment)
    if (gap === undefined) return
    gap.blocks -= 1
    gap.bytes -= length
  }

  /** True while blocks of this segment are missed. */
  isMissed(segment: number): boolean {
    return (this.#gaps.get(segment)?.blocks ?? 0) > 0
  }

  usage(): StoreUsage {
    const sum = { blocks: 0, bytes: 0 }
    for (const { blocks, bytes } of this.#gaps.values()) {
      sum.blocks += blocks
      sum.bytes += bytes
    }
    return sum
  }

  files(): DamagedFile[] {
    return [...this.#gaps]
      .filter(([, { blocks }]) => blocks > 0)
      .map(([number, { end, blocks }]) => ({ name: `segments/${segmentName(number)}`, isMissing: end === 0, blocks }))
  }
}

function countBeyond(index: IndexDb, short: ReadonlyMap<number, Gap>): void {
  for (const { segment, offset, length } of index.places()) {
    const gap = short.get(segment)
    if (gap === undefined || offset + length <= gap.end) continue
    gap.blocks += 1
    gap.bytes += length
  }
}
