/**
 * What this node said of others, and to whom: signed anew for each reader, handed over at once to who is connected,
 * kept for the others until they are. Durable before it is answered; bounded.
 */
import { KithError, toKithError, type ErrorCode } from '../errors.ts'
import { BoundedQueue } from '../lib/bounded-queue.ts'
import { startDeadline } from '../lib/deadline.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Control } from '../ports/control.ts'
import type { Identity } from '../ports/identity.ts'
import type { Log } from '../ports/log.ts'
import type { Network } from '../ports/network.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'
import { signAssertion } from './assertion-claims.ts'
import { didFromPeerId } from './did-key.ts'
import { nodeOf } from './did.ts'

/** Words in mind, delivered or not: so many readers times subjects. About 1 KiB each. */
const OUTBOX_MAX = 4_096
/** One short message and its answer. */
const DELIVERY_MS: Ms = 10_000
/** A reader that is connected and did not take it is asked again after this long; others when they connect. */
const RETRY_MS: Ms = 60_000
/** Peers that are told at once, and that wait for it: everybody may connect in the same minute. */
const TELLING_MAX = 4
const TELLING_WAITING_MAX = 1_024

/** Codes by which a peer says that it will not take it, now or later. */
const FINAL: readonly ErrorCode[] = ['UNAUTHORIZED', 'INVALID_PARAMS', 'QUOTA_EXCEEDED']

export type Delivery = 'delivered' | 'queued' | 'refused'

interface Said {
  readonly to: string
  readonly sub: string
  readonly jwt: string
  /** 0 takes back. */
  readonly level: number
  /** Unix seconds. */
  readonly iat: number
  /** Unix seconds. */
  readonly exp: number
  readonly isDelivered: boolean
}

interface Words {
  readonly sub: string
  readonly level: number
  readonly context?: string
  /** How long it holds. */
  readonly seconds: number
}

interface Saying extends Words {
  /** did:key of each reader. */
  readonly to: readonly string[]
}

export interface AssertionOutboxComponents {
  readonly state: StateStore
  readonly clock: Clock
  readonly identity: Identity
  readonly network: Pick<Network, 'isConnected' | 'on'>
  readonly control: Pick<Control, 'ask'>
  readonly log: Log
}

export class AssertionOutbox implements AsyncDisposable {
  readonly #parts: AssertionOutboxComponents
  readonly #table: StateTable<Said>
  readonly #telling: BoundedQueue
  readonly #stopListening: () => void
  #cancelRetry: (() => void) | undefined

  constructor(components: AssertionOutboxComponents) {
    this.#parts = components
    this.#table = components.state.table('assertions-said', readSaid)
    const onError = (err: unknown): void => components.log.debug({ err }, 'an assertion was not handed over; it waits')
    this.#telling = new BoundedQueue({ concurrency: TELLING_MAX, waitingMax: TELLING_WAITING_MAX, onError })
    this.#stopListening = components.network.on({ connected: peer => this.#onConnected(peer) })
  }

