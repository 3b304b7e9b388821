/**
 * Owns what was measured of each source and the ledger of what passed between it and this node. Both are durable as
 * figures are: a crash loses seconds. How many sources are remembered is bounded; strangers go first.
 */
import type { Outcome } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Estimates, LedgerCounts, Measurement, PeerEstimate } from '../ports/estimates.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'
import * as figuresOf from './figures.ts'
import type { Figures } from './figures.ts'
import { readCounts } from './ledger-counts.ts'

/** Sources remembered: a few kilobytes each, and more than any node has peers. Count. */
const SOURCES_KEPT_MAX = 4096
/** The median of all is reckoned at most so often: it moves slowly and takes a sort. */
const USUAL_AGE_MS_MAX: Ms = 1_000
/** Before anything was measured anywhere: what a wait must exceed to say something about a source. */
const FIRST_BYTE_EXPECTED_MS: Ms = 100
/** Only these count against a source. */
const FAULTS: readonly Outcome[] = ['fault', 'timeout', 'corrupt']

export interface EstimatesComponents {
  readonly clock: Clock
  readonly state: StateStore
  /** Strangers are forgotten before those the operator trusts. */
  readonly isTrusted: (source: string) => boolean
  /** Told when what was forgotten could not be removed from disk. */
  readonly onError?: (error: Error) => void
}

export interface EstimatesInit {
  readonly sourcesMax?: number
}

/** One source in memory. */
interface Entry {
  readonly figures: Figures
  readonly counts: Record<string, number>
  /** When the requests under way that still wait for their first byte were sent, oldest first; monotonic. */
  readonly waiting: Set<{ readonly since: Ms }>
  inFlight: number
  /** Requests and answers under way. What is timed beside one waits behind it, and is no round trip. */
  transfers: number
  /** Transfers ever begun, and when the last one ended; monotonic. */
  begun: number
  idleSince: Ms
  /**
   * This node asked it: only then is it written to disk, so that strangers who come to be served, under ever new
   * names, cost no writes.
   */
  isAsked: boolean
  p90: Ms | null | undefined
}

export class MeasuredEstimates implements Estimates {
  readonly #parts: EstimatesComponents
  readonly #sourcesMax: number
  readonly #figures: StateTable<Figures>
  readonly #ledger: StateTable<Record<string, number>>
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>()
  #usual: { readonly ms: Ms | null; readonly at: Ms } | undefined

