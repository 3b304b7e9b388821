/**
 * `/kith/control/1`: one short question and its answer on a stream of their own. Owns the limits: who may ask how often
 * and how much at once, and how long anybody waits. Strangers and trusted peers have places of their own, so that no
 * crowd keeps one's own people out. Keeps nothing on disk.
 */
import { KithError } from '../errors.ts'
import { startDeadline } from '../lib/deadline.ts'
import { KeyedBuckets } from '../lib/keyed-buckets.ts'
import { Semaphore } from '../lib/semaphore.ts'
import { TokenBucket, type TokenBucketInit } from '../lib/token-bucket.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Control, ControlHandler, ControlValue } from '../ports/control.ts'
import type { Log } from '../ports/log.ts'
import type { Network, PeerStream } from '../ports/network.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Standing } from '../ports/standing.ts'
import {
  CONTROL_PROTOCOL,
  controlError,
  ControlFormError,
  decodeControlAnswer,
  decodeControlRequest,
  encodeControlAnswer,
  encodeControlRequest,
  type ControlAnswer
} from './control-codec.ts'
import { converse, finish, readMessage } from './control-messages.ts'

/** A question of a trusted peer that is not here whole after this is no longer waited for: they are short. */
const READ_BUDGET: Ms = 10_000
/** As much for strangers: a question travels with the stream that is opened for it. */
const STRANGERS_READ_BUDGET: Ms = 2_000
/**
 * Streams on which a question is still awaited, for trusted peers and for strangers each; for one more, the one that
 * was silent for longest is told to come again. They hold 64 KiB.
 */
const READING_MAX = 64
/** Longest wait for an answer, opening the stream included: a handler may wait for a disk, not for a person. */
const ANSWER_BUDGET: Ms = 20_000
/** Questions of one peer answered at once: what it asks at once, and some whose answer it has while their stream still closes. */
const PER_PEER_MAX = 6
/** Questions answered at once, for trusted peers and for strangers each. They hold 64 KiB. */
const IN_ALL_MAX = 32
/** Questions of one peer a second, and at once after a pause: `available` alone may come 50 times a second. */
const PEER_RATE = { capacity: 100, perSecond: 60, keysMax: 1024 }
/** Questions of all trusted peers together. */
const TRUSTED_RATE = { capacity: 400, perSecond: 200 }
/** Questions of all strangers together: a question costs 2 to 3 ms of a core that has other things to do, so a sixth of one. */
const STRANGERS_RATE = { capacity: 200, perSecond: 60 }
/** Refusals of one peer for what it alone asked too much, before it is told nothing any more and counts as a flood. */
const REFUSALS = { capacity: 100, perSecond: 1, keysMax: 1024 }
/** A flood is one offence, however long the peer goes on: one a minute. */
const FLOODS = { capacity: 1, perSecond: 1 / 60, keysMax: 1024 }
/** Own questions to one peer under way, below what its host takes of streams of one protocol. */
const ASKING_PER_PEER_MAX = 4
/** Own questions to one peer that wait; more are a mistake here. */
const WAITING_PER_PEER_MAX = 256

/** Why a wait for a question ends early. */
const CROWDED_OUT = new Error('newer questions needed the room')
const UNKNOWN_KIND = encodeControlAnswer({ error: { code: 'UNAVAILABLE', message: 'this node does not know that kind of question' } })

export interface ControlComponents {
  readonly network: Pick<Network, 'open' | 'handle' | 'isConnected'>
  readonly standing: Pick<Standing, 'isTrusted' | 'isShunned' | 'report'>
  readonly clock: Clock
  readonly log: Log
}

interface Pool {
  readonly rate: TokenBucket
  readonly readBudget: Ms
  /** Streams whose question is awaited, the longest silent first, and how to end the wait. */
  readonly reading: Map<PeerStream, AbortController>
  running: number
}

type Refusal = 'blocked' | 'own-rate' | 'crowded'

