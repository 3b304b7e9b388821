/** Which leaves of a DAG are wanted, which are here, and which are missing: indexes in the order of the skeleton. */
import type { CID } from 'multiformats/cid'
import { Turns } from '../lib/turns.ts'
import type { SkeletonWalk } from '../dag/skeleton.ts'
import { KIB, type Bytes } from '../model/units.ts'
import type { LeafRange } from '../ports/exchange.ts'
import type { LeafPart } from './leaf-ranges.ts'

/** Leaf index that stands for "to the end" in a range; more leaves than any content has. */
const LEAF_END = 0xffff_ffff
/** What a leaf of unknown size counts as when work is divided. */
const SIZE_UNKNOWN: Bytes = 256 * KIB

/** The leaves of a DAG as those see them who fetch them. */
export type Leaves = Pick<LeafTable, 'count' | 'isComplete' | 'at' | 'indexOf' | 'sizeOf' | 'missingIn' | 'nextMissing'>

export class LeafTable {
  readonly #walk: SkeletonWalk
  /** Undefined until it is known which leaves a range needs. */
  #wanted: ReadonlySet<number> | 'all' | undefined
  readonly #here: boolean[] = []
  /** Wanted leaves below {@link #checked} that are not here. */
  #missing = 0
  /** Leaves below this index were looked for in the store. */
  #checked = 0
  /** No leaf below this index is missing. */
  #firstMissing = 0

  constructor(walk: SkeletonWalk, wanted: 'all' | undefined) {
    this.#walk = walk
    this.#wanted = wanted
  }

  get isChosen(): boolean {
    return this.#wanted !== undefined
  }

  choose(wanted: ReadonlySet<number>): void {
    this.#wanted ??= wanted
  }

  /** True when every wanted leaf named so far is here. */
  get isComplete(): boolean {
    return this.isChosen && this.#checked === this.#walk.leaves.length && this.#missing === 0
  }

  /** The leaf with this multihash, if it is wanted and not here. */
  lacking(cid: CID): CID | undefined {
    const index = this.#walk.leafIndex(cid)
    return index === undefined || !this.isChosen || this.#isSettled(index) ? undefined : this.#walk.leaves[index]?.cid
  }

  /** A leaf came in. Others are passed over. */
  mark(cid: CID): void {
    const index = this.#walk.leafIndex(cid)
    if (index === undefined || this.#here[index] === true) return
    if (index < this.#checked && this.#isWanted(index)) this.#missing -= 1
    this.#here[index] = true
  }

  /** Looks for newly named leaves in the store. @returns bytes found, those of leaves that came early not counted */
  async check(store: { has(cid: CID): Promise<boolean> }, cameEarly: (cid: CID) => boolean): Promise<Bytes> {
    let found = 0
    const turns = new Turns()
    while (this.isChosen && this.#checked < this.#walk.leaves.length) {
      await turns.step({})
      const index = this.#checked
      const leaf = this.#walk.leaves[index]
      if (leaf === undefined) break
      const isStored = this.#here[index] === true || (this.#isWanted(index) && (await store.has(leaf.cid)))
      if (index !== this.#checked) continue // another call was faster
      this.#checked += 1
      if (isStored && this.#here[index] !== true) {
        this.#here[index] = true
        if (!cameEarly(leaf.cid)) found += leaf.size ?? 0
      }
      if (this.#here[index] !== true && this.#isWanted(index)) this.#missing += 1
    }
    return found
  }

  /** Leaves named so far. */
  get count(): number {
    return this.#walk.leaves.length
  }

  at(index: number): CID | undefined {
    return this.#walk.leaves[index]?.cid
  }

  indexOf(cid: CID): number | undefined {
    return this.#walk.leafIndex(cid)
  }

  /** As its parent claims: good enough to divide work by. */
  readonly sizeOf = (index: number): Bytes => this.#walk.leaves[index]?.size ?? SIZE_UNKNOWN

  /** Missing leaves as at most `rangesMax` ranges; while the skeleton is incomplete, also everything not named yet. */
  ranges(rangesMax: number): LeafRange[] {
    if (!this.isChosen) return []
    const ranges = this.#missingIn('all', rangesMax + 1)
    if (ranges.length > rangesMax) return ranges.slice(0, rangesMax)
    if (!this.#walk.done) openEnd(ranges, this.#walk.leaves.length)
    return ranges
  }

  /** Missing leaves of a part as at most `rangesMax` ranges; those that are not named yet left out. */
  missingIn(part: LeafPart, rangesMax: number): LeafRange[] {
    return this.isChosen ? this.#missingIn(part, rangesMax) : []
  }

  /** The first missing leaf of a part from this index on. */
  nextMissing(part: LeafPart, from: number): number | undefined {
    for (const [start, end] of this.isChosen ? this.#within(part) : []) {
      for (let index = Math.max(start, from); index < end; index++) if (!this.#isSettled(index)) return index
    }
    return undefined
  }

  /** Missing leaves of a part, in order. */
  *missing(part: LeafPart): Generator<CID> {
    for (const [start, end] of this.isChosen ? this.#within(part) : []) {
      for (let index = start; index < end; index++) {
        const leaf = this.#walk.leaves[index]
        if (leaf !== undefined && !this.#isSettled(index)) yield leaf.cid
      }
    }
  }

  #missingIn(part: LeafPart, rangesMax: number): [number, number][] {
    const ranges: [number, number][] = []
    for (const [start, end] of this.#within(part)) {
      for (let index = start; index < end; index++) {
        if (this.#isSettled(index)) continue
        const last = ranges.at(-1)
        if (last !== undefined && last[0] + last[1] === index) last[1] += 1
        else if (ranges.length === rangesMax) return ranges
        else ranges.push([index, 1])
      }
    }
    return ranges
  }

  /** Begin and end of each range, as far as leaves are named and may be missing. */
  #within(part: LeafPart): [number, number][] {
    const first = this.#skipSettled()
    const { length } = this.#walk.leaves
    return (part === 'all' ? [[0, length] as const] : part).map(([start, count]) => [
      Math.max(first, start),
      Math.min(length, start + count)
    ])
  }

  #skipSettled(): number {
    while (this.#firstMissing < this.#walk.leaves.length && this.#isSettled(this.#firstMissing)) this.#firstMissing += 1
    return this.#firstMissing
  }

  #isWanted(index: number): boolean {
    return this.#wanted === 'all' || this.#wanted?.has(index) === true
  }

  #isSettled(index: number): boolean {
    return this.#here[index] === true || !this.#isWanted(index)
  }
}

function openEnd(ranges: [number, number][], known: number): void {
  const last = ranges.at(-1)
  if (last !== undefined && last[0] + last[1] === known) last[1] = LEAF_END - last[0]
  else ranges.push([known, LEAF_END - known])
}
