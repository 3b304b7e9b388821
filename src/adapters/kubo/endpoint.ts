/** One Kubo: its RPC, how it is doing, and when it is left alone. All of it in memory. */
import { KithError } from '../../errors.ts'
import { Breaker } from '../../lib/breaker.ts'
import { startDeadline } from '../../lib/deadline.ts'
import type { Semaphore } from '../../lib/semaphore.ts'
import type { Ms } from '../../model/units.ts'
import { SourceError } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { AbortOptions } from '../../ports/options.ts'
import { shownAddress } from './api-address.ts'
import { KuboRpc, type KuboRpcInit } from './rpc.ts'
import { asSourceError } from './rpc-error.ts'

/** A Kubo that needs longer to say its version serves nobody. */
const CHECK_MS_MAX: Ms = 5_000

/** One line of `daemon.status`. */
export interface KuboHealth {
  readonly url: string
  readonly type: 'kubo'
  readonly healthy: boolean
  /** Unix milliseconds of the last answer or failure; null before the first. */
  readonly lastCheck: Ms | null
  /** Of the last check; null before the first and after one that failed. */
  readonly responseTime: Ms | null
  readonly error?: string
}

export interface KuboEndpointComponents {
  readonly clock: Clock
  readonly log: Log
  /** One place for each request under way, shared with whoever else opens sockets. */
  readonly sockets?: Semaphore
}

export class KuboEndpoint {
  readonly url: string
  readonly init: KuboRpcInit
  readonly #parts: KuboEndpointComponents
  readonly #rpc: KuboRpc
  readonly #breaker: Breaker
  #isDown = false
  #inFlight = 0
  #last: Pick<KuboHealth, 'lastCheck' | 'responseTime' | 'error'> = { lastCheck: null, responseTime: null }

  constructor(components: KuboEndpointComponents, init: KuboRpcInit) {
    this.url = shownAddress(init.api)
    this.init = init
    this.#parts = components
    this.#rpc = new KuboRpc(components, init)
    this.#breaker = new Breaker(components)
  }

  /** It answered its last check, and has not failed too often since. */
  get isUsable(): boolean {
    return !this.#isDown && !this.#breaker.isResting
  }
  /** Requests under way. */
  get inFlight(): number {
    return this.#inFlight
  }

  health(): KuboHealth {
    return { url: this.url, type: 'kubo', healthy: this.isUsable, ...this.#last }
  }

  /**
   * Runs a request and notes what came of it. When `signal` fires nothing is held against the endpoint.
   *
   * @throws SourceError · the signal's reason · KithError RATE_LIMITED when too many wait for a socket
   */
  async use<T>(work: (rpc: KuboRpc) => Promise<T>, signal: AbortSignal): Promise<T> {
    using _place = await this.#parts.sockets?.acquire({ signal })
    this.#inFlight++
    try {
      const result = await work(this.#rpc)
      this.#answered()
      return result
    } catch (error) {
      signal.throwIfAborted()
      throw this.#judged(toSourceError(error))
    } finally {
      this.#inFlight--
    }
  }

  /** Asks whether it is there. Never rejects: {@link health} tells. */
  async check(options: AbortOptions): Promise<void> {
    const { clock } = this.#parts
    using budget = startDeadline(clock, CHECK_MS_MAX, options)
    const started = clock.monotonic()
    try {
      await this.#rpc.version(budget.signal)
      this.#isDown = false
      this.#last = { lastCheck: clock.now(), responseTime: clock.monotonic() - started }
    } catch (error) {
      if (options.signal?.aborted === true) return
      this.#isDown = true
      const { message } = budget.signal.aborted ? new SourceError('timeout', `no answer within ${CHECK_MS_MAX} ms`) : asSourceError(error)
      this.#last = { lastCheck: clock.now(), responseTime: null, error: message }
    }
  }

  async close(): Promise<void> {
    await this.#rpc.close()
  }

  #judged(failure: SourceError): SourceError {
    if (failure.outcome === 'not-found') {
      this.#answered()
      return failure
    }
    if (failure.outcome === 'corrupt') this.#breaker.mismatched()
    else if (failure.outcome !== 'refused') this.#breaker.failed()
    this.#last = { ...this.#last, lastCheck: this.#parts.clock.now(), error: failure.message }
    this.#parts.log.debug({ err: failure, url: this.url }, 'a Kubo endpoint failed')
    return failure
  }

  #answered(): void {
    this.#breaker.succeeded()
    this.#isDown = false
    this.#last = { lastCheck: this.#parts.clock.now(), responseTime: this.#last.responseTime }
  }
}

/** What does not hash to its address, and what is no CAR, is the endpoint's doing. */
function toSourceError(error: unknown): SourceError {
  if (error instanceof KithError && error.code === 'INTEGRITY') return new SourceError('corrupt', error.message, { cause: error })
  return asSourceError(error)
}
