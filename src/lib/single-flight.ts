/**
 * One running piece of work for each key, however many ask for it. Each caller may leave by its own signal;
 * the work is aborted when the last one has left, and a later call starts afresh.
 */
import type { AbortOptions } from '../ports/options.ts'
import { abortable } from './deadline.ts'

interface Flight<T> {
  readonly controller: AbortController
  readonly result: Promise<T>
  callers: number
  settled: boolean
}

export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>()

  /** Keys with work under way. */
  get size(): number {
    return this.#flights.size
  }

  /**
   * Joins the running work for `key`, or starts it. `start` must end soon after its signal fires.
   *
   * @throws the signal's reason for the caller who left; what `start` threw for all others
   */
  async run(key: string, start: (options: { readonly signal: AbortSignal }) => Promise<T>, options: AbortOptions = {}): Promise<T> {
    options.signal?.throwIfAborted()
    const flight = this.#flights.get(key) ?? this.#start(key, start)
    flight.callers++
    try {
      return await abortable(flight.result, options)
    } finally {
      flight.callers--
      if (flight.callers === 0) this.#end(key, flight)
    }
  }

  #start(key: string, start: (options: { readonly signal: AbortSignal }) => Promise<T>): Flight<T> {
    const controller = new AbortController()
    const result = (async () => await start({ signal: controller.signal }))()
    const flight: Flight<T> = { controller, result, callers: 0, settled: false }
    const settle = (): void => {
      flight.settled = true
      this.#forget(key, flight)
    }
    // The callers see the failure; when all have left, nobody is there to be told.
    result.then(settle, settle)
    this.#flights.set(key, flight)
    return flight
  }

  /** Work that is done is not aborted: its result may still hang on the signal. */
  #end(key: string, flight: Flight<T>): void {
    this.#forget(key, flight)
    if (!flight.settled) flight.controller.abort(new DOMException('nobody waits for this any more', 'AbortError'))
  }

  #forget(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
}
