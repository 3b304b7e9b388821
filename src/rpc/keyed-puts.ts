/**
 * `content.put` with an `idempotencyKey`: what one caller puts under one key is put once, however often it is asked
 * for. In memory: a put is named by its bytes, so that after a restart it merely happens again, to the same address.
 */
import { createHash } from 'node:crypto'
import { KithError, toKithError } from '../errors.ts'
import { SingleFlight } from '../lib/single-flight.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { ContentServices, PutResult } from './services.ts'

/** A client that retries does so within a day. */
const KEPT_MS_MAX: Ms = 24 * 60 * 60_000
/** Keys remembered; each costs some 500 bytes. Beyond, the oldest is forgotten, unless its put still runs. */
const KEYS_MAX = 10_000

interface Kept {
  /** Digest of the parameters. */
  readonly asked: string
  /** When it was first asked for, then when it was done. */
  at: Ms
  /** Puts under way: those that everybody has left may still be ending beside a new one. */
  running: number
  /** The put that runs, or ran, last. */
  attempt?: object
  /** Undefined until it has succeeded, and again once nothing of it is here any more. */
  result: PutResult | undefined
}

export interface KeyedPut {
  /** Who puts; each has keys of its own. */
  readonly caller: string
  readonly key: string
  /** Everything else that was asked for. */
  readonly params: object
  /** This node as the caller sees it: what was answered is looked up there. Absent: it is taken to be there still. */
  readonly content?: Pick<ContentServices, 'stat'>
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
   * left. A put that fails is forgotten, so that it can be tried again; so is one whose content was removed since.
   *
   * @throws KithError CONFLICT if the key was used with other parameters
   */
  async put(
    { caller, key, params, content }: KeyedPut,
    run: (options: { readonly signal: AbortSignal }) => Promise<PutResult>,
    options: AbortOptions
  ): Promise<PutResult> {
    options.signal?.throwIfAborted()
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
    for (let said = kept.result; said !== undefined; said = kept.result) {
      if (content === undefined || (await stands(content, said, options))) return said
      if (kept.result === said) kept.result = undefined
    }
    return await this.#running.run(`${name} ${asked}`, async within => await this.#first(name, kept, run, within), options)
  }

  async #first(
    name: string,
    kept: Kept,
    run: (options: { readonly signal: AbortSignal }) => Promise<PutResult>,
    options: { readonly signal: AbortSignal }
  ): Promise<PutResult> {
    const attempt = {}
    kept.attempt = attempt
    kept.running += 1
    try {
      const result = await run(options)
      kept.result = result
      this.#renew(name, kept)
      return result
    } catch (error) {
      // Another may run by now, if everybody had left this one.
      if (kept.attempt === attempt && this.#kept.get(name) === kept) this.#kept.delete(name)
      throw error
    } finally {
      kept.running -= 1
    }
  }

  #keep(name: string, asked: string): Kept {
    const kept: Kept = { asked, at: this.#clock.monotonic(), running: 0, result: undefined }
    this.#kept.set(name, kept)
    return kept
  }

  /** Its time counts from when it was done; the map is in that order. */
  #renew(name: string, kept: Kept): void {
    if (this.#kept.get(name) !== kept) return
    kept.at = this.#clock.monotonic()
    this.#kept.delete(name)
    this.#kept.set(name, kept)
  }

  #forgetOld(): void {
    const oldest = this.#clock.monotonic() - KEPT_MS_MAX
    for (const [name, { at, running }] of this.#kept) {
      if (at > oldest && this.#kept.size < KEYS_MAX) return
      if (running === 0) this.#kept.delete(name)
    }
  }
}

/** Whether all that an answer acknowledged is here still: recorded, whole, and pinned if it said so. */
async function stands(content: Pick<ContentServices, 'stat'>, said: PutResult, options: AbortOptions): Promise<boolean> {
  try {
    const { blocks, localBlocks, pinned } = await content.stat(said.cid, options)
    return localBlocks >= blocks && (pinned || !said.pinned)
  } catch (error) {
    if (toKithError(error).code === 'NOT_FOUND') return false
    throw error
  }
}

/** Named in any order, the same parameters have the same digest. */
function digestOf(params: object): string {
  const sorted = Object.entries(params).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('base64')
}
