/**
 * What the lines of all connections together hold in memory. Each connection has limits of its own; these keep a
 * hundred connections from being a hundred times as much.
 */
import { KIB, MIB } from '../model/units.ts'
import type { Bytes } from '../model/units.ts'

/** Lines that wait for their end, of all connections: eight of the longest. Beyond, who sends more is cut off. Bytes. */
const UNFINISHED_BYTES_MAX = 64 * MIB
/** Lines whose calls run, of all connections: beyond, nobody who holds much is read from. Bytes. */
const RUNNING_BYTES_MAX = 256 * MIB
/** Answers that nobody has read, of all connections: beyond, who has some gets no more. Bytes. */
const UNREAD_BYTES_MAX = 128 * MIB

/** Large answers that are being made at once, of all connections: each is up to 4 MiB, five times while it becomes text; one thread makes them. */
const MAKING_MAX = 4

/** What one connection may hold of each, however much the others do: ordinary calls go on beside greedy ones. Bytes. */
export const SMALL_SHARE_BYTES_MAX = 64 * KIB

/** An amount (of bytes, mostly) that several holders share. */
export class Pool {
  readonly #limit: Bytes
  readonly #waiting = new Set<() => void>()
  #used: Bytes = 0

  constructor(init: { readonly limit: Bytes }) {
    this.#limit = init.limit
  }

  get used(): Bytes {
    return this.#used
  }

  get isFull(): boolean {
    return this.#used >= this.#limit
  }

  share(): Share {
    return new Share(by => this.#change(by))
  }

  /** `run` happens once, after there is room again. */
  whenRoom(run: () => void): void {
    this.#waiting.add(run)
  }

  forget(run: () => void): void {
    this.#waiting.delete(run)
  }

  #change(by: Bytes): void {
    this.#used += by
    if (by >= 0 || this.isFull || this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const run of waiting) run()
  }
}

/** One holder's part of a {@link Pool}. */
export class Share {
  readonly #change: (by: Bytes) => void
  #bytes: Bytes = 0

  constructor(change: (by: Bytes) => void) {
    this.#change = change
  }

  get bytes(): Bytes {
    return this.#bytes
  }

  set(bytes: Bytes): void {
    if (bytes === this.#bytes) return
    const by = bytes - this.#bytes
    this.#bytes = bytes
    this.#change(by)
  }
}

export class LineMemory {
  readonly unfinished = new Pool({ limit: UNFINISHED_BYTES_MAX })
  readonly running = new Pool({ limit: RUNNING_BYTES_MAX })
  readonly unread = new Pool({ limit: UNREAD_BYTES_MAX })
  /** Counts answers, not bytes. */
  readonly making = new Pool({ limit: MAKING_MAX })
}
