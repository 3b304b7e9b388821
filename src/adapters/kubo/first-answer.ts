/**
 * One question, several endpoints that are as good as each other: the first is asked, the next one at once when it
 * fails and as well when it is silent. Whoever answers first has it alone; if it then fails, the others get their turn.
 * Owns nothing beyond the call.
 */
import { abortable } from '../../lib/deadline.ts'
import { deferred } from '../../lib/deferred.ts'
import type { Ms } from '../../model/units.ts'
import { SourceError } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AbortOptions } from '../../ports/options.ts'

/** Silence after which the next endpoint is asked as well, so that one that hangs costs less than a second. */
const SILENCE_MS: Ms = 400

/** What several failures come to: whoever searched knows more than whoever could not be asked. */
const WEIGHT: Readonly<Record<SourceError['outcome'], number>> = { corrupt: 4, 'not-found': 3, fault: 2, timeout: 1, refused: 0 }

export interface AskOptions {
  readonly signal: AbortSignal
  /** To be called when the answer begins. */
  readonly answered: () => void
}

/**
 * @param endpoints in the order in which to ask; not empty
 * @throws the gravest failure when all have failed · the signal's reason
 */
export async function firstAnswer<E, T>(
  clock: Clock,
  endpoints: readonly E[],
  ask: (endpoint: E, options: AskOptions) => Promise<T>,
  options: AbortOptions
): Promise<T> {
  return await new Race(clock, endpoints, ask).run(options)
}

class Race<E, T> {
  readonly #clock: Clock
  readonly #ask: (endpoint: E, options: AskOptions) => Promise<T>
  readonly #waiting: E[]
  readonly #running = new Map<E, AbortController>()
  readonly #failures: unknown[] = []
  readonly #result = deferred<T>()
  #cancelTimer = (): void => {}

  constructor(clock: Clock, endpoints: readonly E[], ask: (endpoint: E, options: AskOptions) => Promise<T>) {
    this.#clock = clock
    this.#waiting = [...endpoints]
    this.#ask = ask
  }

  async run(options: AbortOptions): Promise<T> {
    options.signal?.throwIfAborted()
    this.#next()
    try {
      return await abortable(this.#result.promise, options)
    } finally {
      this.#cancelTimer()
      for (const controller of this.#running.values()) controller.abort(options.signal?.reason)
    }
  }

  #next(): void {
    this.#cancelTimer()
    const endpoint = this.#waiting.shift()
    if (endpoint !== undefined) this.#start(endpoint)
    else if (this.#running.size === 0) this.#result.reject(gravest(this.#failures))
  }

  #start(endpoint: E): void {
    const controller = new AbortController()
    this.#running.set(endpoint, controller)
    if (this.#waiting.length > 0) {
      this.#cancelTimer = this.#clock.after(SILENCE_MS, () => {
        this.#next()
      })
    }
    const answered = (): void => {
      if (!controller.signal.aborted) this.#leaveTo(endpoint)
    }
    this.#ask(endpoint, { signal: controller.signal, answered }).then(
      result => {
        this.#result.resolve(result)
      },
      (error: unknown) => {
        if (controller.signal.aborted) return
        this.#running.delete(endpoint)
        this.#failures.push(error)
        this.#next()
      }
    )
  }

  /** The others wait again: nothing is known against them. */
  #leaveTo(winner: E): void {
    this.#cancelTimer()
    for (const [endpoint, controller] of this.#running) {
      if (endpoint === winner) continue
      this.#running.delete(endpoint)
      this.#waiting.push(endpoint)
      controller.abort()
    }
  }
}

function gravest(failures: readonly unknown[]): unknown {
  const weight = (error: unknown): number => (error instanceof SourceError ? WEIGHT[error.outcome] : Infinity)
  return failures.reduce((worst, error) => (weight(error) > weight(worst) ? error : worst))
}
