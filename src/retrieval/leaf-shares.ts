/**
 * Who fetches which leaves of one content. The first source asks for everything; who joins takes leaves from the far
 * end, as many as make both end together, and who has done its part takes from whoever would need longest. So nothing
 * is asked for twice, but for a copy of what a source is too slow with, which is a hedge.
 */
import { MIB, type Bytes, type Ms, type Rate } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { LeafRange } from '../ports/exchange.ts'
import { tailOf, without, type LeafPart } from './leaf-ranges.ts'
import { Pace, type Expected } from './pace.ts'
import type { DagSession } from './session.ts'

/** Ranges in one request; what is still missing then is asked for in the next. */
export const LEAF_RANGES_MAX = 1024
/** Who joins has to save this much; what is here within it anyway needs nobody else. */
const HELP_MS_MIN: Ms = 100
/** Of one that was never measured no more is hoped than of those who deliver, or this if they are slower. */
const HOPED_RATE_MAX: Rate = MIB
/** Less than this is not worth a request of its own. */
const PART_BYTES_MIN: Bytes = MIB / 4
/** With less than this missing, nobody joins to share it. */
const SHARED_BYTES_MIN: Bytes = MIB / 2
/** What takes so many times longer than it would take another is asked of that one as well. */
const SLOW_FACTOR = 2
/** A source that was silent for so long is replaced, which costs no hedge. */
const SILENT_MS: Ms = 2_000
/** Sooner, if another, known to be that fast, could have delivered it so many times over; but not at once. */
const SILENT_FACTOR = 4
const SILENT_MS_MIN: Ms = 500
/**
 * If the narrow place is this node's own line, who joins makes the others slower. A leaf that then takes longer than
 * this comes close to being a stall.
 */
const LEAF_MS_MAX: Ms = 20_000

export interface LeafSharesComponents {
  readonly clock: Clock
  /** Takes one hedge out of the budget. */
  readonly mayHedge: () => boolean
}

interface Work {
  readonly part: LeafPart
  readonly copyOf?: LeafShare
}

/** Ends an answer of which nothing more is needed; no error of anybody. */
export class PartDone extends Error {}

export class LeafShares {
  readonly session: DagSession
  readonly #parts: LeafSharesComponents
  readonly #open = new Set<LeafShare>()

  constructor(components: LeafSharesComponents, session: DagSession) {
    this.#parts = components
    this.session = session
  }

  /** For one that races for the first byte: everything. */
  race(expected: Expected): LeafShare {
    return this.#opened(expected, 'all')
  }

