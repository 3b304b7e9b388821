/**
 * Tells the routers of IPFS what this node has in realm `public`: each root once it is durable, and all of them again
 * before what the routers know expires. In memory only: after a crash or restart the round over all roots begins anew,
 * a little later and as slowly as ever, so what waited is made good and nobody is stormed.
 */
import type { CID } from 'multiformats/cid'
import { startDeadline } from '../lib/deadline.ts'
import { blockKey } from '../model/content-id.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { ContentRouting, ProvidedRoot } from '../ports/content-routing.ts'
import type { Log } from '../ports/log.ts'
import type { Random } from '../ports/random.ts'
import type { ContentRecord, RecordStore } from '../ports/record-store.ts'

const MINUTE: Ms = 60_000
const HOUR: Ms = 60 * MINUTE

/** From the start of one round over all roots to the next: the field's interval, well before records expire (48 h). */
const ROUND_EVERY: Ms = 22 * HOUR
/** The first round begins this long after the start, or up to twice as long: restarts are not told to the world at once. */
const FIRST_ROUND_AFTER: Ms = 5 * MINUTE
/** What is not urgent is provided within ten minutes: drawn from eight, and two are left for the line. */
const DEFERRED_MAX: Ms = 8 * MINUTE
/** Roots provided at once; each asks some thirty peers for up to a minute. */
const RUNNING_MAX = 4
/** Between the beginnings of two, so that a put of many files is no burst. */
const GAP: Ms = 1_000
/** Longest time for one root. */
const PROVIDE_BUDGET: Ms = 2 * MINUTE
/** Roots that wait for their moment; more are left to the next round. */
const WAITING_MAX = 10_000
/** Tries of one root before it is left to the next round; the pause doubles from a minute to an hour. */
const TRIES_MAX = 5
const RETRY_MAX: Ms = HOUR
/** After failures in a row nothing is tried for a while: 1 s, doubling up to this. */
const PAUSE_MAX: Ms = 10 * MINUTE
/** Records read at once. */
const PAGE = 100

export interface ProvidingComponents {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly routing: ContentRouting
  /** Of realm `public`. */
  readonly records: Pick<RecordStore, 'get' | 'list'>
  /** The whole DAG as CARv1, for routers that must be given it. */
  readonly car: (root: CID, options: Parameters<ProvidedRoot['car']>[0]) => AsyncIterable<Uint8Array>
}

export interface ProvidingInit {
  /** True for what may wait some minutes (`p2pIpfs.preferP2P`). */
  readonly mayWait: (record: ContentRecord) => boolean
}

interface Waiting {
  readonly root: CID
  /** Monotonic. */
  readonly due: Ms
  readonly failures: number
}

interface Round {
  readonly startedAt: Ms
  readonly page: CID[]
  cursor: string | undefined
  isLast: boolean
}

export class Providing {
  readonly #parts: ProvidingComponents
  readonly #init: ProvidingInit
  readonly #waiting = new Map<string, Waiting>()
  readonly #stop = new AbortController()
  readonly #running = new Map<string, Promise<void>>()
  #round: Round | undefined
  #nextRoundAt: Ms = Number.POSITIVE_INFINITY
  #notBefore: Ms = 0
  /** In a row. */
  #failures = 0
  #cancel: () => void = () => {}

  constructor(components: ProvidingComponents, init: ProvidingInit) {
    this.#parts = components
    this.#init = init
  }

  start(): void {
    this.#nextRoundAt = this.#now() + FIRST_ROUND_AFTER * (1 + this.#parts.random.number())
    this.#pump()
  }

  /** A root of realm `public` has become durable. */
  stored(record: ContentRecord): void {
    const due = this.#now() + (this.#init.mayWait(record) ? DEFERRED_MAX * this.#parts.random.number() : 0)
    this.#wait({ root: record.root, due, failures: 0 })
    this.#pump()
  }

  /** Ends what runs; resolves when it has ended. */
  async close(): Promise<void> {
    this.#stop.abort(new DOMException('the node stops', 'AbortError'))
    this.#cancel()
    this.#waiting.clear()
    await Promise.all(this.#running.values())
  }

  #now(): Ms {
    return this.#parts.clock.monotonic()
  }

