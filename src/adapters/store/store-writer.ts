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
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { AbortOptions } from '../../ports/options.ts'
import { applyChanges, type Change } from './apply-changes.ts'
import type { DiskReserve } from './disk-reserve.ts'
import type { IndexDb, Place } from './index-db.ts'
import { PendingChanges } from './pending-changes.ts'
import type { SegmentFiles } from './segment-files.ts'
import { isDiskFull, writeError } from './store-error.ts'

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
  /** Served by a commit after which no change up to this one is pending; 0: by any. */
  readonly seq: number
  /** What it writes is little, and lets space be given back: it may use the reserve of a full disk. */
  readonly frees: boolean
  /** Runs inside the transaction. */
  apply(index: IndexDb): void
  resolve(): void
  reject(error: KithError): void
}

interface Commit {
  readonly changes: readonly Change[]
  /** Of the puts among `changes`, in their order. */
  readonly places: readonly Place[]
  readonly ready: readonly Waiter[]
  /** Takes no room that it does not give back: the reserve may be given up for it. */
  readonly frees: boolean
}

export class StoreWriter {
  readonly #parts: StoreWriterComponents
  readonly #realm: string
  readonly #pending = new PendingChanges()
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
    return this.#pending.find(key)
  }

  /** Blocks waiting to be written: a snapshot. */
  pendingPuts(): Change[] {
    return this.#pending.puts()
  }

  /** Bytes that wait to be written. */
  get pendingBytes(): number {
    return this.#pending.bytes
  }

  /** True when `bytes` more may be accepted at once. */
  hasRoom(bytes: number): boolean {
    return this.#pending.hasRoom(bytes)
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
    this.#pending.add(key, change)
    if (this.#pending.isLarge()) this.#kick()
    else this.#wake(COMMIT_DELAY_MS)
  }

  /** When it returns, every change accepted before it is durable. */
  async flush(): Promise<void> {
    if (this.#pending.size > 0 || this.#notes.length > 0) await this.#commit({ seq: this.#pending.seq, frees: true, apply: () => {} })
  }

  /** Runs `apply` in the transaction that makes every earlier change durable, or after it. Undone if that fails. */
  async commit(apply: (index: IndexDb) => void): Promise<void> {
    await this.#commit({ seq: this.#pending.seq, frees: false, apply })
  }

  /**
   * Runs `apply` in the next transaction, for what comes before space is given back: goes on where a full disk takes
   * nothing else, and so does not wait for the changes before it.
   */
  async commitFreeing(apply: (index: IndexDb) => void): Promise<void> {
    await this.#commit({ seq: 0, frees: true, apply })
  }

  async #commit(wanted: Pick<Waiter, 'seq' | 'frees' | 'apply'>): Promise<void> {
    this.#assertOpen()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiters.push({ ...wanted, resolve, reject })
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
      while (this.#waiters.length > 0 || this.#roomWaiters.length > 0 || this.#pending.isLarge())
        await this.#commitOnce(this.#pending.oldest())
      if (this.#isFailing) this.#parts.log.info({ realm: this.#realm }, 'the store can write again')
      this.#isFailing = false
    } catch (error) {
      if (isDiskFull(error) && !this.#isFailing) await this.#commitRemovals().catch(() => {}) // the first error is the one to tell
      this.#fail(error)
    }
    this.#running = undefined // in the same turn as the last look at the waiters: whoever comes now starts anew
  }

  /** What gives space back does not wait behind puts that find none. */
  async #commitRemovals(): Promise<void> {
    const removals = this.#pending.removals()
    if (removals.length > 0 || this.#waiters.some(waiter => waiter.seq === 0)) await this.#commitOnce(removals)
  }

  async #commitOnce(changes: readonly Change[]): Promise<void> {
    const durable = this.#pending.coveredBy(changes)
    const puts = changes.filter(change => change.kind === 'put')
    const ready = this.#waiters.filter(waiter => waiter.seq <= durable)
    const frees = puts.every(change => change.isMove === true) && ready.every(waiter => waiter.frees)
    if (!frees) await this.#keepRoom()
    const places = await this.#append(puts)
    await this.#commitIndex({ changes, places, ready, frees })
    this.#parts.segments.committed()
    this.#settle(changes, ready)
  }

  /** Room for deletions comes before what takes room. @throws the error of a full disk */
  async #keepRoom(): Promise<void> {
    await this.#parts.reserve.take()
    this.#parts.index.keepUp()
  }

  async #append(puts: readonly Change[]): Promise<Place[]> {
    try {
      return await this.#parts.segments.append(puts)
    } catch (error) {
      await this.#parts.segments.abandon({ mayBeCommitted: false })
      throw error
    }
  }

  async #commitIndex({ changes, places, ready, frees }: Commit): Promise<void> {
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
      await this.#writeOrMakeRoom(write, frees)
    } catch (error) {
      if (places.length > 0) await segments.abandon({ mayBeCommitted: !isDiskFull(error) })
      throw error
    }
    this.#notes.splice(0, notes.length)
  }

  /**
   * A full disk may still have room within the index's own log, once that is folded in. Folding makes the database
   * grow, by no more than the reserve has.
   */
  async #writeOrMakeRoom(write: () => void, frees: boolean): Promise<void> {
    const { index, reserve } = this.#parts
    for (const makeRoom of [() => index.checkpoint(), async () => frees && (await reserve.release()) && index.checkpoint()]) {
      try {
        write()
        return
      } catch (error) {
        if (!isDiskFull(error)) throw error
        if (!(await makeRoom()) && !frees) throw error
      }
    }
    write()
  }

  #settle(changes: readonly Change[], ready: readonly Waiter[]): void {
    for (const change of changes) this.#pending.settle(keyOf(change.multihash), change)
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
    this.#pending.forgetMoves()
    if (this.#pending.size > 0 && !this.#isStopped) this.#wake(RETRY_DELAY_MS)
  }
}

/** Map key of a multihash: one character a byte, the cheapest text Node makes of bytes. */
export function keyOf(multihash: Uint8Array): string {
  return Buffer.from(multihash.buffer, multihash.byteOffset, multihash.byteLength).toString('latin1')
}
