/**
 * IPFS by one or several Kubo nodes over their RPC: a source of blocks and of whole DAGs, and a place to provide public
 * roots. Owns the connections and what is known of each endpoint, all of it in memory. What Kubo gives is not believed:
 * blocks are hashed here only to know whom to blame, and again by whoever asked.
 */
import type { CID } from 'multiformats/cid'
import { openCar } from '../../dag/car.ts'
import { KithError } from '../../errors.ts'
import { follow } from '../../lib/deadline.ts'
import type { Semaphore } from '../../lib/semaphore.ts'
import { withRetries, type RetryInit } from '../../lib/retry.ts'
import { verifyBlock } from '../../model/block.ts'
import type { SkipReason } from '../../model/source.ts'
import type { Ms } from '../../model/units.ts'
import { SourceError } from '../../ports/block-source.ts'
import type { BlockSession, BlockSource } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ContentRouting, ProvidedRoot } from '../../ports/content-routing.ts'
import type { Log } from '../../ports/log.ts'
import type { AbortOptions } from '../../ports/options.ts'
import type { Random } from '../../ports/random.ts'
import { parseApiAddress } from './api-address.ts'
import { KuboEndpoint, type KuboHealth } from './endpoint.ts'
import { firstAnswer, type AskOptions } from './first-answer.ts'
import { give } from './give.ts'

/** Blocks one retrieval asks for at once: Kubo beside us answers within a millisecond, one far away within a few hundred. */
const SESSION_REQUESTS_MAX = 16
/** Sockets to one endpoint, shared by all sessions; further requests wait inside their time. */
const SOCKETS_MAX = 50
/** Time without a byte of an answer that has begun; the project's limit for every stall. */
const STALL_MS: Ms = 30_000
/** Between two checks of an endpoint. */
const CHECK_INTERVAL_MS: Ms = 30_000
/** Asking again after faults, unless configured. */
const RETRY: RetryInit = { attempts: 3, base: 1000, max: 60_000 }

export interface KuboSourceComponents {
  readonly clock: Clock
  readonly log: Log
  /** For the jitter of retries. */
  readonly random: Pick<Random, 'number'>
  /** One place for each request under way, shared with the gateways (`limits.maxSockets`). */
  readonly sockets?: Semaphore
}

export interface KuboSourceInit {
  /** Multiaddrs or URLs of the RPC of nodes that are as good as each other; the first is the primary. Not empty. */
  readonly api: readonly string[]
  /** Longest search for one block or root at one endpoint; 0: as long as the caller waits. Milliseconds. */
  readonly timeout: Ms
  /** User and password of basic authentication. */
  readonly auth?: { readonly projectId: string; readonly projectSecret: string }
  readonly retry?: RetryInit
  /** To one endpoint. */
  readonly maxSockets?: number
  readonly stall?: Ms
}

export interface KuboSource extends BlockSource, ContentRouting, AsyncDisposable {
  readonly stage: 'ipfs'
  /** The endpoint that would be asked first now. */
  readonly url: string
  /** Begins to check the endpoints, now and every 30 s; does not wait for them. */
  start(): void
  /** Asks every endpoint whether it is there; then {@link health} tells. */
  check(options: AbortOptions): Promise<void>
  /** One entry an endpoint, in the order configured. */
  health(): KuboHealth[]
  /** Where the first endpoint that answers can be dialled: multiaddrs. @throws SourceError */
  swarmAddresses(options: AbortOptions): Promise<string[]>
  /** Ends what is in flight and closes the connections. May be called twice. */
  stop(): Promise<void>
}

/** @throws KithError CONFIG when an address cannot be used */
export function createKuboSource(components: KuboSourceComponents, init: KuboSourceInit): KuboSource {
  return new KuboNodes(components, init)
}

class KuboNodes implements KuboSource {
  readonly stage = 'ipfs'
  readonly concurrency = SESSION_REQUESTS_MAX
  readonly #parts: KuboSourceComponents
  readonly #retry: RetryInit
  readonly #endpoints: readonly [KuboEndpoint, ...KuboEndpoint[]]
  readonly #stop = new AbortController()
  #cancelCheck = (): void => {}

  constructor(components: KuboSourceComponents, init: KuboSourceInit) {
    this.#parts = components
    this.#retry = init.retry ?? RETRY
    const [primary, ...others] = init.api.map(written => new KuboEndpoint(components, endpointInit(written, init)))
    if (primary === undefined)
      throw new KithError('CONFIG', 'ipfs.api names no endpoint, but ipfs.type is kubo; it looks like /ip4/127.0.0.1/tcp/5001')
    this.#endpoints = [primary, ...others]
  }

