/**
 * Lets the event loop turn during long loops. What is at hand is given without waiting, so a loop over it never
 * lets go: nobody else is served, and no time-out and no cancellation gets through.
 */
import type { AbortOptions } from '../ports/options.ts'
import type { Ms } from '../model/units.ts'

/** A loop holds the event loop this long at a stretch: less than anybody notices, long enough to cost nothing. */
const STRETCH_MS: Ms = 10

export class Turns {
  #since = performance.now()

  /** To be awaited once a step. @throws the signal's reason */
  step({ signal }: AbortOptions): Promise<void> | undefined {
    signal?.throwIfAborted()
    if (performance.now() - this.#since < STRETCH_MS) return undefined
    return new Promise(resolve => {
      setImmediate(() => {
        this.#since = performance.now()
        resolve()
      })
    })
  }
}
