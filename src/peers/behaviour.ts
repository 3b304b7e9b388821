/**
 * What each peer did wrong, by DID: counts, a figure that fades, suspensions. Figures are noted (a crash loses
 * seconds); a suspension holds at once and is written at once. Of strangers only the latest few thousand are kept.
 */
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Offence } from '../ports/standing.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'
import { OFFENCES, SUSPENSION_FORGOTTEN_MS, SUSPENSION_MS, SUSPENSION_MS_MAX } from './offences.ts'

/** Behaviour never counts for less. */
export const BEHAVIOUR_MIN = -5
/** Lapses count for at most this much, so that who was only slow is back within a season. */
const LAPSES_MAX = 2
/** What is left of behaviour after a week. */
const WEEKLY_SHARE = 0.95
const WEEK_MS: Ms = 7 * 24 * 3_600_000
/** Less is forgotten: the curve never reaches 0 by itself. */
const REMEMBERED_MIN = 0.05
/** Strangers with a record; new identities cost nothing, so old records make room. About 300 bytes each. */
const STRANGERS_MAX = 4_096

export interface Suspension {
  /** Of the offence. Unix milliseconds. */
  readonly at: Ms
  readonly until: Ms
  readonly offence: Offence
}

export interface BehaviourRecord {
  /** Of the last offence; the two sums are as of then. Unix milliseconds. */
  readonly at: Ms
  readonly lapses: number
  readonly breaches: number
  readonly counts: Readonly<Record<string, number>>
  readonly suspension?: Suspension
}

/** Sums, faded to now: both ≥ 0, to be taken off. */
export interface Blame {
  readonly lapses: number
  readonly breaches: number
}

export interface BehaviourComponents {
  readonly state: StateStore
  readonly clock: Clock
  readonly log: Log
  /** Whether the operator has an entry for it: such a record is kept whatever comes. */
  readonly isKnown: (did: string) => boolean
}

export class BehaviourBook {
  readonly #parts: BehaviourComponents
  readonly #table: StateTable<BehaviourRecord>
  /** Least recent offender first. */
  readonly #strangers = new Set<string>()

