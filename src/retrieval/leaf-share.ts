/** What one source fetches of a content beside others, and how it gets on with it. `leaf-shares.ts` divides the work. */
import { MIB, type Bytes, type Ms, type Rate } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { LeafRange } from '../ports/exchange.ts'
import { without, type LeafPart } from './leaf-ranges.ts'
import type { Leaves } from './leaf-table.ts'
import { Pace, type Expected } from './pace.ts'

/** Ranges in one request; what is still missing then is asked for in the next. */
export const LEAF_RANGES_MAX = 1024
/**
 * If the narrow place is this node's own line, who joins makes the others slower. A leaf that then takes longer than
 * this comes close to being a stall.
 */
export const LEAF_MS_MAX: Ms = 20_000

/** Ends an answer of which nothing more is needed; no error of anybody. */
export class PartDone extends Error {}

/** Those who fetch one content together, as one of them sees them. */
export interface Together {
  readonly leaves: Leaves
  /** Something verified came, from whomever. */
  delivered(bytes: Bytes): void
  /** Something was copied: who is being asked for nothing else has done its part. */
  copied(): void
  /** Finds more to do. */
  more(share: LeafShare): boolean
  isOpen(share: LeafShare): boolean
  close(share: LeafShare): void
}

/** What one source was given, and how it gets on with it. */
export class LeafShare {
  readonly expected: Expected
  part: LeafPart = []
  /** Whose leaves it fetches as well. */
  copyOf: LeafShare | undefined
  readonly #all: Together
  readonly #pace: Pace
  /** Leaves that are asked for singly and on their way. */
  readonly #busy = new Set<number>()
  #isProven = false
  #cut = new AbortController()
  /** What it was asked for last. */
  #asked: readonly LeafRange[] = []
  /** The leaf that comes next, if an answer is under way or was cut short. */
  #next: number | undefined

  constructor(all: Together, clock: Clock, expected: Expected) {
    this.#all = all
    this.expected = expected
    this.#pace = new Pace(clock, expected)
  }

  get rate(): Rate {
    return this.#pace.rate(this.awaited)
  }
  get waitedMs(): Ms {
    return this.#pace.waitedMs
  }
  readonly sizeOf = (index: number): Bytes => this.#leaves.sizeOf(index)
  get missing(): LeafRange[] {
    return this.#leaves.missingIn(this.part, LEAF_RANGES_MAX)
  }
  get lacksAny(): boolean {
    return this.#leaves.nextMissing(this.part, 0) !== undefined
  }
  /** Bytes of the leaf that was on its way when nothing more came or was waited for. */
  get awaited(): Bytes {
    if (this.#busy.size > 0) return [...this.#busy].reduce((sum, index) => sum + this.sizeOf(index), 0)
    return this.#next === undefined ? 0 : this.#leaves.sizeOf(this.#next)
  }

  /** What of these ranges nobody would ask for twice who took it over. */
  idle(ranges: readonly LeafRange[]): readonly LeafRange[] {
    const busy = [...this.#busy].toSorted((a, b) => a - b).map(index => [index, 1] as const)
    return busy.length === 0 ? ranges : without(ranges, busy)
  }
  /**
   * Blocks to ask for singly at once, for one that joined others: one until it has shown that it has any, and then no
   * more than keep a leaf from coming close to a stall.
   */
  widthOf(most: number): number {
    if (!this.#isProven) return 1
    return Math.max(1, Math.min(most, Math.floor((this.rate * LEAF_MS_MAX) / 1000 / MIB)))
  }

  assign(part: LeafPart, copyOf: LeafShare | undefined): void {
    this.part = part
    this.copyOf = copyOf
  }

  /** A request is sent. @returns what ends its answer early */
  asking(leaves: readonly LeafRange[]): AbortSignal {
    this.#cut = new AbortController()
    this.#asked = leaves
    this.#next = leaves[0]?.[0]
    this.#pace.asked(this.expected.firstByteMs)
    return this.#cut.signal
  }

  tookNode(bytes: Bytes): void {
    this.#isProven = true
    this.#pace.stirred()
    this.#all.delivered(bytes)
  }

  /** A leaf that was asked for singly. @returns to be called when it came or will not come */
  awaits(index: number): () => void {
    this.#busy.add(index)
    return () => {
      this.#busy.delete(index)
    }
  }

  tookSingle(bytes: Bytes): void {
    this.#isProven = true
    this.#pace.delivered(bytes)
    this.#all.delivered(bytes)
    if (this.copyOf !== undefined) this.#all.copied()
  }

  /** One of an answer that brings them in order. @throws PartDone when what the answer would still bring is others' */
  tookLeaf(index: number, bytes: Bytes): void {
    this.tookSingle(bytes)
    this.#next = this.#askedAfter(index)
    if (this.part === 'all' || this.#next === undefined || this.#leaves.nextMissing(this.part, index + 1) !== undefined) return
    this.#next = undefined
    throw new PartDone()
  }

  /** The answer came to its end. */
  answered(): void {
    this.#next = undefined
  }

  cut(): void {
    this.#cut.abort(new PartDone())
  }

  /** Whether there is more to do for it. */
  more(): boolean {
    return this.#all.more(this)
  }

  get isOpen(): boolean {
    return this.#all.isOpen(this)
  }

  /** What it has not done is free. */
  close(): void {
    this.#all.close(this)
  }

  get #leaves(): Leaves {
    return this.#all.leaves
  }

  #askedAfter(index: number): number | undefined {
    const range = this.#asked.find(([start, count]) => start + count > index + 1)
    const next = range === undefined ? undefined : Math.max(range[0], index + 1)
    return next === undefined || next >= this.#leaves.count ? undefined : next
  }
}
