/** The client's end of a JSON-RPC connection: calls out, answers and notifications in. */
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { KithError, toKithError } from '../errors.ts'
import { MIB } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import { errorFromBody, isRecord } from './error-body.ts'
import { LineSplitter } from './line-splitter.ts'

/** Longest answer taken: directories may be listed in one. Bytes. */
const ANSWER_BYTES_MAX = 256 * MIB

export interface LineCallOptions extends AbortOptions {
  /** Told how a long `content.put` or `content.get` goes on. */
  readonly onProgress?: ((progress: Record<string, unknown>) => void) | undefined
}

interface Pending {
  readonly onProgress: LineCallOptions['onProgress']
  resolve(result: unknown): void
  reject(error: KithError): void
}

export interface LineClientInit {
  readonly onEvent?: (event: Record<string, unknown>) => void
  readonly onClose?: (reason: KithError) => void
}

export class LineClient {
  readonly #socket: Socket
  readonly #splitter = new LineSplitter({ limit: () => ANSWER_BYTES_MAX })
  readonly #pending = new Map<number, Pending>()
  readonly #init: LineClientInit
  #closed: KithError | undefined
  #lastId = 0

  /** Opens a connection. @throws KithError UNAVAILABLE with `notRunning: true` if no daemon answers there */
  static async open(socketPath: string, init: LineClientInit = {}): Promise<LineClient> {
    const socket = createConnection({ path: socketPath })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', error => reject(notRunning(socketPath, error)))
    })
    return new LineClient(socket, init)
  }

  constructor(socket: Socket, init: LineClientInit) {
    this.#socket = socket
    this.#init = init
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', error =>
      this.#fail(new KithError('UNAVAILABLE', `the connection to the daemon broke: ${error.message}`, {}, { cause: error }))
    )
    socket.on('close', () => this.#fail(new KithError('UNAVAILABLE', 'the daemon closed the connection')))
  }

  /** @throws KithError as the daemon answered it · CANCELLED by the signal · UNAVAILABLE when the connection is lost */
  async call(method: string, params: unknown, { signal, onProgress }: LineCallOptions = {}): Promise<unknown> {
    if (this.#closed !== undefined) throw this.#closed
    signal?.throwIfAborted()
    const id = ++this.#lastId
    let leave = (): void => {}
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, onProgress })
        leave = () => {
          this.#send({ method: 'call.cancel', params: { id } })
          reject(toKithError(signal?.reason))
        }
        signal?.addEventListener('abort', leave, { once: true })
        this.#send({ id, method, ...(params === undefined ? {} : { params }) })
      })
    } finally {
      signal?.removeEventListener('abort', leave)
      this.#pending.delete(id)
    }
  }

  /** Stops taking events until {@link resume}; the daemon then queues, merges and drops. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    this.#fail(new KithError('CANCELLED', 'this client was closed'))
    this.#socket.destroy()
  }

  #send(message: Record<string, unknown>): void {
    this.#socket.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#splitter.push(chunk)) this.#message(JSON.parse(line))
    } catch (error) {
      this.#fail(toKithError(error))
      this.#socket.destroy()
    }
  }

  #message(message: unknown): void {
    if (!isRecord(message)) return
    const { id, method, params, result, error } = message
    if (method === 'event' && isRecord(params)) return this.#event(params)
    if (isRecord(error) && (id === null || id === undefined)) return this.#fail(readError(error))
    if (typeof id !== 'number') return
    const pending = this.#pending.get(id)
    if (isRecord(error)) pending?.reject(readError(error))
    else pending?.resolve(result)
  }

  #event(event: Record<string, unknown>): void {
    const { call } = event
    const isOwnProgress = event['type'] === 'content.progress' && typeof call === 'number' && event['subscription'] === undefined
    if (isOwnProgress) this.#pending.get(call)?.onProgress?.(event)
    else this.#init.onEvent?.(event)
  }

  #fail(reason: KithError): void {
    if (this.#closed !== undefined) return
    this.#closed = reason
    for (const pending of this.#pending.values()) pending.reject(reason)
    this.#init.onClose?.(reason)
  }
}

/** The daemon cannot be reached: `data.notRunning` tells it from other reasons to be unavailable. */
export function notRunning(socketPath: string, cause: Error): KithError {
  const isDenied = 'code' in cause && cause.code === 'EACCES'
  if (isDenied)
    return new KithError('UNAUTHORIZED', `the daemon's socket ${socketPath} may not be opened by this user`, { socketPath }, { cause })
  return new KithError(
    'UNAVAILABLE',
    `no daemon answers at ${socketPath}. Start one with kithd, or name its socket with --socket.`,
    { socketPath, notRunning: true },
    { cause }
  )
}

function readError(error: Record<string, unknown>): KithError {
  const { code, message, data } = error
  return errorFromBody({ code: typeof code === 'number' ? code : -32603, message: String(message), data })
}