  /** A part for one more beside those who deliver; undefined: it would be of no use. */
  help(expected: Expected): LeafShare | undefined {
    if (!this.session.hasSkeleton || this.session.isDone || this.session.want.kind === 'root' || this.#open.size === 0) return undefined
    if (!this.#hasRoomFor(expected)) return undefined
    const work = this.#workFor(expected, undefined)
    return work === undefined ? undefined : this.#opened(expected, work.part, work.copyOf)
  }

  /** For one that has done its part. */
  more(share: LeafShare): boolean {
    const work = this.#workFor({ ...share.expected, rate: share.rate, isMeasured: true }, share)
    if (work !== undefined) share.assign(work.part, work.copyOf)
    return work !== undefined
  }

  /** Something was copied: who is being asked for nothing else has done its part. */
  copied(): void {
    for (const share of this.#open) if (share.part !== 'all' && !share.lacksAny) share.cut()
  }

  isOpen(share: LeafShare): boolean {
    return this.#open.has(share)
  }

  close(share: LeafShare): void {
    this.#open.delete(share)
  }

  #opened(expected: Expected, part: LeafPart, copyOf?: LeafShare): LeafShare {
    const share = new LeafShare(this, this.#parts.clock, expected)
    share.assign(part, copyOf)
    this.#open.add(share)
    return share
  }

  /** Unless it was measured to be much faster than all that come now together, it may have to share their line. */
  #hasRoomFor({ rate, isMeasured }: Expected): boolean {
    const total = [...this.#open].reduce((sum, share) => sum + share.rate, 0)
    const leafMs = ((MIB * (this.#open.size + 1)) / total) * 1000
    return leafMs <= LEAF_MS_MAX || (isMeasured && rate > SLOW_FACTOR * total)
  }

  #workFor(expected: Expected, share: LeafShare | undefined): Work | undefined {
    const others = [...this.#open].filter(other => other !== share)
    const free = others.reduce((left, { part }) => without(left, part), this.session.leaves.missingIn('all', LEAF_RANGES_MAX))
    if (free.length > 0) return { part: others.length === 0 ? 'all' : free }
    const slowestFirst = others.map(other => new Left(other)).toSorted((a, b) => b.ms - a.ms)
    const isNew = share === undefined
    if (isNew && slowestFirst.reduce((sum, { bytes }) => sum + bytes, 0) <= SHARED_BYTES_MIN)
      return this.#copyFor(expected, others, slowestFirst)
    for (const left of slowestFirst) {
      const part = left.partFor(expected, isNew ? HELP_MS_MIN : 0)
      if (part === undefined) continue
      left.share.part = without(left.ranges, part)
      return { part }
    }
    return this.#copyFor(expected, others, slowestFirst)
  }

  #copyFor(expected: Expected, others: readonly LeafShare[], slowestFirst: readonly Left[]): Work | undefined {
    const slow = slowestFirst.find(
      ({ share, ms, bytes }) =>
        ms >= HELP_MS_MIN && ms > SLOW_FACTOR * needed(expected, bytes) && !others.some(({ copyOf }) => copyOf === share)
    )
    if (slow === undefined || !(isSilent(slow, expected) || this.#parts.mayHedge())) return undefined
    return { part: slow.ranges, copyOf: slow.share }
  }
}

function isSilent({ share: { waitedMs }, bytes }: Left, expected: Expected): boolean {
  if (waitedMs >= SILENT_MS) return true
  return expected.isMeasured && waitedMs >= Math.max(SILENT_MS_MIN, SILENT_FACTOR * needed(expected, bytes))
}

function needed({ firstByteMs, rate }: Expected, bytes: Bytes): Ms {
  return firstByteMs + (bytes / rate) * 1000
}

/** What one source was given, and how it gets on with it. */
export class LeafShare {
  readonly expected: Expected
  part: LeafPart = []
  /** Whose leaves it fetches as well. */
  copyOf: LeafShare | undefined
  readonly #all: LeafShares
  readonly #pace: Pace
  #cut = new AbortController()
  /** What it was asked for last. */
  #asked: readonly LeafRange[] = []
  /** The leaf that comes next, if an answer is under way or was cut short. */
  #next: number | undefined

  constructor(all: LeafShares, clock: Clock, expected: Expected) {
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
    return this.#next === undefined ? 0 : this.#leaves.sizeOf(this.#next)
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

  tookNode(): void {
    this.#pace.stirred()
  }

  /** @throws PartDone when what the answer would still bring is others' */
  tookLeaf(index: number, bytes: Bytes): void {
    this.#pace.delivered(bytes)
    if (this.copyOf !== undefined) this.#all.copied()
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

  get #leaves(): DagSession['leaves'] {
    return this.#all.session.leaves
  }

  #askedAfter(index: number): number | undefined {
    const range = this.#asked.find(([start, count]) => start + count > index + 1)
    const next = range === undefined ? undefined : Math.max(range[0], index + 1)
    return next === undefined || next >= this.#leaves.count ? undefined : next
  }
}

/** What another has still to do. */
class Left {
  readonly share: LeafShare
  readonly ranges: readonly LeafRange[]
  readonly bytes: Bytes
  readonly ms: Ms
  readonly #sizeOf: (index: number) => Bytes

  constructor(share: LeafShare) {
    this.share = share
    this.ranges = share.missing
    this.#sizeOf = share.sizeOf
    this.bytes = bytesOf(this.ranges, this.#sizeOf)
    this.ms = (this.bytes / share.rate) * 1000
  }

  /** As much of the end as lets both end together; undefined if that is too little, or saves too little. */
  partFor({ firstByteMs, rate: hoped, isMeasured }: Expected, savedMin: Ms): LeafRange[] | undefined {
    const { rate: own } = this.share
    const rate = isMeasured ? hoped : Math.min(hoped, Math.max(own, HOPED_RATE_MAX))
    const lead = (rate * firstByteMs) / 1000
    const together = (this.bytes + lead) / (own + rate)
    if (this.ms - together * 1000 < savedMin) return undefined
    const part = tailOf(this.ranges, rate * together - lead, this.#sizeOf)
    return bytesOf(part, this.#sizeOf) < PART_BYTES_MIN ? undefined : part
  }
}

function bytesOf(ranges: readonly LeafRange[], sizeOf: (index: number) => Bytes): Bytes {
  let bytes = 0
  for (const [start, count] of ranges) for (let index = start; index < start + count; index++) bytes += sizeOf(index)
  return bytes
}
