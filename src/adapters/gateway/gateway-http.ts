/**
 * HTTP to a server that is not trusted: bounded in redirects, header bytes and time without a byte of the body, and
 * never let near a private address. What comes back is not verified here. In memory only.
 */
import { Agent, request } from 'undici'
import type { Dispatcher } from 'undici'
import { BLOCK_BYTES_MAX } from '../../model/block.ts'
import { withoutStall } from '../../lib/stall.ts'
import type { Bytes, Ms } from '../../model/units.ts'
import { SourceError } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import { guardedConnector, type ConnectorComponents } from './connector.ts'
import { LedAstrayError, redirectTarget } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

/** Hops after the first: public gateways go from path to subdomain, some once more. */
const REDIRECTS_MAX = 2
/** Bytes of an error page read so that its connection can be used again; more: the connection is closed. */
const ERROR_PAGE_BYTES_MAX: Bytes = 16_384
/** Response headers. A gateway needs a few hundred bytes. */
const HEADER_BYTES_MAX: Bytes = 16_384

/** The server asked to be left alone; `retryAfter` is absent if it did not say how long. */
export class PauseAskedError extends SourceError {
  readonly retryAfter: Ms | undefined
  constructor(said: string, retryAfter?: Ms) {
    super('refused', `the gateway asks for a pause (${said})`)
    this.name = 'PauseAskedError'
    this.retryAfter = retryAfter
  }
}

export interface GatewayHttpComponents extends ConnectorComponents {
  readonly clock: Clock
}

export interface GatewayHttpInit {
  readonly endpoint: Endpoint
  /** Sockets to one host. */
  readonly maxSockets: number
  /** Longest time without a byte of the body. */
  readonly stall: Ms
}

/** Whoever leaves `body` early destroys it, and with it the connection. */
export interface Answer {
  readonly status: number
  readonly contentType: string
  /** What the server declares; 0 if nothing. */
  readonly contentLength: Bytes
  /** @throws SourceError timeout for a stall · the connection's errors */
  readonly body: AsyncGenerator<Uint8Array>
  /** Throws the body away, unread. */
  discard(): void
}

export class GatewayHttp {
  readonly #clock: Clock
  readonly #init: GatewayHttpInit
  readonly #agent: Agent

  constructor(components: GatewayHttpComponents, init: GatewayHttpInit) {
    this.#clock = components.clock
    this.#init = init
    this.#agent = new Agent({
      connections: init.maxSockets,
      connect: guardedConnector(init.endpoint, components),
      maxHeaderSize: HEADER_BYTES_MAX,
      // Time is bounded here, by the clock of the node: the agent's own timers are off.
      headersTimeout: 0,
      bodyTimeout: 0
    })
  }

  /**
   * @param also statuses besides 200 that are an answer
   * @throws SourceError; the reason of `signal`; any other error is the connection's
   */
  async get(url: URL, accept: string, signal: AbortSignal, also: readonly number[] = []): Promise<Answer> {
    let at = url
    for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
      const response = await request(at, { dispatcher: this.#agent, headers: { accept, 'user-agent': 'kith' }, signal })
      if (response.statusCode === 200 || also.includes(response.statusCode)) return this.#answer(response)
      await response.body.dump({ limit: ERROR_PAGE_BYTES_MAX, signal })
      const location = redirectOf(response)
      if (location === undefined) throw statusError(response, this.#clock)
      at = redirectTarget(at, location)
    }
    throw new LedAstrayError(`the gateway redirects more than ${REDIRECTS_MAX} times`)
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  #answer({ statusCode, headers, body }: Dispatcher.ResponseData): Answer {
    const { stall } = this.#init
    const type = headers['content-type']
    const stalled = (): SourceError => new SourceError('timeout', `the gateway sent nothing for ${stall} ms`)
    return {
      status: statusCode,
      contentType: typeof type === 'string' ? type : '',
      contentLength: Number(headers['content-length'] ?? 0),
      body: withoutStall(this.#clock, body, stall, stalled),
      discard: () => {
        body.on('error', () => {}).destroy()
      }
    }
  }
}

/** @returns at most BLOCK_BYTES_MAX bytes @throws SourceError corrupt for more */
export async function readBlock(answer: Answer): Promise<Uint8Array> {
  if (answer.contentLength > BLOCK_BYTES_MAX) {
    answer.discard()
    throw tooLarge()
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of answer.body) {
    bytes += chunk.byteLength
    if (bytes > BLOCK_BYTES_MAX) throw tooLarge()
    chunks.push(chunk)
  }
  const [only] = chunks
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, bytes)
}

function redirectOf({ statusCode, headers }: Dispatcher.ResponseData): string | undefined {
  if (![301, 302, 303, 307, 308].includes(statusCode)) return undefined
  const { location } = headers
  return typeof location === 'string' ? location : undefined
}

function statusError({ statusCode, headers }: Dispatcher.ResponseData, clock: Clock): SourceError {
  if ([404, 410, 451, 504].includes(statusCode)) return new SourceError('not-found', `the gateway does not have it (HTTP ${statusCode})`)
  const retryAfter = parseRetryAfter(headers['retry-after'], clock)
  if (statusCode === 429 || (statusCode === 503 && retryAfter !== undefined)) return new PauseAskedError(`HTTP ${statusCode}`, retryAfter)
  if (statusCode >= 400 && statusCode < 500) return new SourceError('refused', `the gateway refuses (HTTP ${statusCode})`)
  return new SourceError('fault', `the gateway answers HTTP ${statusCode}`)
}

/** Seconds or an HTTP date. */
function parseRetryAfter(value: string | string[] | undefined, clock: Clock): Ms | undefined {
  if (typeof value !== 'string') return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - clock.now())
}

function tooLarge(): SourceError {
  return new SourceError('corrupt', `the gateway sends more than ${BLOCK_BYTES_MAX} bytes; no block is that large`)
}
