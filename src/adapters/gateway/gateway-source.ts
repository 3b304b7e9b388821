/**
 * A trustless HTTP gateway as a source: raw for a block, a CAR for a DAG. Owns its connections, its health and when it
 * is left alone; all of it in memory. What it returns is not verified: whoever finds wrong bytes says so by `report`.
 */
import type { LookupFunction } from 'node:net'
import type { CID } from 'multiformats/cid'
import { openCar } from '../../dag/car.ts'
import { follow, wait } from '../../lib/deadline.ts'
import type { RetryInit } from '../../lib/retry.ts'
import type { Semaphore } from '../../lib/semaphore.ts'
import type { SkipReason } from '../../model/source.ts'
import type { Ms } from '../../model/units.ts'
import { SourceError } from '../../ports/block-source.ts'
import type { BlockSession, BlockSource, SearchOptions } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Random } from '../../ports/random.ts'
import { Breaker } from '../../lib/breaker.ts'
import { parseEndpoint, type Endpoint } from './endpoint.ts'
import { asSourceError, isPassing } from './failure.ts'
import { GatewayHttp, PauseAskedError, readBlock } from './gateway-http.ts'
import { Patience } from './patience.ts'

const RAW_TYPE = 'application/vnd.ipld.raw'
const CAR_TYPE = 'application/vnd.ipld.car'
const CAR_ACCEPT = `${CAR_TYPE}; version=1; order=dfs; dups=n`
/** What gateways that serve blocks only answer to a question for a CAR. */
const NO_CAR = [400, 406, 501] as const
/** A gateway that gave no CAR is asked for blocks only for this long; then it may have learnt it. */
const RAW_ONLY_MS: Ms = 600_000

/** Blocks one retrieval asks a gateway for at once: browsers allow six to eight, and gateways limit by address. */
const SESSION_REQUESTS_MAX = 8
/** Sockets to one host, shared by all sessions; further requests wait inside their time. */
const SOCKETS_MAX = 16
/** Time without a byte of the body. */
const STALL_MS: Ms = 10_000
const ONCE: RetryInit = { attempts: 1, base: 0, max: 0 }
/** Pause after an answer that asks for one does not say how long. */
const COOL_DOWN_MS: Ms = 30_000

export interface GatewaySourceComponents {
  readonly clock: Clock
  readonly log: Log
  /** For the jitter of retries. */
  readonly random: Pick<Random, 'number'>
  readonly lookup?: LookupFunction
  /** One place for each open socket, shared by all gateways. */
  readonly sockets?: Semaphore
}

export interface GatewaySourceInit {
  /** Base (`https://host`) or a template with `{cid}`. */
  readonly url: string
  /** Longest time for one block, retries included; in a CAR for each block anew. Milliseconds. */
  readonly timeout: Ms
  /** Lets the configured host, and no other, resolve to a private address. Needless where the URL holds the address itself. */
  readonly allowPrivate?: boolean
  /** A peer named the URL, not the operator: it leads to public addresses only, however it is written. */
  readonly publicOnly?: boolean
  readonly stall?: Ms
  readonly maxSockets?: number
  /** Default: one attempt. */
  readonly retry?: RetryInit
}

/** One line of `daemon.status`. */
export interface EndpointHealth {
  readonly url: string
  readonly type: 'gateway'
  readonly healthy: boolean
  /** Unix milliseconds of the last answer or failure; null before the first. */
  readonly lastCheck: Ms | null
  readonly responseTime: Ms | null
  readonly error?: string
}

export interface GatewaySource extends BlockSource, AsyncDisposable {
  readonly stage: 'gateway'
  readonly url: string
  /** The caller found the bytes of a block to be wrong: counts as a fault. */
  report(outcome: 'corrupt'): void
  health(): EndpointHealth
  /** Ends what is in flight and closes the connections. May be called twice. */
  stop(): Promise<void>
}

