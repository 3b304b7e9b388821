/**
 * Who fetches which leaves of one content. The first source asks for everything; who joins takes leaves from the far
 * end, as many as make both end together, and who has done its part takes from whoever would need longest. So nothing
 * is asked for twice, but for a copy of what a source is too slow with, which is a hedge.
 */
import { KIB, MIB, type Bytes, type Ms, type Rate } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { LeafRange } from '../ports/exchange.ts'
import { tailOf, without, type LeafPart } from './leaf-ranges.ts'
import { LEAF_MS_MAX, LEAF_RANGES_MAX, LeafShare, type Together } from './leaf-share.ts'
import { bytesLeft, bytesOf } from './bytes-left.ts'
import { Pace, type Expected } from './pace.ts'
import type { Leaves } from './leaf-table.ts'
import type { DagSession } from './session.ts'

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
/** What is here within it is left to those who deliver; of what takes longer, another stage may take a part. */
const LONG_MS: Ms = 10_000
/** Strangers that together deliver less than this are joined by a stage of which only a little more is expected. */
const STRANGERS_RATE_MIN: Rate = 256 * KIB
/** One that joined from another stage has this long to show something before the next one joins. */
const BESIDE_PAUSE_MS: Ms = 5_000

export interface LeafSharesComponents {
  readonly clock: Clock
  /** Takes one hedge out of the budget. */
  readonly mayHedge: () => boolean
}

interface Work {
  readonly part: LeafPart
  readonly copyOf?: LeafShare
}

export class LeafShares implements Together {
  readonly session: DagSession
  readonly #parts: LeafSharesComponents
  readonly #open = new Set<LeafShare>()
  /** Of all together, since the first of them delivered. */
  #pace: Pace | undefined
  /** Who joined last from another stage, and when. */
  #beside: { readonly share: LeafShare; readonly at: Ms } | undefined

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

  /**
   * A part for one of another stage. Those who deliver keep the others out, unless what is left would take them long and
   * more is expected of this one: a slow one, or one that means to be slow, would otherwise have the content for itself.
   */
  beside(expected: Expected): LeafShare | undefined {
    const { session } = this
    if (session.isDone || session.want.kind === 'root' || !this.#areSlowBeside(expected) || this.#isTried()) return undefined
    const work = session.hasSkeleton ? this.#workFor(expected, undefined) : { part: [] } // it begins with the nodes
    if (work === undefined) return undefined
    const share = this.#opened(expected, work.part, work.copyOf)
    this.#beside = { share, at: this.#parts.clock.monotonic() }
    return share
  }

  /** For one that has done its part. */
  more(share: LeafShare): boolean {
    const work = this.#workFor({ ...share.expected, rate: share.rate, isMeasured: true }, share)
    if (work !== undefined) share.assign(work.part, work.copyOf)
    return work !== undefined
  }

  get leaves(): Leaves {
    return this.session.leaves
  }

  delivered(bytes: Bytes): void {
    const { clock } = this.#parts
    this.#pace ??= new Pace(clock, { firstByteMs: 0, rate: HOPED_RATE_MAX, isMeasured: false })
    this.#pace.delivered(bytes)
  }

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

  #areSlowBeside({ rate, isMeasured }: Expected): boolean {
    if (this.#pace === undefined || this.#open.size === 0) return false
    const open = [...this.#open]
    const pace = this.#pace.rate(open.reduce((sum, { awaited }) => sum + awaited, 0))
    const hoped = isMeasured ? rate : Math.min(rate, HOPED_RATE_MAX)
    const areBelow = pace < STRANGERS_RATE_MIN && !open.some(({ expected }) => expected.isTrusted === true)
    return hoped > pace * (areBelow ? 1 : SLOW_FACTOR) && bytesLeft(this.session) / pace > LONG_MS / 1000
  }

  /** Somebody joined a moment ago: first it is seen what comes of that. */
  #isTried(): boolean {
    if (this.#beside === undefined || !this.#open.has(this.#beside.share)) return false
    return this.#parts.clock.monotonic() - this.#beside.at < BESIDE_PAUSE_MS
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
    const part = tailOf(this.share.idle(this.ranges), rate * together - lead, this.#sizeOf)
    return bytesOf(part, this.#sizeOf) < PART_BYTES_MIN ? undefined : part
  }
}