  /**
   * Says it to each reader. What was said of the same one before is superseded.
   *
   * @returns the token of each reader, and what became of it
   * @throws KithError QUOTA_EXCEEDED
   */
  async say({ to, ...words }: Saying, options: AbortOptions): Promise<{ reader: string; jwt: string; delivery: Delivery }[]> {
    const said: Said[] = []
    for (const reader of to) {
      const { sub, level } = words
      const iat = this.#nextIat(reader, sub)
      said.push({ to: reader, sub, level, iat, exp: iat + words.seconds, jwt: await this.#sign(words, reader, iat), isDelivered: false })
    }
    await this.#makeRoom(said)
    for (const one of said) await this.#table.put(keyOf(one), one)
    return await Promise.all(said.map(async one => ({ reader: one.to, jwt: one.jwt, delivery: await this.#tell(one, options) })))
  }

  /** A word that is handed to nobody. @returns the token */
  async sign(words: Words, reader: string): Promise<string> {
    return await this.#sign(words, reader, this.#nextIat(reader, words.sub))
  }

  /** Who was told something of `sub` that still holds. */
  readersOf(sub: string): string[] {
    return [...this.#table.entries()].flatMap(([, said]) => (said.sub === sub && said.level > 0 ? [said.to] : []))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopListening()
    this.#cancelRetry?.()
    await this.#telling.close()
  }

  async #sign({ sub, level, context, seconds }: Words, reader: string, iat: number): Promise<string> {
    const words = { sub, level, iat, exp: iat + seconds, ...(context === undefined ? {} : { context }) }
    return await signAssertion(words, reader, this.#parts.identity)
  }

  /** Later than the last word to the same reader: of two with one time, the later would not count. */
  #nextIat(to: string, sub: string): number {
    const last = this.#table.get(keyOf({ to, sub }))
    return Math.max(Math.floor(this.#parts.clock.now() / 1000), (last?.iat ?? 0) + 1)
  }

  #onConnected(peer: string): void {
    const did = didFromPeerId(peer)
    const waiting = [...this.#table.entries()].filter(([, said]) => !said.isDelivered && said.to === did)
    if (waiting.length === 0) return
    this.#telling.push(async options => {
      for (const [key] of waiting) {
        const said = this.#table.get(key)
        if (said !== undefined && !said.isDelivered) await this.#tell(said, options)
      }
    })
  }

  async #tell(said: Said, { signal }: AbortOptions): Promise<Delivery> {
    const { clock, control, network, log } = this.#parts
    const peer = nodeOf(said.to)
    if (said.exp <= clock.now() / 1000) return await this.#drop(said)
    if (peer === undefined || !network.isConnected(peer)) return 'queued'
    using budget = startDeadline(clock, DELIVERY_MS, signal === undefined ? {} : { signal })
    try {
      await control.ask(peer, said.level === 0 ? 'revoke' : 'assert', { jwt: said.jwt }, { signal: budget.signal })
    } catch (error) {
      if (FINAL.includes(toKithError(error).code)) return await this.#drop(said)
      log.debug({ err: error, peer }, 'an assertion was not handed over; it waits')
      this.#retryLater()
      return 'queued'
    }
    // Also what was taken back is remembered: a new word must be later than it.
    if (this.#isLatest(said)) await this.#table.put(keyOf(said), { ...said, isDelivered: true })
    return 'delivered'
  }

  #retryLater(): void {
    this.#cancelRetry ??= this.#parts.clock.after(RETRY_MS, () => {
      this.#cancelRetry = undefined
      const readers = new Set([...this.#table.entries()].flatMap(([, { to, isDelivered }]) => (isDelivered ? [] : [to])))
      for (const reader of readers) {
        const peer = nodeOf(reader)
        if (peer !== undefined && this.#parts.network.isConnected(peer)) this.#onConnected(peer)
      }
    })
  }

  async #drop(said: Said): Promise<Delivery> {
    if (this.#isLatest(said)) await this.#table.remove(keyOf(said))
    return 'refused'
  }

  #isLatest(said: Said): boolean {
    return this.#table.get(keyOf(said))?.iat === said.iat
  }

  async #makeRoom(said: readonly Said[]): Promise<void> {
    const added = said.filter(one => this.#table.get(keyOf(one)) === undefined).length
    if (this.#table.size + added <= OUTBOX_MAX) return
    const now = this.#parts.clock.now() / 1000
    for (const [key, { exp, level, isDelivered }] of this.#table.entries())
      if (exp <= now || (level === 0 && isDelivered)) await this.#table.remove(key)
    if (this.#table.size + added > OUTBOX_MAX)
      throw new KithError(
        'QUOTA_EXCEEDED',
        `this node has said ${this.#table.size} things of others to others and keeps ${OUTBOX_MAX} at most; take some back with kith trust revoke`
      )
  }
}

function keyOf({ to, sub }: { readonly to: string; readonly sub: string }): string {
  return `${to} ${sub}`
}

function readSaid(stored: unknown): Said {
  if (typeof stored !== 'object' || stored === null) throw new Error('a word about another is no object')
  const { to, sub, jwt, level, iat, exp, isDelivered } = {
    to: undefined,
    sub: undefined,
    jwt: undefined,
    level: undefined,
    iat: undefined,
    exp: undefined,
    isDelivered: undefined,
    ...stored
  }
  if (typeof to !== 'string' || typeof sub !== 'string' || typeof jwt !== 'string') throw new Error('a word about another lacks its names')
  if (typeof level !== 'number' || typeof iat !== 'number' || typeof exp !== 'number')
    throw new Error('a word about another lacks its figures')
  return { to, sub, jwt, level, iat, exp, isDelivered: isDelivered === true }
}
