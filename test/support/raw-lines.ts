/** A client of the socket that is rough enough to be rude to it, and shows exactly what came over the wire. */
import { once } from 'node:events'
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'

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
  #asked = 1000
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

  /** One call and its answer, on a connection that has nothing else under way. */
  async ask(method: string, params?: unknown): Promise<Message> {
    this.call(method, params, ++this.#asked)
    for (;;) {
      const message = await this.next()
      if (message.id === this.#asked) return message
    }
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
