/**
 * One raw block over HTTP from a server that is not trusted: bounded in bytes, time without a byte and redirects,
 * and never let near a private address. What comes back is not verified here.
 */
import { Agent, buildConnector, request } from 'undici'
import type { Dispatcher } from 'undici'
import { isIP } from 'node:net'
import type { LookupFunction } from 'node:net'
import type { CID } from 'multiformats/cid'
import { BLOCK_BYTES_MAX } from '../../model/block.ts'
import type { Bytes, Ms } from '../../model/units.ts'
import { SourceError } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import { AddressRefusedError, isPublicAddress, publicLookup } from './address-guard.ts'
import { redirectTarget } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

/** Hops after the first: public gateways go from path to subdomain, some once more. */
const REDIRECTS_MAX = 2
/** A server that needs longer to accept a connection is treated as down. */
const CONNECT_MS_MAX: Ms = 10_000
/** Bytes of an error page read so that its connection can be used again; more: the connection is closed. */
const ERROR_PAGE_BYTES_MAX: Bytes = 16_384
/** Response headers. A gateway needs a few hundred bytes. */
const HEADER_BYTES_MAX: Bytes = 16_384

const HEADERS = { accept: 'application/vnd.ipld.raw', 'user-agent': 'kith' }

/** The server asked for a pause; `retryAfter` is absent if it did not say how long. */
export class RateLimitedError extends SourceError {
  readonly retryAfter: Ms | undefined
  constructor(retryAfter: Ms | undefined) {
    super('refused', 'the gateway says: too many requests (HTTP 429)')
    this.name = 'RateLimitedError'
    this.retryAfter = retryAfter
  }
}

export interface BlockRequestsComponents {
  readonly clock: Clock
  /** Name resolution; the system's unless a test forces an answer. */
  readonly lookup?: LookupFunction
}

export interface BlockRequestsInit {
  readonly endpoint: Endpoint
  /** Sockets to one host. */
  readonly maxSockets: number
  /** Longest time without a byte of the body. */
  readonly stall: Ms
}

export class BlockRequests {
  readonly #clock: Clock
  readonly #init: BlockRequestsInit
  readonly #agent: Agent

  constructor(components: BlockRequestsComponents, init: BlockRequestsInit) {
    this.#clock = components.clock
    this.#init = init
    this.#agent = new Agent({
      connections: init.maxSockets,
      connect: guardedConnector(init.endpoint, components.lookup),
      maxHeaderSize: HEADER_BYTES_MAX,
      // Time is bounded here, by the clock of the node: the agent's own timers are off.
      headersTimeout: 0,
      bodyTimeout: 0
    })
  }

  /**
   * @returns at most BLOCK_BYTES_MAX bytes
   * @throws SourceError; the reason of `signal`; any other error is the connection's
   */
  async get(cid: CID, signal: AbortSignal): Promise<Uint8Array> {
    let url = this.#init.endpoint.blockUrl(cid)
    for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
      const response = await request(url, { dispatcher: this.#agent, headers: HEADERS, signal })
      const location = redirectOf(response)
      if (location === undefined) return await this.#read(response, signal)
      await response.body.dump({ limit: ERROR_PAGE_BYTES_MAX, signal })
      url = redirectTarget(url, location)
    }
    throw new SourceError('fault', `the gateway redirects more than ${REDIRECTS_MAX} times`)
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #read(response: Dispatcher.ResponseData, signal: AbortSignal): Promise<Uint8Array> {
    if (response.statusCode === 200) return await this.#body(response)
    await response.body.dump({ limit: ERROR_PAGE_BYTES_MAX, signal })
    throw statusError(response, this.#clock)
  }

  async #body({ headers, body }: Dispatcher.ResponseData): Promise<Uint8Array> {
    const chunks: Uint8Array[] = []
    let bytes = 0
    if (Number(headers['content-length'] ?? 0) > BLOCK_BYTES_MAX) {
      body.on('error', () => {}).destroy()
      throw tooLarge()
    }
    // Leaving the loop by an error destroys the body, and with it the connection.
    for await (const chunk of this.#withoutStall(body)) {
      bytes += chunk.byteLength
      if (bytes > BLOCK_BYTES_MAX) throw tooLarge()
      chunks.push(chunk)
    }
    const [only] = chunks
    return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, bytes)
  }

  async *#withoutStall(body: Dispatcher.ResponseData['body']): AsyncGenerator<Uint8Array> {
    const { stall } = this.#init
    const arm = (): (() => void) =>
      this.#clock.after(stall, () => {
        body.destroy(new SourceError('timeout', `the gateway sent nothing for ${stall} ms`))
      })
    let disarm = arm()
    try {
      for await (const chunk of body) {
        disarm()
        if (chunk instanceof Uint8Array) yield chunk
        disarm = arm()
      }
    } finally {
      disarm()
    }
  }
}

/** Opens sockets to public addresses only, except where the configuration itself names the host. */
function guardedConnector(endpoint: Endpoint, lookup: LookupFunction | undefined): buildConnector.connector {
  const asConfigured = buildConnector({ timeout: CONNECT_MS_MAX, ...(lookup === undefined ? {} : { lookup }) })
  const publicOnly = buildConnector({ timeout: CONNECT_MS_MAX, lookup: publicLookup(lookup) })
  return (options, callback) => {
    const { hostname, port, protocol } = options
    if (endpoint.names(hostname, port, protocol)) return asConfigured(options, callback)
    const address = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
    // The system does not look addresses up, so the guarded lookup would never see them.
    if (isIP(address) !== 0 && !isPublicAddress(address)) return callback(new AddressRefusedError(hostname), null)
    publicOnly(options, callback)
  }
}

function redirectOf({ statusCode, headers }: Dispatcher.ResponseData): string | undefined {
  if (![301, 302, 303, 307, 308].includes(statusCode)) return undefined
  const { location } = headers
  return typeof location === 'string' ? location : undefined
}

function statusError({ statusCode, headers }: Dispatcher.ResponseData, clock: Clock): SourceError {
  if ([404, 410, 451, 504].includes(statusCode)) return new SourceError('not-found', `the gateway does not have it (HTTP ${statusCode})`)
  if (statusCode === 429) return new RateLimitedError(parseRetryAfter(headers['retry-after'], clock))
  if (statusCode >= 400 && statusCode < 500) return new SourceError('refused', `the gateway refuses (HTTP ${statusCode})`)
  return new SourceError('fault', `the gateway answers HTTP ${statusCode}`)
}

/** Seconds or an HTTP date. */
function parseRetryAfter(value: string | string[] | undefined, clock: Clock): Ms | undefined {
  if (typeof value !== 'string') return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : at - clock.now()
}

function tooLarge(): SourceError {
  return new SourceError('corrupt', `the gateway sends more than ${BLOCK_BYTES_MAX} bytes; no block is that large`)
}
