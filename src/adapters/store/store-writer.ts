/**
 * The one writer of a realm: takes changes at once, makes them durable in groups. Order of a commit: blocks into
 * a segment, fdatasync, then one transaction of the index with the records that waited for them.
 *
 * A crash loses what no {@link StoreWriter.flush} or {@link StoreWriter.commit} has returned for. A failed commit
 * loses nothing: its changes stay readable in memory and go into the next commit, because a flush that comes
 * later, from somebody else, must not report as durable what an earlier failure threw away.
 */
import { KithError } from '../../errors.ts'
import { abortable } from '../../lib/deadline.ts'
import { MIB } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { AbortOptions } from '../../ports/options.ts'
import { applyChanges, type Change } from './apply-changes.ts'
import type { DiskReserve } from './disk-reserve.ts'
import type { IndexDb, Place } from './index-db.ts'
import type { SegmentFiles } from './segment-files.ts'
import { isDiskFull, writeError } from './store-error.ts'

/** Changes that may wait to become durable; beyond this `put` waits. Bytes of blocks. */
export const PENDING_BYTES_MAX = 32 * MIB
/** A change held in memory costs this beside its bytes: bounds floods of tiny blocks. Bytes. */
const CHANGE_OVERHEAD_BYTES = 512
/** A commit begins unasked at this size: large enough that a sync is cheap, small enough to overlap. Bytes. */
const COMMIT_BYTES = 16 * MIB
/** Most changes of one commit: bounds how long its transaction holds the event loop (2–10 ms). */
const COMMIT_CHANGES_MAX = 512
/** What nobody asks to flush becomes durable after this. Milliseconds. */
const COMMIT_DELAY_MS = 1000
/** After a failure what is pending is tried again this much later, if nobody asks before. Milliseconds. */
const RETRY_DELAY_MS = 10_000

export interface StoreWriterComponents {
  readonly clock: Clock
  readonly log: Log
  readonly index: IndexDb
  readonly segments: SegmentFiles
  readonly reserve: DiskReserve
}

interface Waiter {
  /** Served by a commit after which no change up to this one is pending. */
  readonly seq: number
  /** What it writes is little, and lets space be given back: it may use the reserve of a full disk. */
  readonly frees: boolean
  /** Runs inside the transaction. */
  apply(index: IndexDb): void
  resolve(): void
  reject(error: KithError): void
}

export class StoreWriter {
  readonly #parts: StoreWriterComponents
  readonly #realm: string
  /** By multihash, ascending by `seq`. */
  readonly #pending = new Map<string, Change>()
  #pendingBytes = 0
  #seq = 0
  #waiters: Waiter[] = []
  /** Small changes that ride along with the next commit. */
  #notes: ((index: IndexDb) => void)[] = []
  #roomWaiters: PromiseWithResolvers<void>[] = []
  #running: Promise<void> | undefined
  #cancelDelay: (() => void) | undefined
  #isFailing = false
  #isStopped = false
  /** Called after each commit, outside the transaction. */
  onCommitted: (changes: readonly Change[]) => void = () => {}

  constructor(components: StoreWriterComponents, init: { readonly realm: string }) {
    this.#parts = components
    this.#realm = init.realm
  }

  /** The latest change of a block that is not durable yet. */
  find(key: string): Change | undefined {
    return this.#pending.get(key)
  }

