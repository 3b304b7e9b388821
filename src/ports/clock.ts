/** Time as a port, so that tests move it instead of waiting. */
import type { Ms } from '../model/units.ts'

export interface Clock {
  /** Wall clock, Unix milliseconds. For records and signatures. */
  now(): Ms
  /** Never goes back. For durations. */
  monotonic(): Ms
  /** Calls `run` once after `delay`; the returned function cancels. Never keeps the process alive. */
  after(delay: Ms, run: () => void): () => void
}
