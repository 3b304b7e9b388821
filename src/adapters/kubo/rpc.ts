/**
 * What is read from one Kubo over its RPC (https://docs.ipfs.tech/reference/kubo/rpc/): blocks, DAGs as CAR, its version
 * and addresses. Bounded in bytes, in time without a byte and in sockets; follows no redirect. Nothing is verified here.
 *
 * kubo-rpc-client reads a block whole whatever its length, follows redirects, opens any number of sockets and does not see
 * the trailer in which Kubo says that a stream broke off; so it only gives (give.ts), and what is read comes this way.
 */
import { Agent, request } from 'undici'
import type { Dispatcher } from 'undici'
import type { CID } from 'multiformats/cid'
import { withoutStall } from '../../lib/stall.ts'
import { BLOCK_BYTES_MAX } from '../../model/block.ts'
import { KIB } from '../../model/units.ts'
import type { Bytes, Ms } from '../../model/units.ts'
import { SourceError } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AskOptions } from './first-answer.ts'
import { messageOf, statusError } from './rpc-error.ts'

/** An endpoint that needs longer to accept a connection is treated as down. */
const CONNECT_MS_MAX: Ms = 10_000
/** Kubo ends a search itself; if it has not after this much more, it hangs. */
const SEARCH_GRACE_MS: Ms = 5_000
/** Version, addresses or the text of an error: Kubo's are below 10 KiB. */
const SMALL_BODY_BYTES_MAX: Bytes = 256 * KIB
/** Response headers. Kubo needs a few hundred bytes. */
const HEADER_BYTES_MAX: Bytes = 16 * KIB

export interface KuboRpcInit {
  /** The URL below which the methods are. */
  readonly api: URL
  /** The value of the header `authorization`. */
  readonly authorization?: string
  readonly maxSockets: number
  /** Longest search for one block or root. Milliseconds. */
  readonly timeout: Ms
  /** Longest time without a byte of an answer that has begun. Milliseconds. */
  readonly stall: Ms
}

export class KuboRpc {
  readonly #clock: Clock
  readonly #init: KuboRpcInit
  readonly #agent: Agent
  /** A connection of its own for small questions: whether Kubo is there must not wait behind transfers. */
  readonly #aside: Agent

  constructor({ clock }: { readonly clock: Clock }, init: KuboRpcInit) {
    this.#clock = clock
    this.#init = init
    const limits = {
      connect: { timeout: CONNECT_MS_MAX },
      maxHeaderSize: HEADER_BYTES_MAX,
      // Time is bounded here, by the clock of the node: the agent's own timers are off.
      headersTimeout: 0,
      bodyTimeout: 0
    }
    this.#agent = new Agent({ ...limits, connections: init.maxSockets })
    this.#aside = new Agent({ ...limits, connections: 1 })
  }

  /** @throws SourceError; the signal's reason; any other error is the connection's */
  async block(cid: CID, { signal, answered }: AskOptions): Promise<Uint8Array> {
    const { timeout } = this.#init
    const query = { arg: cid.toString(), ...(timeout === Infinity ? {} : { timeout: `${timeout}ms` }) }
    const limit = timeout + SEARCH_GRACE_MS
    const late = new SourceError('timeout', `Kubo did not answer within ${limit} ms`)
    const response = await this.#search('block/get', query, late, limit, signal)
    answered()
    return await this.#whole(response, BLOCK_BYTES_MAX)
  }

  /** The bytes of a CAR of everything below `root`, Kubo fetching what it lacks. Throws as {@link block}, also on the way. */
  async car(root: CID, { signal, answered }: AskOptions): Promise<AsyncIterable<Uint8Array>> {
    const { timeout } = this.#init
    // Kubo answers when it has found the root; its own time-out would end the transfer, not the search.
    const late = new SourceError('not-found', `Kubo found nothing within ${timeout} ms`)
    const response = await this.#search('dag/export', { arg: root.toString(), progress: 'false' }, late, timeout, signal)
    answered()
    return this.#bytes(response)
  }

  /** @throws SourceError fault when something else than Kubo answers */
  async version(signal: AbortSignal): Promise<string> {
    const { Version } = await this.#small('version', signal)
    if (typeof Version !== 'string') throw notKubo()
    return Version
  }

  /** Multiaddrs ending in `/p2p/PEERID`, as Kubo gives them. */
  async addresses(signal: AbortSignal): Promise<string[]> {
    const { Addresses } = await this.#small('id', signal)
    return Array.isArray(Addresses) ? Addresses.filter(address => typeof address === 'string') : []
  }

  async close(): Promise<void> {
    await Promise.all([this.#agent.destroy(), this.#aside.destroy()])
  }

  async #small(method: string, signal: AbortSignal): Promise<{ readonly Version?: unknown; readonly Addresses?: unknown }> {
    const body = await this.#whole(await this.#post(method, {}, signal, this.#aside), SMALL_BODY_BYTES_MAX)
    const answer = parsed(Buffer.from(body).toString())
    if (typeof answer !== 'object' || answer === null) throw notKubo()
    return answer
  }

  /** A call that may take as long as a search; `late` ends it when the answer has not begun by then. */
  async #search(method: string, query: Record<string, string>, late: SourceError, limit: Ms, signal: AbortSignal) {
    if (limit === Infinity) return await this.#post(method, query, signal)
    const controller = new AbortController()
    const cancel = this.#clock.after(limit, () => {
      controller.abort(late)
    })
    try {
      // It cannot fire once the timer is off, so it may stay with the request to its end.
      return await this.#post(method, query, AbortSignal.any([signal, controller.signal]))
    } finally {
      cancel()
    }
  }

  async #post(method: string, query: Record<string, string>, signal: AbortSignal, agent = this.#agent): Promise<Dispatcher.ResponseData> {
    const url = new URL(`${this.#init.api.href}/${method}`)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const { authorization } = this.#init
    const response = await request(url, {
      method: 'POST',
      dispatcher: agent,
      headers: { 'user-agent': 'kith', ...(authorization === undefined ? {} : { authorization }) },
      signal
    })
    if (response.statusCode === 200) return response
    throw statusError(response.statusCode, messageOf(await this.#text(response)))
  }

  /** An error's text; what is too long or breaks off says nothing worth having. */
  async #text(response: Dispatcher.ResponseData): Promise<string> {
    try {
      return Buffer.from(await this.#whole(response, SMALL_BODY_BYTES_MAX)).toString()
    } catch {
      return ''
    }
  }

  async #whole(response: Dispatcher.ResponseData, bytesMax: Bytes): Promise<Uint8Array> {
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of this.#bytes(response)) {
      bytes += chunk.byteLength
      if (bytes > bytesMax) throw new SourceError('corrupt', `Kubo sends more than ${bytesMax} bytes where no answer is that long`)
      chunks.push(chunk)
    }
    const [only] = chunks
    return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, bytes)
  }

  /** Leaving the loop early destroys the body, and with it the connection. */
  async *#bytes({ body, trailers }: Dispatcher.ResponseData): AsyncGenerator<Uint8Array> {
    const { stall } = this.#init
    yield* withoutStall(this.#clock, body, stall, () => new SourceError('timeout', `Kubo sent nothing for ${stall} ms`))
    const broken = trailers['x-stream-error']
    if (broken !== undefined) throw statusError(500, broken)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw notKubo()
  }
}

function notKubo(): SourceError {
  return new SourceError('fault', 'what answers at this address is not Kubo')
}