  #wait(entry: Waiting): void {
    const key = blockKey(entry.root)
    if (this.#waiting.size < WAITING_MAX || this.#waiting.has(key)) this.#waiting.set(key, entry)
  }

  /** Begins what may begin now, and comes back when more may. */
  #pump(): void {
    this.#cancel()
    while (!this.#stop.signal.aborted && this.#running.size < RUNNING_MAX) {
      const now = this.#now()
      const next = now < this.#notBefore ? this.#notBefore : (this.#due(now) ?? this.#ofRound(now) ?? this.#nextMoment())
      if (typeof next === 'number') {
        if (Number.isFinite(next)) this.#cancel = this.#parts.clock.after(next - now, () => this.#pump())
        return
      }
      this.#begin(next, now)
    }
  }

  #begin(entry: Waiting, now: Ms): void {
    const key = blockKey(entry.root)
    this.#waiting.delete(key)
    if (this.#running.has(key) || this.#parts.records.get(entry.root) === undefined) return
    this.#notBefore = now + GAP
    const job = this.#provide(entry).finally(() => {
      this.#running.delete(key)
      this.#pump()
    })
    this.#running.set(key, job)
  }

  #due(now: Ms): Waiting | undefined {
    for (const entry of this.#waiting.values()) if (entry.due <= now) return entry
    return undefined
  }

  #nextMoment(): Ms {
    let next = this.#nextRoundAt
    for (const { due } of this.#waiting.values()) next = Math.min(next, due)
    return next
  }

  /** The next root of the round under way; begins one when it is time. */
  #ofRound(now: Ms): Waiting | undefined {
    if (this.#round === undefined && now >= this.#nextRoundAt) this.#beginRound(now)
    const round = this.#round
    if (round === undefined) return undefined
    if (round.page.length === 0 && !round.isLast) this.#readPage(round)
    const root = round.page.shift()
    if (root !== undefined) return { root, due: now, failures: 0 }
    this.#round = undefined
    this.#nextRoundAt = Math.max(round.startedAt + ROUND_EVERY, now + FIRST_ROUND_AFTER)
    return undefined
  }

  #beginRound(now: Ms): void {
    this.#round = { startedAt: now, page: [], cursor: undefined, isLast: false }
    this.#nextRoundAt = Number.POSITIVE_INFINITY
  }

  /** A store that cannot be read ends the round: what is left comes in the next one. */
  #readPage(round: Round): void {
    try {
      const { items, cursor } = this.#parts.records.list({ limit: PAGE, ...(round.cursor === undefined ? {} : { cursor: round.cursor }) })
      round.page.push(...items.map(({ root }) => root))
      round.cursor = cursor
      round.isLast = cursor === undefined
    } catch (error) {
      round.isLast = true
      this.#parts.log.warn({ err: error }, 'the list of public content could not be read; the rest is provided in the next round')
    }
  }

  async #provide({ root, failures }: Waiting): Promise<void> {
    using budget = startDeadline(this.#parts.clock, PROVIDE_BUDGET, { signal: this.#stop.signal })
    try {
      await this.#parts.routing.provide({ root, car: options => this.#parts.car(root, options) }, budget)
      this.#failures = 0
    } catch (error) {
      if (this.#stop.signal.aborted) return
      this.#parts.log.debug({ err: error }, 'a public content could not be provided')
      this.#failed(root, failures + 1)
    }
  }

  #failed(root: CID, failures: number): void {
    const now = this.#now()
    const jitter = 0.5 + this.#parts.random.number() / 2
    if (failures < TRIES_MAX) this.#wait({ root, failures, due: now + Math.min(RETRY_MAX, MINUTE * 2 ** (failures - 1)) * jitter })
    this.#notBefore = Math.max(this.#notBefore, now + Math.min(PAUSE_MAX, GAP * 2 ** this.#failures) * jitter)
    this.#failures = Math.min(this.#failures + 1, 16)
  }
}
