/** The real clock. Its timers never keep the process alive. */
import type { Clock } from '../../ports/clock.ts'

/** Node fires timers beyond this at once instead of late. Milliseconds, some 24 days. */
const TIMER_MS_MAX = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delay, run) => {
    let timer: NodeJS.Timeout
    const start = (left: number): void => {
      const next = left > TIMER_MS_MAX ? () => start(left - TIMER_MS_MAX) : run
      timer = setTimeout(next, Math.min(left, TIMER_MS_MAX)).unref()
    }
    start(delay)
    return () => clearTimeout(timer)
  }
}
