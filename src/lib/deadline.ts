/**
 * Budgets: a signal that fires when the caller gives up or the time is used up, whichever is first.
 * Whoever makes one disposes of it, so that no listener outlives the call.
 */
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'

export interface Deadline extends Disposable {
  /** Aborted with the caller's reason, or a `TimeoutError` when the time is used up. */
  readonly signal: AbortSignal
  /** Time left, never below 0. */
  remaining(): Ms
}

/**
 * Starts a budget of `budget` milliseconds inside whatever `options.signal` still allows. Use with `using`.
 *
 * @param goesOn asked when it is used up: true gives as much again
 */
export function startDeadline(clock: Clock, budget: Ms, options: AbortOptions = {}, goesOn: () => boolean = () => false): Deadline {
  const controller = new AbortController()
  let end = clock.monotonic() + budget
  const onEnd = (): void => {
    if (!goesOn()) return controller.abort(timeoutError(budget))
    end = clock.monotonic() + budget
    cancel = clock.after(budget, onEnd)
  }
  let cancel = clock.after(budget, onEnd)
  const unfollow = follow(controller, options.signal)
  return {
    signal: controller.signal,
    remaining: () => Math.max(0, end - clock.monotonic()),
    [Symbol.dispose]: () => {
      cancel()
      unfollow()
    }
  }
}

/** Makes `controller` abort when `signal` does. The returned function ends that. */
export function follow(controller: AbortController, signal: AbortSignal | undefined): () => void {
  if (signal === undefined) return () => {}
  const abort = (): void => controller.abort(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return () => signal.removeEventListener('abort', abort)
}

/** Waits for `promise`, but no longer than the signal allows. The work itself must watch the signal on its own. */
export async function abortable<T>(promise: Promise<T>, { signal }: AbortOptions): Promise<T> {
  if (signal === undefined) return await promise
  let stop = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    stop = () => signal.removeEventListener('abort', abort)
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    stop()
  }
}

/** Resolves after `delay`, or rejects with the signal's reason. */
export async function wait(clock: Clock, delay: Ms, options: AbortOptions): Promise<void> {
  let cancel = (): void => {}
  const passed = new Promise<void>(resolve => {
    cancel = clock.after(delay, resolve)
  })
  try {
    await abortable(passed, options)
  } finally {
    cancel()
  }
}

function timeoutError(budget: Ms): DOMException {
  return new DOMException(`not done within ${budget} ms`, 'TimeoutError')
}
