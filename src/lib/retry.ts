/** Asking again after a failure that may pass: a few times, ever more slowly, and never in step with others. */
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Random } from '../ports/random.ts'
import { wait } from './deadline.ts'

export interface RetryInit {
  /** Attempts in all; 1 means none again. */
  readonly attempts: number
  /** Pause after the first; doubled after each. Milliseconds. */
  readonly base: Ms
  /** Longest pause. Milliseconds. */
  readonly max: Ms
}

export interface RetryComponents {
  readonly clock: Clock
  readonly random: Pick<Random, 'number'>
}

/**
 * Runs `attempt` until it succeeds, fails for good or has used up its attempts. Pauses have jitter × [0.5, 1].
 *
 * @throws the last error of `attempt` · the signal's reason
 */
export async function withRetries<T>(
  { clock, random }: RetryComponents,
  { attempts, base, max }: RetryInit,
  { attempt, mayPass }: { readonly attempt: () => Promise<T>; readonly mayPass: (error: unknown) => boolean },
  options: AbortOptions
): Promise<T> {
  for (let done = 1; ; done++) {
    options.signal?.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      if (done >= attempts || options.signal?.aborted === true || !mayPass(error)) throw error
      await wait(clock, Math.min(max, base * 2 ** (done - 1)) * (0.5 + random.number() / 2), options)
    }
  }
}
