/**
 * What a realm has accepted and not yet made durable: the latest change of each block, in the order in which they came,
 * within a bound of memory. A crash loses it.
 */
import { MIB, type Bytes } from '../../model/units.ts'
import type { Change } from './apply-changes.ts'

/** Changes that may wait to become durable; beyond this `put` waits. Bytes of blocks. */
export const PENDING_BYTES_MAX = 32 * MIB
/** A change held in memory costs this beside its bytes: bounds floods of tiny blocks. Bytes. */
const CHANGE_OVERHEAD_BYTES = 512
/** A commit begins unasked at this size: large enough that a sync is cheap, small enough to overlap. Bytes. */
const COMMIT_BYTES = 16 * MIB
/** Most changes of one commit: bounds how long its transaction holds the event loop (2–10 ms). */
const COMMIT_CHANGES_MAX = 512

export class PendingChanges {
  /** By multihash, ascending by `seq`. */
  readonly #changes = new Map<string, Change>()
  #bytes: Bytes = 0
  #seq = 0

  get size(): number {
    return this.#changes.size
  }

  /** Of blocks, and what it costs to hold them. */
  get bytes(): Bytes {
    return this.#bytes
  }

  /** Number of the last change that was accepted; 0 before the first. */
  get seq(): number {
    return this.#seq
  }

  find(key: string): Change | undefined {
    return this.#changes.get(key)
  }

  puts(): Change[] {
    return [...this.#changes.values()].filter(change => change.kind === 'put')
  }

  /** True when `bytes` more may be accepted at once. */
  hasRoom(bytes: Bytes): boolean {
    return this.size === 0 || this.#bytes + bytes + CHANGE_OVERHEAD_BYTES <= PENDING_BYTES_MAX
  }

  /** True when there is enough for a commit that nobody asked for. */
  isLarge(): boolean {
    return this.#bytes >= COMMIT_BYTES || this.size >= COMMIT_CHANGES_MAX
  }

  /** Replaces an earlier change of the same block. */
  add(key: string, change: Omit<Change, 'seq'>): void {
    this.#forget(key)
    this.#changes.set(key, { ...change, seq: ++this.#seq })
    this.#bytes += change.bytes.byteLength + CHANGE_OVERHEAD_BYTES
  }

  /** Unless a newer change of its block waits for its turn. */
  settle(key: string, change: Change): void {
    if (this.#changes.get(key) === change) this.#forget(key)
  }

  /** Copies that could not be made: the blocks are where they were. */
  forgetMoves(): void {
    for (const [key, change] of this.#changes) if (change.isMove === true) this.#forget(key)
  }

  /** At most one commit's worth. */
  oldest(): Change[] {
    const changes: Change[] = []
    let bytes = 0
    for (const change of this.#changes.values()) {
      if (changes.length === COMMIT_CHANGES_MAX || bytes >= COMMIT_BYTES) break
      changes.push(change)
      bytes += change.bytes.byteLength
    }
    return changes
  }

  /** At most one commit's worth. */
  removals(): Change[] {
    return [...this.#changes.values()].filter(change => change.kind !== 'put').slice(0, COMMIT_CHANGES_MAX)
  }

  /** Once these are durable, so is every change up to this number. */
  coveredBy(changes: readonly Change[]): number {
    const taken = new Set(changes)
    for (const change of this.#changes.values()) if (!taken.has(change)) return change.seq - 1
    return this.#seq
  }

  #forget(key: string): void {
    const change = this.#changes.get(key)
    if (change === undefined) return
    this.#changes.delete(key)
    this.#bytes -= change.bytes.byteLength + CHANGE_OVERHEAD_BYTES
  }
}
