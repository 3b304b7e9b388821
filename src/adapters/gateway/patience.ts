/**
 * How long one question to a gateway may take: a budget that begins anew with every block that comes, and stands still
 * while the caller is busy. The signal also fires when the caller gives up or the session closes.
 */
import { follow } from '../../lib/deadline.ts'
import type { Ms } from '../../model/units.ts'
import { SourceError, type SearchOptions } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'

export class Patience implements Disposable {
  /** The signal's reason when it was the time, and not the caller, that ended it. */
  readonly timeUp: SourceError
  readonly #clock: Clock
  readonly #limit: Ms
  readonly #searchLeft: () => Ms
  readonly #controller = new AbortController()
  readonly #unfollow: readonly (() => void)[]
  #end: Ms = Infinity
  #cancel = (): void => {}

  constructor(clock: Clock, limit: Ms, session: AbortSignal, { signal, remaining = () => Infinity }: SearchOptions) {
    this.timeUp = new SourceError('timeout', `the gateway did not deliver within ${limit} ms`)
    this.#clock = clock
    this.#limit = limit
    this.#searchLeft = remaining
    this.#unfollow = [follow(this.#controller, session), follow(this.#controller, signal)]
    this.renew()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** What is begun now must end within this. */
  remaining(): Ms {
    return Math.min(this.#end - this.#clock.monotonic(), this.#searchLeft())
  }

  renew(): void {
    this.pause()
    this.#end = this.#clock.monotonic() + this.#limit
    this.#cancel = this.#clock.after(this.#limit, () => {
      this.#controller.abort(this.timeUp)
    })
  }

  pause(): void {
    this.#cancel()
    this.#end = Infinity
  }

  [Symbol.dispose](): void {
    this.pause()
    for (const end of this.#unfollow) end()
  }
}