  /** Blocks waiting to be written: a snapshot. */
  pendingPuts(): Change[] {
    return [...this.#pending.values()].filter(change => change.kind === 'put')
  }

  /** True when `bytes` more may be accepted at once. */
  hasRoom(bytes: number): boolean {
    return this.#pending.size === 0 || this.#pendingBytes + bytes + CHANGE_OVERHEAD_BYTES <= PENDING_BYTES_MAX
  }

  /** Waits for the next commit. Rejects if that fails (QUOTA_EXCEEDED, UNAVAILABLE) or the signal fires. */
  async room(options: AbortOptions): Promise<void> {
    const room = Promise.withResolvers<void>()
    room.promise.catch(() => {}) // the signal may have won
    this.#roomWaiters.push(room)
    this.#kick()
    await abortable(room.promise, options)
  }

  /** Accepts a change: seen by {@link find} at once. Replaces an earlier one of the same block. */
  accept(key: string, change: Omit<Change, 'seq'>): void {
    this.#assertOpen()
    this.#forget(key)
    this.#pending.set(key, { ...change, seq: ++this.#seq })
    this.#pendingBytes += change.bytes.byteLength + CHANGE_OVERHEAD_BYTES
    if (this.#isLarge()) this.#kick()
    else this.#wake(COMMIT_DELAY_MS)
  }

  /** When it returns, every change accepted before it is durable. */
  async flush(): Promise<void> {
    if (this.#pending.size > 0 || this.#notes.length > 0) await this.commitFreeing(() => {})
  }

  /** Runs `apply` in the transaction that makes every earlier change durable, or after it. Undone if that fails. */
  async commit(apply: (index: IndexDb) => void): Promise<void> {
    await this.#commit(apply, false)
  }

  /** As {@link commit}, for what comes before space is given back: goes on where a full disk takes nothing else. */
  async commitFreeing(apply: (index: IndexDb) => void): Promise<void> {
    await this.#commit(apply, true)
  }

  async #commit(apply: (index: IndexDb) => void, frees: boolean): Promise<void> {
    this.#assertOpen()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiters.push({ seq: this.#seq, frees, apply, resolve, reject })
    this.#kick()
    await promise
  }

  /** Runs `apply` in the transaction of the next commit, and again in the one after if that fails. */
  withNext(apply: (index: IndexDb) => void): void {
    this.#assertOpen()
    this.#notes.push(apply)
    this.#wake(COMMIT_DELAY_MS)
  }

  /** Ends the delay timer and waits for a running commit. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancelDelay?.()
    this.#cancelDelay = undefined
    await this.#running
  }

  #assertOpen(): void {
    if (this.#isStopped) throw new KithError('UNAVAILABLE', `realm "${this.#realm}" is closed: the daemon is stopping.`)
  }

  #isLarge(): boolean {
    return this.#pendingBytes >= COMMIT_BYTES || this.#pending.size >= COMMIT_CHANGES_MAX
  }

  #kick(): void {
    this.#running ??= this.#run()
  }

  /** Commits after `delay` at the latest, whether or not anybody waits. */
  #wake(delay: number): void {
    this.#cancelDelay ??= this.#parts.clock.after(delay, () => {
      this.#cancelDelay = undefined
      this.flush().catch(() => {}) // logged where it fails
    })
  }

  async #run(): Promise<void> {
    await Promise.resolve() // everything asked for in the same turn joins the first commit
    try {
      if (this.#isFailing) await this.#commitRemovals()
      else await this.#parts.reserve.restore()
      while (this.#waiters.length > 0 || this.#roomWaiters.length > 0 || this.#isLarge()) await this.#commitOnce(this.#oldest())
      if (this.#isFailing) this.#parts.log.info({ realm: this.#realm }, 'the store can write again')
      this.#isFailing = false
    } catch (error) {
      this.#fail(error)
    }
    this.#running = undefined // in the same turn as the last look at the waiters: whoever comes now starts anew
  }

  /** What gives space back does not wait behind puts that find none. */
  async #commitRemovals(): Promise<void> {
    const removals = [...this.#pending.values()].filter(change => change.kind !== 'put').slice(0, COMMIT_CHANGES_MAX)
    if (removals.length > 0) await this.#commitOnce(removals)
  }

  async #commitOnce(changes: readonly Change[]): Promise<void> {
    const { segments } = this.#parts
    const durable = this.#coveredBy(changes)
    const places = await this.#append(changes.filter(change => change.kind === 'put'))
    const ready = this.#waiters.filter(waiter => waiter.seq <= durable)
    await this.#commitIndex(changes, places, ready)
    segments.committed()
    this.#settle(changes, ready)
  }

  /** Once these are durable, so is every change up to this number. */
  #coveredBy(changes: readonly Change[]): number {
    const taken = new Set(changes)
    for (const change of this.#pending.values()) if (!taken.has(change)) return change.seq - 1
    return this.#seq
  }

  async #append(puts: readonly Change[]): Promise<Place[]> {
    try {
      return await this.#parts.segments.append(puts)
    } catch (error) {
      await this.#parts.segments.abandon({ mayBeCommitted: false })
      throw error
    }
  }

  async #commitIndex(changes: readonly Change[], places: readonly Place[], ready: readonly Waiter[]): Promise<void> {
    const { index, segments, clock } = this.#parts
    const notes = this.#notes.slice()
    const write = (): void => {
      index.transaction(() => {
        for (const note of notes) note(index)
        applyChanges(index, changes, places, segments.active, clock.now())
        for (const waiter of ready) waiter.apply(index)
      })
    }
    try {
      await this.#writeOrMakeRoom(
        write,
        ready.every(waiter => waiter.frees)
      )
    } catch (error) {
      if (places.length > 0) await segments.abandon({ mayBeCommitted: !isDiskFull(error) })
      throw error
    }
    this.#notes.splice(0, notes.length)
  }

  /** A full disk may still have room within the index's own log, and in the reserve. */
  async #writeOrMakeRoom(write: () => void, frees: boolean): Promise<void> {
    const { index, reserve } = this.#parts
    for (const makeRoom of [() => index.checkpoint(), async () => frees && (await reserve.release())]) {
      try {
        write()
        return
      } catch (error) {
        if (!isDiskFull(error) || !(await makeRoom())) throw error
      }
    }
    write()
  }

  /** At most one commit's worth. */
  #oldest(): Change[] {
    const changes: Change[] = []
    let bytes = 0
    for (const change of this.#pending.values()) {
      if (changes.length === COMMIT_CHANGES_MAX || bytes >= COMMIT_BYTES) break
      changes.push(change)
      bytes += change.bytes.byteLength
    }
    return changes
  }

  #settle(changes: readonly Change[], ready: readonly Waiter[]): void {
    for (const change of changes) {
      const key = keyOf(change.multihash)
      if (this.#pending.get(key) === change) this.#forget(key) // else a newer change waits for its turn
    }
    this.onCommitted(changes)
    this.#waiters = this.#waiters.filter(waiter => !ready.includes(waiter))
    for (const waiter of ready) waiter.resolve()
    for (const room of this.#roomWaiters.splice(0)) room.resolve()
  }

  #fail(cause: unknown): void {
    const error = writeError(cause, this.#realm)
    const fields = { realm: this.#realm, code: error.code, err: cause }
    if (this.#isFailing) this.#parts.log.debug(fields, 'the store still cannot write')
    else this.#parts.log.error(fields, 'the store cannot write; it keeps what it accepted in memory and tries again')
    this.#isFailing = true
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
    for (const room of this.#roomWaiters.splice(0)) room.reject(error)
    if (this.#pending.size > 0 && !this.#isStopped) this.#wake(RETRY_DELAY_MS)
  }

  #forget(key: string): void {
    const change = this.#pending.get(key)
    if (change === undefined) return
    this.#pending.delete(key)
    this.#pendingBytes -= change.bytes.byteLength + CHANGE_OVERHEAD_BYTES
  }
}

/** Map key of a multihash: one character a byte, the cheapest text Node makes of bytes. */
export function keyOf(multihash: Uint8Array): string {
  return Buffer.from(multihash.buffer, multihash.byteOffset, multihash.byteLength).toString('latin1')
}
