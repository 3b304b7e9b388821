/**
 * `/kith/control/1`: one short question and its answer on a stream of their own. Owns the limits: who may ask how often
 * and how much at once, and how long anybody waits. Strangers and trusted peers have places of their own, so that no
 * crowd keeps one's own people out. Keeps nothing on disk.
 */
import { concat } from 'uint8arrays'
import { KithError } from '../errors.ts'
import { abortable, startDeadline } from '../lib/deadline.ts'
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
  LENGTH_BYTES,
  readControlLength,
  type ControlAnswer
} from './control-codec.ts'

/** A question that is not here whole after this is no longer waited for: they are short. */
const READ_BUDGET: Ms = 10_000
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
/** Refusals of one peer before it is told nothing any more and counts as a flood. */
const REFUSALS = { capacity: 100, perSecond: 1, keysMax: 1024 }
/** Own questions to one peer under way, below what its host takes of streams of one protocol. */
const ASKING_PER_PEER_MAX = 4
/** Own questions to one peer that wait; more are a mistake here. */
const WAITING_PER_PEER_MAX = 256

const UNKNOWN_KIND = encodeControlAnswer({ error: { code: 'UNAVAILABLE', message: 'this node does not know that kind of question' } })

export interface ControlComponents {
  readonly network: Pick<Network, 'open' | 'handle' | 'isConnected'>
  readonly standing: Pick<Standing, 'isTrusted' | 'isShunned' | 'report'>
  readonly clock: Clock
  readonly log: Log
}

interface Pool {
  readonly rate: TokenBucket
  running: number
}

export class ControlChannel implements Control {
  readonly #parts: ControlComponents
  readonly #handlers = new Map<string, ControlHandler>()
  readonly #pools: { readonly trusted: Pool; readonly strangers: Pool }
  readonly #rates: KeyedBuckets
  readonly #refusals: KeyedBuckets
  /** Streams being served, by peer. */
  readonly #running = new Map<string, number>()
  readonly #streams = new Set<PeerStream>()
  readonly #asking = new Map<string, Semaphore>()
  #stopped = false

  constructor(components: ControlComponents) {
    const { clock } = components
    this.#parts = components
    const pool = (rate: TokenBucketInit): Pool => ({ rate: new TokenBucket({ clock }, rate), running: 0 })
    this.#pools = { trusted: pool(TRUSTED_RATE), strangers: pool(STRANGERS_RATE) }
    this.#rates = new KeyedBuckets({ clock }, PEER_RATE)
    this.#refusals = new KeyedBuckets({ clock }, REFUSALS)
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
    const hasRoom = own < PER_PEER_MAX && pool.running < IN_ALL_MAX
    if (standing.isShunned(peer)) return await this.#refuse(stream, 'UNAUTHORIZED', 'this node does not answer you')
    if (!hasRoom || !this.#rates.take(peer) || !pool.rate.take())
      return await this.#refuse(stream, 'RATE_LIMITED', 'too many questions at once; ask again later')
    this.#running.set(peer, own + 1)
    pool.running++
    try {
      await this.#answer(stream)
    } finally {
      pool.running--
      this.#leave(peer)
    }
  }

  #leave(peer: string): void {
    const left = (this.#running.get(peer) ?? 1) - 1
    if (left === 0) this.#running.delete(peer)
    else this.#running.set(peer, left)
  }

  /** Without reading the question. */
  async #refuse(stream: PeerStream, code: 'UNAUTHORIZED' | 'RATE_LIMITED', message: string): Promise<void> {
    if (!this.#refusals.take(stream.peer)) {
      this.#parts.standing.report(stream.peer, 'flood')
      throw new Error('the peer asks more than it is answered')
    }
    await finish(stream, encodeControlAnswer({ error: { code, message } }))
  }

  async #answer(stream: PeerStream): Promise<void> {
    const { kind, body } = decodeControlRequest(await this.#question(stream))
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

  async #question(stream: PeerStream): Promise<Uint8Array> {
    using deadline = startDeadline(this.#parts.clock, READ_BUDGET)
    return await readMessage(stream, deadline)
  }

  #fail(stream: PeerStream, error: unknown): void {
    const { peer } = stream
    stream.abort(error instanceof Error ? error : new Error(String(error)))
    this.#parts.log.debug({ peer, err: error }, 'a control stream ended early')
    if (error instanceof ControlFormError) this.#parts.standing.report(peer, 'protocol-violation')
  }
}

async function converse(stream: PeerStream, request: Uint8Array, options: AbortOptions): Promise<Uint8Array> {
  try {
    await stream.write([request], options)
    const answer = await readMessage(stream, options)
    void stream.close().catch(() => {}) // the answer is here; how the stream ends no longer matters
    return answer
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

/** One message, with nothing behind it. @throws ControlFormError · what broke or ended the stream · the signal's reason */
async function readMessage(stream: PeerStream, options: AbortOptions): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let bytes = 0
  let wanted = LENGTH_BYTES
  let isHeaderRead = false
  while (bytes < wanted) {
    const chunk = await abortable(stream.read(options), options)
    if (chunk === null) throw new Error('the stream ended inside a message') // as it does when a connection is lost: no breach
    parts.push(chunk)
    bytes += chunk.byteLength
    if (isHeaderRead || bytes < LENGTH_BYTES) continue
    isHeaderRead = true
    wanted = LENGTH_BYTES + readControlLength(concat(parts, bytes))
  }
  if (bytes > wanted) throw new ControlFormError('bytes follow a message')
  return concat(parts, bytes).subarray(LENGTH_BYTES)
}

async function finish(stream: PeerStream, answer: Uint8Array): Promise<void> {
  await stream.write([answer])
  await stream.close()
}