const REFUSED: Readonly<Record<Refusal, Uint8Array>> = {
  blocked: encodeControlAnswer({ error: { code: 'UNAUTHORIZED', message: 'this node does not answer you' } }),
  'own-rate': encodeControlAnswer({ error: { code: 'RATE_LIMITED', message: 'too many questions at once; ask again later' } }),
  crowded: encodeControlAnswer({ error: { code: 'RATE_LIMITED', message: 'others ask too much at once; ask again soon' } })
}

export class ControlChannel implements Control {
  readonly #parts: ControlComponents
  readonly #handlers = new Map<string, ControlHandler>()
  readonly #pools: { readonly trusted: Pool; readonly strangers: Pool }
  readonly #rates: KeyedBuckets
  readonly #refusals: KeyedBuckets
  readonly #floods: KeyedBuckets
  /** Streams being served, by peer. */
  readonly #running = new Map<string, number>()
  readonly #streams = new Set<PeerStream>()
  readonly #asking = new Map<string, Semaphore>()
  #stopped = false

  constructor(components: ControlComponents) {
    const { clock } = components
    this.#parts = components
    const pool = (rate: TokenBucketInit, readBudget: Ms): Pool => ({
      rate: new TokenBucket({ clock }, rate),
      readBudget,
      reading: new Map(),
      running: 0
    })
    this.#pools = { trusted: pool(TRUSTED_RATE, READ_BUDGET), strangers: pool(STRANGERS_RATE, STRANGERS_READ_BUDGET) }
    this.#rates = new KeyedBuckets({ clock }, PEER_RATE)
    this.#refusals = new KeyedBuckets({ clock }, REFUSALS)
    this.#floods = new KeyedBuckets({ clock }, FLOODS)
  }

