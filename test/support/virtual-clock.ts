/**
 * Time that tests move by hand. Timers run in the order of their moment, then of their making; after each one
 * whatever it set going gets to run before the next.
 */
import type { Ms } from '../../src/model/units.ts'
import type { Clock } from '../../src/ports/clock.ts'

interface Timer {
  readonly at: Ms
  readonly run: () => void
}

/** 2026-01-01T00:00:00Z: any fixed moment would do. */
const START = Date.UTC(2026, 0, 1)

export class VirtualClock implements Clock {
  #elapsed: Ms = 0
  #wallOffset: Ms
  readonly #timers = new Set<Timer>()

  constructor(start: Ms = START) {
    this.#wallOffset = start
  }

  now(): Ms {
    return this.#wallOffset + this.#elapsed
  }

  monotonic(): Ms {
    return this.#elapsed
  }

  after(delay: Ms, run: () => void): () => void {
    const timer = { at: this.#elapsed + Math.max(0, delay), run }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** Timers that wait: a test of clean-up expects 0. */
  get pending(): number {
    return this.#timers.size
  }

  /** Lets time pass, running what falls due. */
  async advance(by: Ms): Promise<void> {
    const end = this.#elapsed + by
    await settle()
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      this.#timers.delete(timer)
      this.#elapsed = Math.max(this.#elapsed, timer.at)
      timer.run()
      await settle()
    }
    this.#elapsed = end
    await settle()
  }

  /** The wall clock jumps (a laptop wakes, an operator sets the date); durations do not. */
  jump(by: Ms): void {
    this.#wallOffset += by
  }

  #next(end: Ms): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer
    }
    return first
  }
}

/** Who goes on for ever by turns of the event loop is not waited for. */
const TURNS_MAX = 1000

/**
 * Lets every promise that can settle without time or input do so: two turns of the event loop, and as many more as
 * others are waiting for. A long loop lets the event loop turn after some milliseconds (src/lib/turns.ts), so how many
 * turns some work takes depends on how fast the machine is.
 */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 2 || (isTurnAwaited() && turn < TURNS_MAX); turn++) await new Promise<void>(resolve => setImmediate(resolve))
}

function isTurnAwaited(): boolean {
  return process.getActiveResourcesInfo().includes('Immediate')
}