  constructor(components: BehaviourComponents) {
    this.#parts = components
    this.#table = components.state.table('behaviour', readBehaviour)
    const oldestFirst = [...this.#table.entries()].toSorted(([, a], [, b]) => a.at - b.at)
    for (const [did] of oldestFirst) this.#remember(did)
  }

  get(did: string): BehaviourRecord | undefined {
    return this.#table.get(did)
  }

  blame(did: string): Blame {
    const record = this.#table.get(did)
    return record === undefined ? NO_BLAME : faded(record, this.#parts.clock.now())
  }

  /** Undefined unless it lasts. */
  suspension(did: string): Suspension | undefined {
    const suspension = this.#table.get(did)?.suspension
    return suspension !== undefined && suspension.until > this.#parts.clock.now() ? suspension : undefined
  }

  /** DIDs suspended now. */
  suspended(): string[] {
    return [...this.#table.entries()].flatMap(([did]) => (this.suspension(did) === undefined ? [] : [did]))
  }

  /** Everybody who did something wrong and is remembered for it. */
  *offenders(): IterableIterator<string> {
    for (const [did] of this.#table.entries()) yield did
  }

  /** Forgets all of it, durably when it resolves. */
  async forgive(did: string): Promise<void> {
    this.#strangers.delete(did)
    await this.#table.remove(did)
  }

  report(did: string, offence: Offence): void {
    const { costs, isLapse, suspends } = OFFENCES[offence]
    const now = this.#parts.clock.now()
    const known = this.#table.get(did)
    const { lapses, breaches } = known === undefined ? NO_BLAME : faded(known, now)
    const record: BehaviourRecord = {
      at: now,
      lapses: isLapse ? Math.min(LAPSES_MAX, lapses + costs) : lapses,
      breaches: isLapse ? breaches : Math.min(-BEHAVIOUR_MIN, breaches + costs),
      counts: { ...known?.counts, [offence]: (known?.counts[offence] ?? 0) + 1 },
      ...(known?.suspension === undefined ? {} : { suspension: known.suspension }),
      ...(suspends ? { suspension: nextSuspension(known?.suspension, offence, now) } : {})
    }
    this.#table.note(did, record)
    if (suspends) void this.#keep(did, record)
    this.#remember(did)
  }

  async #keep(did: string, record: BehaviourRecord): Promise<void> {
    try {
      await this.#table.put(did, record)
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'a suspension could not be written; it is tried again')
      this.#table.note(did, record)
    }
  }

  #remember(did: string): void {
    this.#strangers.delete(did)
    if (!this.#parts.isKnown(did)) this.#strangers.add(did)
    if (this.#strangers.size <= STRANGERS_MAX) return
    const [oldest] = this.#strangers
    if (oldest === undefined) return
    this.#strangers.delete(oldest)
    if (!this.#parts.isKnown(oldest)) void this.#forget(oldest)
  }

  async #forget(did: string): Promise<void> {
    try {
      await this.#table.remove(did)
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'an old record of a stranger could not be removed')
    }
  }
}

const NO_BLAME: Blame = { lapses: 0, breaches: 0 }

function faded({ at, lapses, breaches }: BehaviourRecord, now: Ms): Blame {
  const share = WEEKLY_SHARE ** (Math.max(0, now - at) / WEEK_MS)
  return { lapses: rest(lapses * share), breaches: rest(breaches * share) }
}

function rest(blame: number): number {
  return blame < REMEMBERED_MIN ? 0 : blame
}

/**
 * Twice as long as the last one, if that is not forgotten. What comes while one lasts was asked for before it began,
 * and belongs to it.
 */
function nextSuspension(last: Suspension | undefined, offence: Offence, now: Ms): Suspension {
  if (last !== undefined && last.until > now) return last
  const isFirst = last === undefined || now >= forgottenAt(last)
  const length = isFirst ? SUSPENSION_MS : Math.min(SUSPENSION_MS_MAX, 2 * (last.until - last.at))
  return { at: now, until: now + length, offence }
}

/** A long suspension is remembered for as long again as it lasted. */
function forgottenAt({ at, until }: Suspension): Ms {
  return Math.max(at + SUSPENSION_FORGOTTEN_MS, until + (until - at))
}

function readBehaviour(stored: unknown): BehaviourRecord {
  if (typeof stored !== 'object' || stored === null) throw new Error('a record of behaviour is no object')
  const { at, lapses, breaches, counts, suspension } = {
    at: undefined,
    lapses: undefined,
    breaches: undefined,
    counts: undefined,
    suspension: undefined,
    ...stored
  }
  if (typeof at !== 'number' || typeof lapses !== 'number' || typeof breaches !== 'number')
    throw new Error('a record of behaviour lacks its figures')
  const read = suspension === undefined ? undefined : readSuspension(suspension)
  return { at, lapses, breaches, counts: readCounts(counts), ...(read === undefined ? {} : { suspension: read }) }
}

function readCounts(stored: unknown): Record<string, number> {
  const pairs = typeof stored === 'object' && stored !== null ? Object.entries(stored) : []
  return Object.fromEntries(pairs.filter((pair): pair is [string, number] => typeof pair[1] === 'number'))
}

function readSuspension(stored: unknown): Suspension {
  const { at, until, offence } = { at: undefined, until: undefined, offence: undefined, ...(typeof stored === 'object' ? stored : {}) }
  if (typeof at !== 'number' || typeof until !== 'number' || !isOffence(offence)) throw new Error('a suspension lacks its times')
  return { at, until, offence }
}

function isOffence(word: unknown): word is Offence {
  return typeof word === 'string' && Object.hasOwn(OFFENCES, word)
}