  constructor(components: EstimatesComponents, { sourcesMax = SOURCES_KEPT_MAX }: EstimatesInit = {}) {
    this.#parts = components
    this.#sourcesMax = sourcesMax
    this.#figures = components.state.table('estimates', figuresOf.readFigures)
    this.#ledger = components.state.table('ledger', readCounts)
    const stored = [...this.#figures.entries()].toSorted(([, a], [, b]) => a.usedAt - b.usedAt)
    for (const [source, figures] of stored) this.#entries.set(source, entryOf(figures, { ...this.#ledger.get(source) }, true))
  }

  of(source: string): PeerEstimate {
    const now = this.#parts.clock.now()
    const entry = this.#entries.get(source)
    const figures = entry?.figures ?? figuresOf.newFigures(now)
    return {
      firstByteMs: entry === undefined ? null : this.#firstByte(entry, now),
      firstByteP90Ms: entry === undefined ? null : (entry.p90 ??= figuresOf.firstByteP90(figures)),
      latencyMs: figures.latencyMs,
      rate: figures.logRate === null ? null : Math.exp(figures.logRate),
      bandwidth: figures.bandwidth,
      failShare: figuresOf.failShare(figures, now),
      precision: figuresOf.precision(figures),
      hits: { yes: figures.yes, no: figures.no },
      inFlight: entry?.inFlight ?? 0,
      samples: figures.samples
    }
  }

  begin(source: string): Measurement {
    const entry = this.#touch(source)
    const sent = { since: this.#parts.clock.monotonic() }
    const transfer = this.#transfer(entry)
    let firstByteMs: Ms | undefined
    let isOver = false
    entry.isAsked = true
    entry.inFlight += 1
    entry.waiting.add(sent)
    count(entry, 'asked')
    this.#note(source, entry)
    return {
      firstByte: (bytes = 0) => {
        if (isOver || firstByteMs !== undefined) return
        const ms = this.#since(sent)
        firstByteMs = ms
        entry.waiting.delete(sent)
        const isAlone = transfer.isAlone()
        this.#change(source, entry, now => figuresOf.addFirstByte(entry.figures, { ms, bytes, isAlone }, now))
      },
      end: (outcome, bytes, awaited = 0) => {
        if (isOver) return
        isOver = true
        entry.inFlight -= 1
        entry.waiting.delete(sent)
        transfer.end()
        this.#change(source, entry, now => this.#ended(entry, { outcome, bytes, awaited, totalMs: this.#since(sent), firstByteMs, now }))
      }
    }
  }

  latency(peer: string, ms: Ms): void {
    const entry = this.#touch(peer)
    const wasIdle = entry.transfers === 0 && this.#parts.clock.monotonic() - ms >= entry.idleSince
    this.#change(peer, entry, () => figuresOf.addLatency(entry.figures, ms, wasIdle))
  }

  observeClaim(peer: string, hit: boolean): void {
    const entry = this.#touch(peer)
    entry.isAsked = true
    this.#change(peer, entry, () => figuresOf.addClaim(entry.figures, hit))
  }

  ledger(peer: string): LedgerCounts {
    return { ...this.#entries.get(peer)?.counts }
  }

  serving(peer: string): Disposable {
    const transfer = this.#transfer(this.#touch(peer))
    return {
      [Symbol.dispose]: () => {
        transfer.end()
      }
    }
  }

  served(peer: string, bytes: Bytes): void {
    const entry = this.#touch(peer)
    count(entry, 'served')
    count(entry, 'bytesSent', bytes)
    this.#note(peer, entry)
  }

  #transfer(entry: Entry): { isAlone(): boolean; end(): void } {
    const first = entry.transfers === 0
    const number = ++entry.begun
    entry.transfers += 1
    return {
      isAlone: () => first && entry.begun === number,
      end: () => {
        entry.transfers -= 1
        entry.idleSince = this.#parts.clock.monotonic()
      }
    }
  }

  #ended(entry: Entry, end: EndedRequest): void {
    const { outcome, bytes, awaited, totalMs, firstByteMs, now } = end
    const { figures } = entry
    count(entry, outcome)
    count(entry, 'bytesReceived', bytes)
    if (outcome === 'ok' || FAULTS.includes(outcome)) figuresOf.addOutcome(figures, outcome !== 'ok', now)
    if (firstByteMs === undefined) {
      // A miss and a refusal are answers: of how long bytes would have taken they say nothing.
      if (outcome === 'cancelled' || outcome === 'timeout') figuresOf.addLowerBound(figures, totalMs, this.#expected(figures, now), now)
    } else if (outcome !== 'corrupt') figuresOf.addTransfer(figures, { bytes, awaited, totalMs, firstByteMs })
  }

  /** What is waited for right now counts as well: of a source that has just stopped answering nothing else tells. */
  #firstByte({ figures, waiting }: Entry, now: Ms): Ms | null {
    const [oldest] = waiting
    const known = figuresOf.firstByteNow(figures, this.#usualFirstByte(), now)
    if (oldest === undefined) return known
    const waited = this.#since(oldest)
    return waited > this.#expected(figures, now) ? waited : known
  }

  /** A longer wait is news. */
  #expected(figures: Figures, now: Ms): Ms {
    const usual = this.#usualFirstByte()
    const firstByte = figuresOf.firstByteNow(figures, usual, now) ?? usual ?? FIRST_BYTE_EXPECTED_MS
    return Math.max(firstByte, figuresOf.usualWait(figures))
  }

  /** Median over direct peers. */
  #usualFirstByte(): Ms | null {
    const at = this.#parts.clock.monotonic()
    if (this.#usual !== undefined && at - this.#usual.at < USUAL_AGE_MS_MAX) return this.#usual.ms
    const known = [...this.#entries].flatMap(([source, { figures }]) => (isPeer(source) ? (figures.firstByteMs ?? []) : []))
    const sorted = known.toSorted((a, b) => a - b)
    this.#usual = { ms: sorted[sorted.length >> 1] ?? null, at }
    return this.#usual.ms
  }

  #since({ since }: { readonly since: Ms }): Ms {
    return this.#parts.clock.monotonic() - since
  }

  #change(source: string, entry: Entry, apply: (now: Ms) => void): void {
    apply(this.#parts.clock.now())
    entry.p90 = undefined
    this.#note(source, entry)
  }

  #touch(source: string): Entry {
    const now = this.#parts.clock.now()
    const entry = this.#entries.get(source) ?? entryOf(figuresOf.newFigures(now), {}, false)
    entry.figures.usedAt = now
    this.#entries.delete(source)
    this.#entries.set(source, entry)
    if (this.#entries.size > this.#sourcesMax) this.#forgetOne(source)
    return entry
  }

  #note(source: string, { figures, counts, isAsked }: Entry): void {
    if (this.#entries.get(source)?.figures !== figures) return // forgotten meanwhile
    if (!isAsked && !this.#parts.isTrusted(source)) return
    this.#figures.note(source, figures)
    this.#ledger.note(source, counts)
  }

  /** The stranger that was not heard of for longest; if there is none, the trusted peer. Who is being asked stays. */
  #forgetOne(newest: string): void {
    let last: string | undefined
    for (const [source, { inFlight }] of this.#entries) {
      if (source === newest || inFlight > 0) continue
      last ??= source
      if (this.#parts.isTrusted(source)) continue
      last = source
      break
    }
    if (last === undefined) return
    this.#entries.delete(last)
    const failed = (error: Error): void => this.#parts.onError?.(error)
    for (const table of [this.#figures, this.#ledger]) if (table.get(last) !== undefined) table.remove(last).catch(failed)
  }
}

interface EndedRequest {
  readonly outcome: Outcome
  readonly bytes: Bytes
  readonly awaited: Bytes
  readonly totalMs: Ms
  readonly firstByteMs: Ms | undefined
  readonly now: Ms
}

function entryOf(figures: Figures, counts: Record<string, number>, isAsked: boolean): Entry {
  return { figures, counts, waiting: new Set(), inFlight: 0, transfers: 0, begun: 0, idleSince: -Infinity, isAsked, p90: undefined }
}

function count({ counts }: Entry, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by
}

/** Other keys are `ipfs` and URLs. */
function isPeer(source: string): boolean {
  return source !== 'ipfs' && !source.includes(':')
}
