/**
 * `kith/client`: a program's way to a daemon on the same machine. Light on purpose: it loads neither the daemon nor
 * its dependencies, and runs on Node 20. Calls go as JSON-RPC over one connection, bytes as HTTP bodies.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { KithError } from '../errors.ts'
import type { KithEvent } from '../observe/events.ts'
import type { AbortOptions } from '../ports/options.ts'
import { getStream, putStream } from './client-http.ts'
import type { ContentStream, Door, GetStreamOptions } from './client-http.ts'
import { LineClient } from './client-lines.ts'
import type { LineCallOptions, LineClientInit } from './client-lines.ts'
import type { EventFilter, Method } from './method.ts'
import type { PutParams, PutResult } from './services.ts'
import type { MethodTable } from './table.ts'

export { KithError } from '../errors.ts'
export type { ContentStream, GetStreamOptions } from './client-http.ts'
export type { KithEvent } from '../observe/events.ts'
export type * from './services.ts'

export type MethodName = keyof MethodTable
export type ParamsOf<M extends MethodName> = MethodTable[M] extends Method<infer P, infer _R> ? P : never
export type ResultOf<M extends MethodName> = MethodTable[M] extends Method<infer _P, infer R> ? R : never

export interface ConnectOptions {
  /** Path of the socket. */
  readonly socket?: string | undefined
  /** Home of the daemon; default `KITH_HOME`, else `~/.kith`. */
  readonly home?: string | undefined
  /** Access token, where the daemon asks for one (`access.socket: token`). */
  readonly token?: string | undefined
}

/** Events held for a reader that is slower than they come, before the daemon is made to hold them. */
const EVENTS_AHEAD_MAX = 256

/** Where the socket is, without looking. */
export function socketPathOf({ socket, home }: ConnectOptions, env: Readonly<Record<string, string | undefined>> = process.env): string {
  const fromEnvironment = env['KITH_HOME'] === '' ? undefined : env['KITH_HOME']
  return socket ?? join(home ?? fromEnvironment ?? join(homedir(), '.kith'), 'api.sock')
}

/** @throws KithError UNAVAILABLE with `data.notRunning` if no daemon answers · UNAUTHORIZED if it does not take the token */
export async function connect(options: ConnectOptions = {}, { signal }: AbortOptions = {}): Promise<KithClient> {
  const door = { socketPath: socketPathOf(options), token: options.token }
  return new KithClient(door, await openLines(door, { signal }))
}

interface OpenOptions extends LineClientInit, AbortOptions {}

/** A connection that has logged in, if there is a token to do it with. */
async function openLines({ socketPath, token }: Door, { signal, ...init }: OpenOptions): Promise<LineClient> {
  const lines = await LineClient.open(socketPath, init)
  if (token === undefined) return lines
  try {
    await lines.call('auth.login', { token }, { signal })
    return lines
  } catch (error) {
    lines.close()
    throw error
  }
}

export class KithClient {
  readonly socketPath: string
  readonly #token: string | undefined
  readonly #lines: LineClient

  constructor({ socketPath, token }: Door, lines: LineClient) {
    this.socketPath = socketPath
    this.#token = token
    this.#lines = lines
  }

  /** Calls a method of the table. @throws KithError with the daemon's code, message and data */
  async call<M extends MethodName>(method: M, params: ParamsOf<M>, options?: LineCallOptions): Promise<ResultOf<M>>
  async call(method: string, params: unknown, options?: LineCallOptions): Promise<unknown> {
    return await this.request(method, params, options)
  }

  /** Calls any method by name, unchecked: for tools that pass on what a person wrote. */
  async request(method: string, params?: unknown, options?: LineCallOptions): Promise<unknown> {
    return await this.#lines.call(method, params, options)
  }

  /**
   * What happens at the node, as it happens, over a connection of its own. A reader that is too slow gets one
   * `events.dropped` in place of what it missed. Leave the loop, or abort, to end it.
   */
  async *events(filter: EventFilter = {}, options: AbortOptions = {}): AsyncGenerator<KithEvent> {
    yield* this.#pushed('events.subscribe', filter, options)
  }

  /** The messages of a topic, as {@link events} gives events: `pubsub.message` with `topic`, `from`, `did` and `data` (base64). */
  async *messages(topic: string, options: AbortOptions = {}): AsyncGenerator<KithEvent> {
    yield* this.#pushed('pubsub.subscribe', { topic }, options)
  }

  async *#pushed(method: MethodName, params: object, { signal }: AbortOptions): AsyncGenerator<KithEvent> {
    const inbox = new Inbox()
    const lines = await openLines(this.#door, {
      signal,
      onEvent: event => inbox.put(event, lines),
      onClose: reason => inbox.fail(reason)
    })
    const leave = (): void => lines.close()
    signal?.addEventListener('abort', leave, { once: true })
    try {
      await lines.call(method, params, { signal })
      yield* inbox.take(lines)
    } finally {
      signal?.removeEventListener('abort', leave)
      lines.close()
    }
  }

  /** Stores a stream of any length. */
  async put(body: AsyncIterable<Uint8Array>, params: PutParams = {}, options: AbortOptions = {}): Promise<PutResult> {
    return await putStream(this.#door, body, params, options)
  }

  /** Opens a content as a stream of verified bytes. @throws KithError IS_DIRECTORY for directories */
  async get(content: string, options: GetStreamOptions = {}): Promise<ContentStream> {
    return await getStream(this.#door, content, options)
  }

  close(): void {
    this.#lines.close()
  }

  get #door(): Door {
    return { socketPath: this.socketPath, token: this.#token }
  }
}

/** Events between the connection and the loop that reads them. */
class Inbox {
  #events: KithEvent[] = []
  #failure: KithError | undefined
  #wake: () => void = () => {}

  put(event: Record<string, unknown>, lines: LineClient): void {
    if (!isEvent(event)) return
    this.#events.push(event)
    if (this.#events.length >= EVENTS_AHEAD_MAX) lines.pause()
    this.#wake()
  }

  fail(reason: KithError): void {
    this.#failure = reason
    this.#wake()
  }

  /** Ends quietly when the reader closed it. */
  async *take(lines: LineClient): AsyncGenerator<KithEvent> {
    for (;;) {
      const events = this.#events
      this.#events = []
      yield* events
      if (this.#events.length > 0) continue
      lines.resume()
      if (this.#failure?.code === 'CANCELLED') return
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }
}

function isEvent(event: Record<string, unknown>): event is KithEvent {
  return typeof event['seq'] === 'number' && typeof event['type'] === 'string' && typeof event['at'] === 'string'
}