/** @throws KithError CONFIG when the URL cannot be used */
export function createGatewaySource(components: GatewaySourceComponents, init: GatewaySourceInit): GatewaySource {
  return new HttpGateway(components, init)
}

type Take = Parameters<NonNullable<BlockSession['dag']>>[1]

class HttpGateway implements GatewaySource {
  readonly stage = 'gateway'
  readonly concurrency = SESSION_REQUESTS_MAX
  readonly url: string
  readonly #parts: GatewaySourceComponents
  readonly #init: GatewaySourceInit
  readonly #endpoint: Endpoint
  readonly #http: GatewayHttp
  readonly #breaker: Breaker
  readonly #stop = new AbortController()
  #last: Pick<EndpointHealth, 'lastCheck' | 'responseTime' | 'error'> = { lastCheck: null, responseTime: null }
  /** It asked to be left alone until then. */
  #pausedUntil: Ms = -Infinity
  #rawOnlyUntil: Ms = -Infinity

  constructor(components: GatewaySourceComponents, init: GatewaySourceInit) {
    this.url = init.url
    this.#parts = components
    this.#init = init
    this.#endpoint = parseEndpoint(init.url, init)
    this.#http = new GatewayHttp(components, {
      endpoint: this.#endpoint,
      maxSockets: init.maxSockets ?? SOCKETS_MAX,
      stall: init.stall ?? STALL_MS
    })
    this.#breaker = new Breaker(components)
  }

  unavailable(): SkipReason | undefined {
    if (this.#stop.signal.aborted) return 'off'
    return this.#breaker.isResting ? 'unhealthy' : undefined
  }

  open(_root: CID): BlockSession {
    const session = new AbortController()
    const unfollow = follow(session, this.#stop.signal)
    const dag: BlockSession['dag'] = async (cid, take, options) => {
      await this.#dag(cid, take, session.signal, options)
    }
    return {
      get: async (cid, options) => await this.#get(cid, session.signal, options),
      ...(this.#parts.clock.monotonic() < this.#rawOnlyUntil ? {} : { dag }),
      close: () => {
        unfollow()
        session.abort(closedError())
      }
    }
  }

  report(_outcome: 'corrupt'): void {
    this.#breaker.mismatched()
    this.#last = { ...this.#last, error: 'the gateway sent bytes that are not the block' }
  }

  health(): EndpointHealth {
    return { url: this.url, type: 'gateway', healthy: this.unavailable() === undefined, ...this.#last }
  }

  async stop(): Promise<void> {
    this.#stop.abort(closedError())
    await this.#http.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #get(cid: CID, session: AbortSignal, options: SearchOptions): Promise<Uint8Array> {
    return await this.#patiently(session, options, async patience => {
      return await readBlock(await this.#http.get(this.#endpoint.blockUrl(cid), RAW_TYPE, patience.signal))
    })
  }

  async #dag(root: CID, take: Take, session: AbortSignal, options: SearchOptions): Promise<void> {
    let taken = 0
    let refusal: { readonly error: unknown } | undefined
    const counted: Take = async (cid, bytes) => {
      taken += 1
      await take(cid, bytes).catch((error: unknown) => {
        refusal = { error }
        throw error
      })
    }
    const ask = async (patience: Patience): Promise<void> => {
      await this.#car(root, counted, patience).catch((error: unknown) => {
        if (refusal === undefined) throw error // else the taker is to be heard, and the gateway did answer
      })
    }
    await this.#patiently(session, options, ask, () => taken === 0)
    if (refusal !== undefined) throw refusal.error
  }

  /** Every block of a CAR. Ends at once, without any, where the gateway has no CARs to give. */
  async #car(root: CID, take: Take, patience: Patience): Promise<void> {
    const answer = await this.#http.get(this.#endpoint.carUrl(root), CAR_ACCEPT, patience.signal, NO_CAR)
    if (answer.status !== 200 || !answer.contentType.startsWith(CAR_TYPE)) {
      answer.discard()
      this.#rawOnlyUntil = this.#parts.clock.monotonic() + RAW_ONLY_MS
      return
    }
    const car = await openCar(answer.body)
    for await (const { cid, bytes } of car.blocks()) {
      patience.pause()
      await take(cid, bytes)
      patience.renew()
    }
  }

  /** Asks, and asks again as long as that may help; books what came of it. `mayRepeat`: nothing has been handed on yet. */
  async #patiently<T>(
    session: AbortSignal,
    options: SearchOptions,
    ask: (patience: Patience) => Promise<T>,
    mayRepeat: () => boolean = () => true
  ): Promise<T> {
    options.signal?.throwIfAborted()
    session.throwIfAborted()
    using patience = new Patience(this.#parts.clock, this.#init.timeout, session, options)
    const { attempts } = this.#init.retry ?? ONCE
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(ask, patience)
      } catch (error) {
        if (patience.signal.aborted) throw patience.signal.reason
        const pause = this.#pauseAfter(error, attempt)
        if (attempt >= attempts || pause === undefined || pause >= patience.remaining() || !mayRepeat() || this.#hasFailed()) throw error
        await wait(this.#parts.clock, pause, patience)
        if (this.#hasFailed()) throw error // others found it failing meanwhile
      }
    }
  }

  /** Undefined where asking again does not help: wrong bytes, refusals, absence. */
  #pauseAfter(error: unknown, attempt: number): Ms | undefined {
    const { base, max } = this.#init.retry ?? ONCE
    if (error instanceof PauseAskedError) {
      const asked = this.#pausedUntil - this.#parts.clock.monotonic()
      return asked <= max ? Math.max(0, asked) : undefined
    }
    return isPassing(error) ? Math.min(max, base * 2 ** (attempt - 1)) * (0.5 + this.#parts.random.number() / 2) : undefined
  }

  async #attempt<T>(ask: (patience: Patience) => Promise<T>, patience: Patience): Promise<T> {
    const { clock } = this.#parts
    if (this.#hasFailed()) throw new SourceError('refused', `the gateway is left alone for now: ${this.#last.error ?? 'it failed before'}`)
    if (this.#breaker.isResting) throw new PauseAskedError('it is left alone for now')
    const started = clock.monotonic()
    try {
      const result = await ask(patience)
      this.#answered(started)
      return result
    } catch (error) {
      throw this.#judged(error, patience, started)
    }
  }

  /** It rests because of its faults, not because it asked for a pause. */
  #hasFailed(): boolean {
    return this.#breaker.isResting && this.#parts.clock.monotonic() >= this.#pausedUntil
  }

  /** What a failed attempt means for this endpoint, and as what the caller hears of it. */
  #judged(error: unknown, patience: Patience, started: Ms): unknown {
    const failure = asSourceError(error, patience)
    // The caller gave up: that says nothing about the gateway.
    if (failure === undefined) return error
    if (failure instanceof PauseAskedError) this.#leaveAlone(failure.retryAfter ?? COOL_DOWN_MS)
    if (failure.outcome === 'not-found' || failure.outcome === 'refused') this.#answered(started, failure)
    else this.#failed(failure)
    return failure
  }

  #leaveAlone(asked: Ms): void {
    this.#breaker.coolDown(asked)
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#parts.clock.monotonic() + asked)
  }

  #answered(started: Ms, refusal?: SourceError): void {
    const { clock } = this.#parts
    this.#breaker.succeeded()
    const error = refusal?.outcome === 'refused' ? { error: refusal.message } : {}
    this.#last = { lastCheck: clock.now(), responseTime: clock.monotonic() - started, ...error }
  }

  #failed(failure: SourceError): void {
    if (failure.outcome === 'corrupt') this.#breaker.mismatched()
    else this.#breaker.failed()
    this.#last = { ...this.#last, lastCheck: this.#parts.clock.now(), error: failure.message }
    this.#parts.log.debug({ err: failure, url: this.url }, 'a gateway failed')
  }
}

function closedError(): SourceError {
  return new SourceError('refused', 'the gateway was stopped or the session closed')
}