  get url(): string {
    return (this.#usable()[0] ?? this.#endpoints[0]).url
  }

  start(): void {
    const checkAndWait = (): void => {
      void this.check({})
      this.#cancelCheck = this.#parts.clock.after(CHECK_INTERVAL_MS, checkAndWait)
    }
    checkAndWait()
  }

  async check(options: AbortOptions): Promise<void> {
    await this.#within(options, async signal => {
      await Promise.all(
        this.#endpoints.map(async endpoint => {
          await endpoint.check({ signal })
        })
      )
    })
  }

  health(): KuboHealth[] {
    return this.#endpoints.map(endpoint => endpoint.health())
  }

  unavailable(): SkipReason | undefined {
    if (this.#stop.signal.aborted) return 'off'
    return this.#usable().length === 0 ? 'unhealthy' : undefined
  }

  open(_root: CID): BlockSession {
    const session = new AbortController()
    const unfollow = follow(session, this.#stop.signal)
    return {
      get: async (cid, options) => await this.#within(options, async signal => await this.#get(cid, signal), session.signal),
      dag: async (root, take, options) => {
        await this.#within(options, async (signal, end) => await this.#dag(root, take, signal, end), session.signal)
      },
      close: () => {
        unfollow()
        session.abort(closedError())
      }
    }
  }

  async provide(content: ProvidedRoot, options: AbortOptions): Promise<void> {
    await this.#within(options, async (signal, end) => {
      // The CAR can be read once only, so whoever gets it has to be there.
      const endpoint = await this.#ask(async (candidate, { signal: asked }) => {
        await candidate.use(async rpc => await rpc.version(asked), asked)
        return candidate
      }, signal)
      // That it cannot be read is not the endpoint's doing; the client would only say that the call was given up.
      const readable = async function* (reading: AbortOptions): AsyncGenerator<Uint8Array> {
        try {
          yield* content.car(reading)
        } catch (error) {
          end(error)
          throw error
        }
      }
      await endpoint.use(async () => await give(endpoint.init, { root: content.root, car: readable }, this.#parts.log, signal), signal)
    })
  }

  async swarmAddresses(options: AbortOptions): Promise<string[]> {
    return await this.#within(
      options,
      async signal =>
        await this.#ask(async (endpoint, { signal: asked }) => await endpoint.use(async rpc => await rpc.addresses(asked), asked), signal)
    )
  }

  async stop(): Promise<void> {
    this.#stop.abort(closedError())
    this.#cancelCheck()
    await Promise.all(this.#endpoints.map(async endpoint => await endpoint.close()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #get(cid: CID, signal: AbortSignal): Promise<Uint8Array> {
    const ask = async (endpoint: KuboEndpoint, options: AskOptions): Promise<Uint8Array> =>
      await endpoint.use(async rpc => verifyBlock(cid, await rpc.block(cid, options)).bytes, options.signal)
    return await withRetries(this.#parts, this.#retry, { attempt: async () => await this.#ask(ask, signal), mayPass }, { signal })
  }

  /**
   * Before the first block another endpoint may take over; then a break ends the call: a second answer would bring all of
   * it again, and the caller knows which blocks to ask for instead.
   *
   * @param end ends the whole call with an error
   */
  async #dag(root: CID, take: Take, signal: AbortSignal, end: (error: unknown) => void): Promise<void> {
    let hasBegun = false
    const ask = async (endpoint: KuboEndpoint, options: AskOptions): Promise<void> => {
      const eitherSignal = AbortSignal.any([options.signal, signal])
      try {
        await endpoint.use(async rpc => {
          const car = await openCar(await rpc.car(root, options))
          for await (const { cid, bytes } of car.blocks()) {
            eitherSignal.throwIfAborted()
            await take(cid, bytes).catch((error: unknown) => {
              if (!isOfEndpoint(error)) end(error)
              throw error
            })
            hasBegun = true
          }
        }, eitherSignal)
      } catch (error) {
        if (hasBegun) end(error)
        throw error
      }
    }
    const attempt = async (): Promise<void> => await this.#ask(ask, signal)
    await withRetries(this.#parts, this.#retry, { attempt, mayPass }, { signal })
  }

  async #ask<T>(ask: (endpoint: KuboEndpoint, options: AskOptions) => Promise<T>, signal: AbortSignal): Promise<T> {
    const usable = this.#usable()
    if (usable.length === 0) throw new SourceError('refused', `every Kubo endpoint is left alone for now: ${this.#complaint()}`)
    return await firstAnswer(this.#parts.clock, usable, ask, { signal })
  }

  /** Fewest requests in flight first; of equals, in the order configured. */
  #usable(): KuboEndpoint[] {
    return this.#endpoints.filter(endpoint => endpoint.isUsable).sort((one, other) => one.inFlight - other.inFlight)
  }

  #complaint(): string {
    return this.health().flatMap(({ error }) => error ?? [])[0] ?? 'it failed before'
  }

  /** Runs `work` with a signal that fires for the caller, the session and the end of the source. */
  async #within<T>(
    options: AbortOptions,
    work: (signal: AbortSignal, end: (error: unknown) => void) => Promise<T>,
    session: AbortSignal = this.#stop.signal
  ): Promise<T> {
    options.signal?.throwIfAborted()
    session.throwIfAborted()
    const controller = new AbortController()
    const unfollow = [follow(controller, session), follow(controller, options.signal)]
    const end = (error: unknown): void => {
      controller.abort(error)
    }
    try {
      return await work(controller.signal, end)
    } catch (error) {
      throw controller.signal.aborted ? controller.signal.reason : error
    } finally {
      for (const stop of unfollow) stop()
    }
  }
}

type Take = (cid: CID, bytes: Uint8Array) => Promise<void>

function endpointInit(written: string, { timeout, auth, maxSockets = SOCKETS_MAX, stall = STALL_MS }: KuboSourceInit) {
  const authorization = auth && `Basic ${Buffer.from(`${auth.projectId}:${auth.projectSecret}`).toString('base64')}`
  return {
    api: parseApiAddress(written),
    timeout: timeout === 0 ? Infinity : timeout,
    maxSockets,
    stall,
    ...(authorization === undefined ? {} : { authorization })
  }
}

/** Wrong bytes, refusals and absence do not get better by asking again. */
function mayPass(error: unknown): boolean {
  return error instanceof SourceError && (error.outcome === 'fault' || error.outcome === 'timeout')
}

/** What the taker of a block found wrong with it; anything else is this node's own trouble. */
function isOfEndpoint(error: unknown): boolean {
  return error instanceof SourceError || (error instanceof KithError && error.code === 'INTEGRITY')
}

function closedError(): SourceError {
  return new SourceError('refused', 'the connection to Kubo was closed, or the session')
}
