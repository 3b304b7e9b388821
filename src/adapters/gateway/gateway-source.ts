/**
 * A trustless HTTP gateway as a source of raw blocks. Owns its connections, its health and when it is left alone;
 * all of it in memory. What it returns is not verified: whoever finds wrong bytes says so by `report`.
 */
import type { LookupFunction } from 'node:net'
import type { CID } from 'multiformats/cid'
import { follow, wait } from '../../lib/deadline.ts'
import type { SkipReason } from '../../model/source.ts'
import type { Ms } from '../../model/units.ts'
import { SourceError } from '../../ports/block-source.ts'
import type { BlockSession, BlockSource } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { AbortOptions } from '../../ports/options.ts'
import type { Random } from '../../ports/random.ts'
import { BlockRequests, RateLimitedError } from './block-request.ts'
import { Breaker } from './breaker.ts'
import { parseEndpoint } from './endpoint.ts'

/** Blocks one retrieval asks a gateway for at once: browsers allow six to eight, and gateways limit by address. */
const SESSION_REQUESTS_MAX = 8
/** Sockets to one host, shared by all sessions; further requests wait inside their time. */
const SOCKETS_MAX = 16
/** Time without a byte of the body. */
const STALL_MS: Ms = 10_000
/** Pause after a 429 that does not say how long. */
const COOL_DOWN_MS: Ms = 30_000

export interface GatewaySourceComponents {
  readonly clock: Clock
  readonly log: Log
  /** For the jitter of retries. */
  readonly random: Pick<Random, 'number'>
  readonly lookup?: LookupFunction
}

export interface GatewaySourceInit {
  /** Base (`https://host`) or a template with `{cid}`. */
  readonly url: string
  /** Longest time for one block, retries included. Milliseconds. */
  readonly timeout: Ms
  /** Lets the configured host, and no other, resolve to a private address. Needless where the URL holds the address itself. */
  readonly allowPrivate?: boolean
  readonly stall?: Ms
  readonly maxSockets?: number
  /** Default: one attempt, the next source is faster than a retry. */
  readonly retry?: { readonly attempts: number; readonly base: Ms; readonly max: Ms }
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

/** What one block may cost: `timeUp` is the signal's reason when it was the time, and not the caller, that ended it. */
interface Budget {
  readonly signal: AbortSignal
  readonly timeUp: SourceError
}

class HttpGateway implements GatewaySource {
  readonly stage = 'gateway'
  readonly concurrency = SESSION_REQUESTS_MAX
  readonly url: string
  readonly #parts: GatewaySourceComponents
  readonly #init: GatewaySourceInit
  readonly #requests: BlockRequests
  readonly #breaker: Breaker
  readonly #stop = new AbortController()
  #last: Pick<EndpointHealth, 'lastCheck' | 'responseTime' | 'error'> = { lastCheck: null, responseTime: null }

  constructor(components: GatewaySourceComponents, init: GatewaySourceInit) {
    this.url = init.url
    this.#parts = components
    this.#init = init
    this.#requests = new BlockRequests(components, {
      endpoint: parseEndpoint(init.url, init),
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
    return {
      get: async (cid, options) => await this.#get(cid, session.signal, options),
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
    await this.#requests.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #get(cid: CID, session: AbortSignal, { signal }: AbortOptions): Promise<Uint8Array> {
    signal?.throwIfAborted()
    session.throwIfAborted()
    const timeUp = new SourceError('timeout', `the gateway did not deliver within ${this.#init.timeout} ms`)
    const controller = new AbortController()
    const unfollow = [follow(controller, session), follow(controller, signal)]
    const cancel = this.#parts.clock.after(this.#init.timeout, () => {
      controller.abort(timeUp)
    })
    try {
      return await this.#attempts(cid, { signal: controller.signal, timeUp })
    } catch (error) {
      throw controller.signal.aborted ? controller.signal.reason : error
    } finally {
      cancel()
      for (const end of unfollow) end()
    }
  }

  async #attempts(cid: CID, budget: Budget): Promise<Uint8Array> {
    const { signal } = budget
    const { attempts, base, max } = this.#init.retry ?? { attempts: 1, base: 0, max: 0 }
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(cid, budget)
      } catch (error) {
        if (attempt >= attempts || !isRetriable(error) || signal.aborted) throw error
        await wait(this.#parts.clock, Math.min(max, base * 2 ** (attempt - 1)) * (0.5 + this.#parts.random.number() / 2), { signal })
      }
    }
  }

  async #attempt(cid: CID, budget: Budget): Promise<Uint8Array> {
    if (this.#breaker.isResting)
      throw new SourceError('refused', `the gateway is left alone for now: ${this.#last.error ?? 'it failed before'}`)
    const started = this.#parts.clock.monotonic()
    try {
      const bytes = await this.#requests.get(cid, budget.signal)
      this.#answered(started)
      return bytes
    } catch (error) {
      throw this.#judged(error, budget, started)
    }
  }

  /** What a failed attempt means for this endpoint, and as what the caller hears of it. */
  #judged(error: unknown, budget: Budget, started: Ms): unknown {
    const failure = asSourceError(error, budget)
    // The caller gave up: that says nothing about the gateway.
    if (failure === undefined) return error
    if (failure instanceof RateLimitedError) this.#breaker.coolDown(failure.retryAfter ?? COOL_DOWN_MS)
    if (failure.outcome === 'not-found' || failure.outcome === 'refused') this.#answered(started, failure)
    else this.#failed(failure)
    return failure
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

/** Undefined when the caller gave up. */
function asSourceError(error: unknown, { signal, timeUp }: Budget): SourceError | undefined {
  if (signal.aborted) return signal.reason === timeUp ? timeUp : undefined
  if (error instanceof SourceError) return error
  return new SourceError('fault', `the connection to the gateway failed: ${causeOf(error)}`, { cause: error })
}

function causeOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Wrong bytes, refusals and absence do not get better by asking again. */
function isRetriable(error: unknown): boolean {
  return error instanceof SourceError && (error.outcome === 'fault' || error.outcome === 'timeout')
}

function closedError(): SourceError {
  return new SourceError('refused', 'the gateway was stopped or the session closed')
}
