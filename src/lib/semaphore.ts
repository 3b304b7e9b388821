/** At most so many at once, first come first served, with a bounded line behind. */
import { KithError } from '../errors.ts'
import type { AbortOptions } from '../ports/options.ts'

export interface SemaphoreInit {
  /** How many may hold it at once. */
  readonly limit: number
  /** How many may wait; more are refused. */
  readonly waitingMax: number
  /** What it guards, for the message of a refusal: "retrievals". */
  readonly name: string
}

export class Semaphore {
  readonly #init: SemaphoreInit
  readonly #waiting = new Set<() => void>()
  #held = 0

  constructor(init: SemaphoreInit) {
    this.#init = init
  }

  get held(): number {
    return this.#held
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Waits for a place. Use with `using`: disposing gives the place back, more than once does no harm.
   *
   * @throws KithError RATE_LIMITED when the line is full · the signal's reason
   */
  async acquire(options: AbortOptions = {}): Promise<Disposable> {
    options.signal?.throwIfAborted()
    if (this.#held < this.#init.limit) this.#held++
    else await this.#wait(options)
    return this.#place()
  }

  async #wait({ signal }: AbortOptions): Promise<void> {
    const { waitingMax, limit, name } = this.#init
    if (this.#waiting.size >= waitingMax)
      throw new KithError('RATE_LIMITED', `${limit} ${name} are under way and ${waitingMax} wait; try again later`)
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        this.#waiting.delete(enter)
        reject(signal?.reason)
      }
      this.#waiting.add(enter)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }

  /** The place passes straight to the next in line, so `held` never dips and nobody overtakes. */
  #place(): Disposable {
    let given = false
    return {
      [Symbol.dispose]: () => {
        if (given) return
        given = true
        const [next] = this.#waiting
        if (next === undefined) this.#held--
        else {
          this.#waiting.delete(next)
          next()
        }
      }
    }
  }
}
