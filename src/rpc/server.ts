/**
 * The Unix socket: one file, two languages. The first byte that is no white space decides whether a connection
 * speaks JSON-RPC lines or HTTP. Owns the socket file's mode and the connections; stops by draining them.
 */
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { KithError } from '../errors.ts'
import type { AbortOptions } from '../ports/options.ts'
import { HttpRequests } from './http-routes.ts'
import { closeLingering } from './linger.ts'
import { LineConnection } from './line-connection.ts'
import { failure } from './message.ts'
import { rpcParts } from './parts.ts'
import type { RpcComponents, RpcParts } from './parts.ts'

/** The kernel takes 107 bytes on Linux, 103 on macOS: one limit for both. Bytes. */
const SOCKET_PATH_BYTES_MAX = 103
/** Open connections: each costs a descriptor, buffers, and a share of what may be unfinished. */
const CONNECTIONS_MAX = 256
/** Together with those that are being told so and turned away; beyond, nobody is told. */
const CONNECTIONS_SEEN_MAX = 1024
/** An HTTP head that takes longer is no client of ours. Milliseconds. */
const HEADERS_TIMEOUT_MS = 20_000
/** How often that is looked at. Milliseconds. */
const TIMEOUT_CHECK_MS = 5_000
/** An idle HTTP connection is kept for the next request. Milliseconds. */
const KEEP_ALIVE_MS = 60_000
/** Blanks before the first message; more is noise. Bytes. */
const BLANKS_MAX = 4096
/** So long a client may take to read the last answer of a server that stops. Milliseconds. */
const LAST_ANSWER_MS = 1_000
/** Only the owner may open the socket: 0600. */
const SOCKET_UMASK = 0o177

export interface RpcServer {
  readonly socketPath: string
  /** Open connections. */
  connections(): number
  /** Takes no more, lets running calls end until `signal`, then cuts what is left. */
  stop(options: AbortOptions): Promise<void>
}

/**
 * @throws KithError START_FAILED when the path is too long or taken; a stale file is the caller's to remove
 */
export async function startRpcServer(components: RpcComponents, init: { readonly socketPath: string }): Promise<RpcServer> {
  const { socketPath } = init
  const length = Buffer.byteLength(socketPath)
  if (length > SOCKET_PATH_BYTES_MAX)
    throw new KithError(
      'START_FAILED',
      `the socket path is ${length} bytes long, at most ${SOCKET_PATH_BYTES_MAX} are possible: ${socketPath}. Set a shorter one with api.socket in the configuration (and --socket for kith), or choose a shorter home.`,
      { length, limit: SOCKET_PATH_BYTES_MAX }
    )
  const server = new UnixRpcServer(components, socketPath)
  await server.listen()
  return server
}

class UnixRpcServer implements RpcServer {
  readonly socketPath: string
  readonly #components: RpcParts
  readonly #http: Server
  readonly #requests: HttpRequests
  readonly #sockets = new Set<Socket>()
  readonly #lines = new Set<LineConnection>()
  #isStopping = false
  #onIdle: () => void = () => {}

