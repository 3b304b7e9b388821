/**
 * Background work with an owner: a bounded line of jobs, a few at a time, all ended by `close`.
 * In memory only: a crash forgets what waits, so nothing that was promised may live here alone.
 */
import { KithError } from '../errors.ts'

export type Job = (options: { readonly signal: AbortSignal }) => Promise<void>

export interface BoundedQueueInit {
  /** Jobs run at once. */
  readonly concurrency: number
  /** Jobs that may wait; `push` refuses more. */
  readonly waitingMax: number
  /** Told of every failed job, except those ended by `close`. */
  readonly onError: (error: unknown) => void
}

export class BoundedQueue implements AsyncDisposable {
  readonly #init: BoundedQueueInit
  readonly #controller = new AbortController()
  readonly #waiting: Job[] = []
  readonly #idle: (() => void)[] = []
  #running = 0

  constructor(init: BoundedQueueInit) {
    this.#init = init
  }

  get size(): number {
    return this.#waiting.length + this.#running
  }

  /** @returns false when the line is full or closed: the caller decides what to drop */
  push(job: Job): boolean {
    if (this.#controller.signal.aborted || this.#waiting.length >= this.#init.waitingMax) return false
    this.#waiting.push(job)
    this.#fill()
    return true
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    if (this.size === 0) return
    await new Promise<void>(resolve => this.#idle.push(resolve))
  }

  /** Forgets what waits, aborts what runs, and resolves when it has ended. */
  async close(): Promise<void> {
    this.#waiting.length = 0
    this.#controller.abort(new KithError('CANCELLED', 'the queue was closed'))
    await this.idle()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #fill(): void {
    while (this.#running < this.#init.concurrency) {
      const job = this.#waiting.shift()
      if (job === undefined) return
      this.#running++
      void this.#run(job)
    }
  }

  async #run(job: Job): Promise<void> {
    const { signal } = this.#controller
    try {
      await job({ signal })
    } catch (error) {
      if (!signal.aborted) this.#init.onError(error)
    }
    this.#running--
    this.#fill()
    if (this.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}
