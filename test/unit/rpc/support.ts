/** A server on a real Unix socket with fake services, and clients rough enough to be rude to it. */
import { request } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { startRpcServer } from '../../../src/rpc/server.ts'
import type { RpcServer } from '../../../src/rpc/server.ts'
import { fakeServices } from '../../support/fake-services.ts'
import type { FakeServices } from '../../support/fake-services.ts'
import { silentLog } from '../../support/silent-log.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

export interface RpcFixture extends AsyncDisposable {
  readonly home: string
  readonly socketPath: string
  readonly services: FakeServices
  readonly clock: VirtualClock
  readonly server: RpcServer
}

export async function rpcFixture(): Promise<RpcFixture> {
  const directory = await temporaryDirectory()
  const clock = new VirtualClock()
  const services = fakeServices({ clock })
  const socketPath = join(directory.path, 'api.sock')
  const server = await startRpcServer({ services, clock, log: silentLog }, { socketPath })
  return {
    home: directory.path,
    socketPath,
    services,
    clock,
    server,
    async [Symbol.asyncDispose]() {
      await server.stop({ signal: AbortSignal.abort() })
      await directory[Symbol.asyncDispose]()
    }
  }
}

/** What a server may send; tests look at what they expect. */
export interface Message {
  readonly jsonrpc: string
  readonly id?: unknown
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly code: number; readonly message: string; readonly data: Record<string, unknown> }
}

/** A line connection that shows exactly what came over the wire. */
export class RawLines implements Disposable {
  readonly socket: Socket
  #text = ''
  #ended = false
  #wake: () => void = () => {}

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      this.#text += text
      this.#wake()
    })
    socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
    socket.on('error', () => {})
  }

  static async open(socketPath: string, options: { readonly allowHalfOpen?: boolean } = {}): Promise<RawLines> {
    const socket = createConnection({ path: socketPath, ...options })
    await once(socket, 'connect')
    return new RawLines(socket)
  }

  write(text: string): void {
    this.socket.write(text)
  }

  call(method: string, params?: unknown, id: unknown = 1): void {
    this.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) })}\n`)
  }

  /** The next line, or undefined when the server closed. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n')
      if (end !== -1) {
        const line = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 1)
        return line
      }
      if (this.#ended) return undefined
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  /** @throws when the server closed instead */
  async next(): Promise<Message> {
    const line = await this.line()
    if (line === undefined) throw new Error('the server closed the connection')
    return JSON.parse(line) as Message
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface HttpOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array | string
}

export async function openHttp(
  socketPath: string,
  path: string,
  { method = 'GET', headers = {}, body }: HttpOptions = {}
): Promise<IncomingMessage> {
  const sent = request({ socketPath, path, method, headers, agent: false })
  sent.end(body)
  const [response] = await once(sent, 'response')
  sent.on('error', () => {})
  return response
}

export async function http(socketPath: string, path: string, options: HttpOptions = {}): Promise<HttpAnswer> {
  const response = await openHttp(socketPath, path, options)
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part)
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }
}