  constructor(components: RpcComponents, socketPath: string) {
    this.socketPath = socketPath
    this.#components = rpcParts(components)
    this.#requests = new HttpRequests(this.#components, { onSettled: () => this.#settled() })
    // A transfer may last for hours: only heads have a deadline, bodies are watched for stalls where they are read.
    this.#http = createServer(
      {
        requestTimeout: 0,
        headersTimeout: HEADERS_TIMEOUT_MS,
        connectionsCheckingInterval: TIMEOUT_CHECK_MS,
        keepAliveTimeout: KEEP_ALIVE_MS
      },
      (request, response) => this.#requests.handle(request, response)
    )
    this.#wrapConnectionListener()
  }

  connections(): number {
    return this.#sockets.size
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', (error: NodeJS.ErrnoException) => reject(this.#listenError(error)))
      this.#http.once('listening', resolve)
      const before = process.umask(SOCKET_UMASK)
      try {
        this.#http.listen({ path: this.socketPath })
      } finally {
        process.umask(before)
      }
    })
    this.#http.removeAllListeners('error')
    this.#http.on('error', error => this.#components.log.error({ err: error }, 'the control socket failed'))
  }

  async stop({ signal }: AbortOptions): Promise<void> {
    this.#isStopping = true
    const closed = new Promise<void>(resolve => this.#http.close(() => resolve()))
    this.#requests.stop()
    for (const line of this.#lines) line.stop()
    await this.#idle(signal)
    this.#cut(new KithError('UNAVAILABLE', 'the daemon is shutting down; ask again when it is back'))
    await closed
  }

  /** Calls that still run are answered with `reason`; who does not read it in time is cut off. */
  #cut(reason: KithError): void {
    for (const line of this.#lines) line.cut(reason)
    this.#requests.abort(reason)
    for (const socket of this.#sockets) {
      if (!this.#requests.isLingering(socket)) socket.destroySoon()
      const cancel = this.#components.clock.after(LAST_ANSWER_MS, () => socket.destroy())
      socket.on('close', cancel)
    }
  }

  /** Trap: an HTTP server enforces its time-outs only on connections of its own, so it has to be the one that listens. */
  #wrapConnectionListener(): void {
    const speakHttp = this.#http.listeners('connection')
    this.#http.removeAllListeners('connection')
    this.#http.on('connection', (socket: Socket) => {
      const isTooMany = this.#sockets.size >= CONNECTIONS_MAX
      this.#sockets.add(socket)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        this.#settled()
      })
      // A client that vanishes is no error of this side: 'close' follows and does the cleaning up.
      socket.on('error', error => this.#components.log.debug({ err: error }, 'a connection to the control socket broke'))
      if (this.#sockets.size > CONNECTIONS_SEEN_MAX) return void socket.destroy()
      if (isTooMany) return this.#turnAway(socket)
      this.#sniff(socket, () => {
        for (const listener of speakHttp) listener.call(this.#http, socket)
      })
    })
  }

  #sniff(socket: Socket, speakHttp: () => void): void {
    let blanks = 0
    const look = (chunk: Buffer): void => {
      const at = chunk.findIndex(byte => !isBlank(byte))
      blanks += at === -1 ? chunk.byteLength : at
      if (at === -1 && blanks <= BLANKS_MAX) return
      socket.removeListener('data', look)
      socket.removeListener('end', gone)
      socket.pause()
      const rest = chunk.subarray(Math.max(at, 0))
      const language = at === -1 ? 'unknown' : languageOf(rest[0] ?? 0)
      if (language === 'unknown') return this.#refuse(socket)
      socket.unshift(rest)
      if (language === 'lines') this.#speakLines(socket)
      else speakHttp()
      process.nextTick(() => socket.resume())
    }
    const gone = (): void => void socket.end()
    socket.on('data', look)
    socket.on('end', gone)
  }

  #speakLines(socket: Socket): void {
    const line = new LineConnection(this.#components, { socket })
    this.#lines.add(line)
    socket.on('close', () => {
      this.#lines.delete(line)
      this.#settled()
    })
    line.start()
    if (this.#isStopping) line.stop()
  }

  #refuse(socket: Socket): void {
    socket.write(`${failure(null, new KithError('PARSE_ERROR', 'this socket speaks JSON-RPC 2.0, one message a line, and HTTP/1.1'))}\n`)
    closeLingering(socket, this.#components.clock)
  }

  #turnAway(socket: Socket): void {
    const message = `${CONNECTIONS_MAX} connections to this daemon are open, and it takes no more. Close some, or share one: calls run side by side.`
    socket.write(`${failure(null, new KithError('UNAVAILABLE', message, { limit: CONNECTIONS_MAX }))}\n`)
    closeLingering(socket, this.#components.clock)
  }

  #running(): number {
    let running = this.#requests.running
    for (const line of this.#lines) running += line.running
    return running
  }

  #settled(): void {
    if (this.#running() === 0 && this.#lines.size === 0) this.#onIdle()
  }

  /** Until nothing runs, or the time is up. */
  async #idle(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>(resolve => {
      this.#onIdle = resolve
      if (signal?.aborted === true) resolve()
      else signal?.addEventListener('abort', () => resolve(), { once: true })
      this.#settled()
    })
  }

  #listenError(error: NodeJS.ErrnoException): KithError {
    const taken = error.code === 'EADDRINUSE'
    const why = taken ? 'another process listens there, or a file is in the way' : error.message
    return new KithError(
      'START_FAILED',
      `the control socket ${this.socketPath} cannot be opened: ${why}. ${taken ? 'Stop the other daemon, or choose another path with api.socket.' : 'Check that the directory exists and may be written.'}`,
      { socketPath: this.socketPath, reason: error.code },
      { cause: error }
    )
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
}

function languageOf(byte: number): 'lines' | 'http' | 'unknown' {
  const character = String.fromCharCode(byte)
  if (character === '{' || character === '[') return 'lines'
  return /[A-Za-z]/.test(character) ? 'http' : 'unknown'
}
