/**
 * What others said of third parties, by issuer and subject: the newest word of each. Durable; only what was verified
 * is put here. Bounded by issuer, and for all those together whom the operator has set no level for.
 */
import { KithError } from '../errors.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'
import type { Assertion } from './trust-graph.ts'

/** People one acquaintance may speak of. */
export const SUBJECTS_MAX = 256
/** People one may speak of who is only vouched for. */
const SUBJECTS_MAX_VOUCHED = 16
/** All that the vouched for say together: one acquaintance could vouch for any number of made-up identities. */
const VOUCHED_ASSERTIONS_MAX = 1_024
/** In all; the whole graph is walked again after each change. */
const ASSERTIONS_MAX = 20_000

/** How an issuer stands here: has an access level above 0, or is vouched for by one that has. */
export type IssuerStanding = 'known' | 'vouched'

export interface StoredAssertion {
  readonly iss: string
  readonly sub: string
  /** 0–100; 0 takes back what was said before. */
  readonly level: number
  readonly context?: string
  /** Unix seconds. */
  readonly iat: number
  /** Unix seconds. */
  readonly exp: number
}

export interface AssertionBookComponents {
  readonly state: StateStore
  readonly clock: Clock
  readonly isKnown: (did: string) => boolean
}

export class AssertionBook {
  readonly #parts: AssertionBookComponents
  readonly #table: StateTable<StoredAssertion>
  readonly #counts = new Map<string, number>()
  readonly #listeners = new Set<(sub: string) => void>()
  /** Nothing kept has expired before. Unix seconds. */
  #firstExpiry = Number.POSITIVE_INFINITY

  constructor(components: AssertionBookComponents) {
    this.#parts = components
    this.#table = components.state.table('assertions', readAssertion)
    for (const [, { iss, exp }] of this.#table.entries()) {
      this.#count(iss, 1)
      this.#firstExpiry = Math.min(this.#firstExpiry, exp)
    }
  }

  get(iss: string, sub: string): StoredAssertion | undefined {
    return this.#table.get(keyOf(iss, sub))
  }

  /** An older word, or the same again, says nothing new. One of the same second may only take back. */
  isNews({ iss, sub, level, iat }: StoredAssertion): boolean {
    const known = this.get(iss, sub)
    return known === undefined || iat > known.iat || (iat === known.iat && level === 0 && known.level > 0)
  }

  /** @throws KithError QUOTA_EXCEEDED when its issuer has said enough */
  async put(assertion: StoredAssertion, standing: IssuerStanding): Promise<void> {
    const { iss, sub } = assertion
    if (!this.isNews(assertion)) return
    const isNew = this.get(iss, sub) === undefined
    if (isNew && !this.#hasRoom(iss, standing)) {
      await this.#removeExpired()
      if (!this.#hasRoom(iss, standing))
        throw new KithError('QUOTA_EXCEEDED', 'this node keeps no more assertions of this issuer; those that expire make room')
    }
    if (isNew) this.#count(iss, 1)
    try {
      await this.#table.put(keyOf(iss, sub), assertion)
    } catch (error) {
      if (isNew) this.#count(iss, -1)
      throw error
    }
    this.#firstExpiry = Math.min(this.#firstExpiry, assertion.exp)
    for (const listener of this.#listeners) listener(sub)
  }

  /** All that are valid now, each with the weight time has left it. @param halfLife - 0: they never fade */
  weighed(halfLife: Ms): Assertion[] {
    const now = this.#parts.clock.now() / 1000
    return [...this.#table.entries()].flatMap(([, { iss, sub, level, iat, exp }]) => {
      if (exp <= now || level === 0) return []
      const age = Math.max(0, now - iat) * 1000
      return [{ iss, sub, weight: (level / 100) * (halfLife === 0 ? 1 : 0.5 ** (age / halfLife)) }]
    })
  }

  /** Of whom somebody says something good that has not expired. */
  subjects(): Set<string> {
    return new Set(this.weighed(0).map(({ sub }) => sub))
  }

  onChange(listener: (sub: string) => void): void {
    this.#listeners.add(listener)
  }

  #hasRoom(iss: string, standing: IssuerStanding): boolean {
    const said = this.#counts.get(iss) ?? 0
    if (this.#table.size >= ASSERTIONS_MAX) return false
    return standing === 'known' ? said < SUBJECTS_MAX : said < SUBJECTS_MAX_VOUCHED && this.#saidByVouched() < VOUCHED_ASSERTIONS_MAX
  }

  #saidByVouched(): number {
    let sum = 0
    for (const [iss, said] of this.#counts) if (!this.#parts.isKnown(iss)) sum += said
    return sum
  }

  async #removeExpired(): Promise<void> {
    const now = this.#parts.clock.now() / 1000
    if (this.#firstExpiry > now) return
    this.#firstExpiry = Number.POSITIVE_INFINITY
    for (const [key, { iss, exp }] of this.#table.entries()) {
      if (exp > now) this.#firstExpiry = Math.min(this.#firstExpiry, exp)
      else if (await this.#table.remove(key)) this.#count(iss, -1)
    }
  }

  #count(iss: string, change: number): void {
    const said = (this.#counts.get(iss) ?? 0) + change
    if (said <= 0) this.#counts.delete(iss)
    else this.#counts.set(iss, said)
  }
}

/** DIDs hold no white space. */
function keyOf(iss: string, sub: string): string {
  return `${iss} ${sub}`
}

function readAssertion(stored: unknown): StoredAssertion {
  if (typeof stored !== 'object' || stored === null) throw new Error('an assertion is no object')
  const { iss, sub, level, context, iat, exp } = {
    iss: undefined,
    sub: undefined,
    level: undefined,
    context: undefined,
    iat: undefined,
    exp: undefined,
    ...stored
  }
  if (typeof iss !== 'string' || typeof sub !== 'string') throw new Error('an assertion names no issuer or no subject')
  if (typeof level !== 'number' || typeof iat !== 'number' || typeof exp !== 'number') throw new Error('an assertion lacks its figures')
  return { iss, sub, level, iat, exp, ...(typeof context === 'string' ? { context } : {}) }
}
