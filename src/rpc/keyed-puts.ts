/**
 * `content.put` with an `idempotencyKey`: what one caller puts under one key is put once, however often it is asked
 * for. In memory: a put is named by its bytes, so that after a restart it merely happens again, to the same address.
 */
import { createHash } from 'node:crypto'
import { KithError } from '../errors.ts'
import { SingleFlight } from '../lib/single-flight.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { PutResult } from './services.ts'

/** A client that retries does so within a day. */
const KEPT_MS_MAX: Ms = 24 * 60 * 60_000
/** Keys remembered; each costs some 500 bytes. Beyond, the oldest is forgotten. */
const KEYS_MAX = 10_000

interface Kept {
  /** Digest of the parameters. */
  readonly asked: string
  readonly at: Ms
  /** The put that runs, or ran, last. */
  attempt?: object
  /** Absent until it has succeeded. */
  result?: PutResult
}

export interface KeyedPut {
  /** Who puts; each has keys of its own. */
  readonly caller: string
  readonly key: string
  /** Everything else that was asked for. */
  readonly params: object
}

export class KeyedPuts {
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()
  readonly #running = new SingleFlight<PutResult>()

  constructor(components: { readonly clock: Clock }) {
    this.#clock = components.clock
  }

  /**
   * The first answer again, also while the first put still runs: it is aborted when the last who waits for it has
   * left. A put that fails is forgotten, so that it can be tried again.
   *
   * @throws KithError CONFLICT if the key was used with other parameters
   */
  async put(
    { caller, key, params }: KeyedPut,
    run: (options: { readonly signal: AbortSignal }) => Promise<PutResult>,
    options: AbortOptions
  ): Promise<PutResult> {
    this.#forgetOld()
    const name = JSON.stringify([caller, key])
    const asked = digestOf(params)
    const kept = this.#kept.get(name) ?? this.#keep(name, asked)
    if (kept.asked !== asked)
      throw new KithError(
        'CONFLICT',
        `the idempotencyKey "${key}" was used for a put with other parameters. Use a new key for each put, and the same one only to repeat it.`,
        { idempotencyKey: key }
      )
    if (kept.result !== undefined) return kept.result
    return await this.#running.run(name, async within => await this.#first(name, kept, run, within), options)
  }

  async #first(
    name: string,
    kept: Kept,
    run: (options: { readonly signal: AbortSignal }) => Promise<PutResult>,
    options: { readonly signal: AbortSignal }
  ): Promise<PutResult> {
    const attempt = {}
    kept.attempt = attempt
    try {
      kept.result = await run(options)
      return kept.result
    } catch (error) {
      // Another may run by now, if everybody had left this one.
      if (kept.attempt === attempt && this.#kept.get(name) === kept) this.#kept.delete(name)
      throw error
    }
  }

  #keep(name: string, asked: string): Kept {
    const kept: Kept = { asked, at: this.#clock.monotonic() }
    this.#kept.set(name, kept)
    return kept
  }

  #forgetOld(): void {
    const oldest = this.#clock.monotonic() - KEPT_MS_MAX
    for (const [name, { at }] of this.#kept) {
      if (at > oldest && this.#kept.size < KEYS_MAX) return
      this.#kept.delete(name)
    }
  }
}

/** Named in any order, the same parameters have the same digest. */
function digestOf(params: object): string {
  const sorted = Object.entries(params).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('base64')
}