  handle(kind: string, handler: ControlHandler): void {
    if (this.#handlers.has(kind)) throw new Error(`the kind "${kind}" has a handler already`)
    this.#handlers.set(kind, handler)
  }

  /** Answers from here on. Kinds may still be added. */
  async start(): Promise<void> {
    await this.#parts.network.handle(CONTROL_PROTOCOL, async stream => {
      await this.#serve(stream)
    })
  }

  /** Resets every stream. */
  stop(): void {
    this.#stopped = true
    for (const stream of this.#streams) stream.abort(new Error('this node stops'))
  }

  async ask(peer: string, kind: string, body: ControlValue, options: AbortOptions): Promise<ControlValue> {
    const request = encodeControlRequest({ kind, body })
    using budget = startDeadline(this.#parts.clock, ANSWER_BUDGET, options)
    const answer = await this.#exchange(peer, request, budget).catch((error: unknown) => {
      options.signal?.throwIfAborted()
      throw this.#failure(peer, error)
    })
    if ('ok' in answer) return answer.ok
    const { code, message } = answer.error
    throw new KithError(code, `peer ${peer} answered: ${message}`, { peer, answered: message })
  }

  async #exchange(peer: string, request: Uint8Array, options: AbortOptions): Promise<ControlAnswer> {
    const places = this.#placesOf(peer)
    try {
      using _place = await places.acquire(options)
      const stream = await this.#parts.network.open(peer, CONTROL_PROTOCOL, options)
      return decodeControlAnswer(await converse(stream, request, options))
    } finally {
      if (places.held === 0 && places.waiting === 0) this.#asking.delete(peer)
    }
  }

  #placesOf(peer: string): Semaphore {
    const name = 'questions to this peer'
    const places = this.#asking.get(peer) ?? new Semaphore({ limit: ASKING_PER_PEER_MAX, waitingMax: WAITING_PER_PEER_MAX, name })
    this.#asking.set(peer, places)
    return places
  }

  #failure(peer: string, error: unknown): unknown {
    if (error instanceof KithError) return error
    if (error instanceof ControlFormError) this.#parts.standing.report(peer, 'protocol-violation')
    const why =
      error instanceof ControlFormError
        ? `it broke the form of the protocol: ${error.message}`
        : error instanceof Error && error.name === 'TimeoutError'
          ? 'it did not answer in time'
          : 'the connection to it was lost'
    return new KithError('UNAVAILABLE', `peer ${peer} gave no answer: ${why}`, { peer }, { cause: error })
  }

  async #serve(stream: PeerStream): Promise<void> {
    if (this.#stopped) {
      stream.abort(new Error('this node stops'))
      return
    }
    this.#streams.add(stream)
    try {
      await this.#admitted(stream)
    } catch (error) {
      this.#fail(stream, error)
    } finally {
      this.#streams.delete(stream)
    }
  }

  async #admitted(stream: PeerStream): Promise<void> {
    const { peer } = stream
    const { standing } = this.#parts
    const pool = standing.isTrusted(peer) ? this.#pools.trusted : this.#pools.strangers
    const own = this.#running.get(peer) ?? 0
    if (standing.isShunned(peer)) return await this.#refuse(stream, 'blocked')
    if (own >= PER_PEER_MAX || !this.#rates.take(peer)) return await this.#refuse(stream, 'own-rate')
    this.#running.set(peer, own + 1)
    try {
      await this.#heard(stream, pool)
    } finally {
      this.#leave(peer)
    }
  }

  /** A place is taken when the question is here: who opens streams and says nothing keeps nobody out. */
  async #heard(stream: PeerStream, pool: Pool): Promise<void> {
    const question = await this.#question(stream, pool)
    if (question === undefined || pool.running >= IN_ALL_MAX || !pool.rate.take()) return await this.#refuse(stream, 'crowded')
    pool.running++
    try {
      await this.#answer(stream, question)
    } finally {
      pool.running--
    }
  }

  #leave(peer: string): void {
    const left = (this.#running.get(peer) ?? 1) - 1
    if (left === 0) this.#running.delete(peer)
    else this.#running.set(peer, left)
  }

  /** Without looking at the question. What others use up is not held against the peer. */
  async #refuse(stream: PeerStream, why: Refusal): Promise<void> {
    if (why !== 'crowded' && !this.#refusals.take(stream.peer)) {
      if (this.#floods.take(stream.peer)) this.#parts.standing.report(stream.peer, 'flood')
      throw new Error('the peer asks more than it is answered')
    }
    await finish(stream, REFUSED[why])
  }

  async #answer(stream: PeerStream, question: Uint8Array): Promise<void> {
    const { kind, body } = decodeControlRequest(question)
    const handler = this.#handlers.get(kind)
    if (handler === undefined) return await finish(stream, UNKNOWN_KIND)
    let answer: Uint8Array
    try {
      answer = encodeControlAnswer({ ok: await handler(stream.peer, body) })
    } catch (error) {
      if (!(error instanceof KithError)) this.#parts.log.warn({ err: error, kind }, 'a question of a peer could not be answered')
      answer = encodeControlAnswer(controlError(error))
    }
    await finish(stream, answer)
  }

  /** Undefined if it had to make room for newer ones. */
  async #question(stream: PeerStream, { reading, readBudget }: Pool): Promise<Uint8Array | undefined> {
    const [longest] = reading
    if (longest !== undefined && reading.size >= READING_MAX) {
      reading.delete(longest[0])
      longest[1].abort(CROWDED_OUT)
    }
    const crowded = new AbortController()
    using deadline = startDeadline(this.#parts.clock, readBudget, crowded)
    reading.set(stream, crowded)
    try {
      return await readMessage(stream, deadline)
    } catch (error) {
      if (error === CROWDED_OUT) return undefined
      throw error
    } finally {
      reading.delete(stream)
    }
  }

  #fail(stream: PeerStream, error: unknown): void {
    const { peer } = stream
    stream.abort(error instanceof Error ? error : new Error(String(error)))
    this.#parts.log.debug({ peer, err: error }, 'a control stream ended early')
    if (error instanceof ControlFormError) this.#parts.standing.report(peer, 'protocol-violation')
  }
}
