/** HTTP over the same socket: which request goes where, and what every request has in common. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { KithError } from '../errors.ts'
import { NOBODY } from './access.ts'
import type { Caller } from './access.ts'
import { errorBody } from './error-body.ts'
import { answerError, answerJson, answerWhileSending } from './http-answer.ts'
import type { HttpCall, HttpRoute } from './http-answer.ts'
import { streamEvents } from './http-events.ts'
import { CONTENT_ROUTE, getContent } from './http-get.ts'
import { putContent } from './http-put.ts'
import { answerRpc } from './http-rpc.ts'
import { LoginAttempts } from './login.ts'
import type { RpcParts } from './parts.ts'

interface Route {
  readonly methods: Readonly<Record<string, HttpRoute>>
  /** Streams do not keep a stopping daemon waiting. */
  readonly isEndless?: boolean
}

interface Running {
  readonly route: Route
  readonly call: HttpCall
}

const ROUTES: Readonly<Record<string, Route>> = {
  '/rpc': { methods: { POST: answerRpc } },
  '/content': { methods: { PUT: putContent } },
  '/events': { methods: { GET: streamEvents }, isEndless: true }
}

const CONTENT: Route = { methods: { GET: getContent, HEAD: getContent } }

/** The HTTP requests of one server, so that it can stop them. */
export class HttpRequests {
  readonly #parts: RpcParts
  /** By connection: guessing costs connections. */
  readonly #attempts = new WeakMap<Socket, LoginAttempts>()
  readonly #running = new Map<AbortController, Running>()
  /** Answered while their clients were sending. */
  readonly #lingering = new WeakSet<Socket>()
  readonly #onSettled: () => void
  #isStopping = false
  #isCut = false

  constructor(parts: RpcParts, init: { readonly onSettled: () => void }) {
    this.#parts = parts
    this.#onSettled = init.onSettled
  }

  get running(): number {
    return this.#running.size
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const { path } = splitPath(request.url ?? '')
    const route =
      path.startsWith(CONTENT_ROUTE) && path !== CONTENT_ROUTE ? CONTENT : Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined
    const run = route?.methods[request.method ?? '']
    if (route === undefined)
      return refuse(
        response,
        404,
        new KithError(
          'NOT_FOUND',
          `there is nothing at ${path.slice(0, 200)}. Known: POST /rpc, PUT /content, GET /content/CONTENT[/path], GET /events.`,
          { attempts: [] }
        )
      )
    if (run === undefined) {
      response.setHeader('allow', Object.keys(route.methods).join(', '))
      return refuse(
        response,
        405,
        new KithError('INVALID_REQUEST', `${request.method ?? ''} is not possible here, only ${Object.keys(route.methods).join(', ')}`)
      )
    }
    if (this.#isStopping) return refuse(response, 503, new KithError('UNAVAILABLE', 'the daemon is shutting down'))
    void this.#run(route, run, { request, response })
  }

  /** Ends the endless ones; the others may finish, on connections that close afterwards. */
  stop(): void {
    this.#isStopping = true
    for (const [controller, { route }] of this.#running)
      if (route.isEndless === true) controller.abort(new KithError('CANCELLED', 'the daemon is shutting down'))
  }

  /** Answers with `reason` what has no answer yet, cuts the others amid theirs, and aborts all. */
  abort(reason: KithError): void {
    this.#isCut = true
    for (const [controller, { call }] of this.#running) {
      const { request, response } = call
      if (request.complete || response.headersSent || response.destroyed) answerError(this.#parts, call, reason)
      else {
        this.#lingering.add(request.socket)
        answerWhileSending(call, reason)
      }
      controller.abort(reason)
    }
  }

  /** Whether its client was answered while it was sending: close it when it has had time to read. */
  isLingering(socket: Socket): boolean {
    return this.#lingering.has(socket)
  }

  async #run(route: Route, run: HttpRoute, { request, response }: Pick<HttpCall, 'request' | 'response'>): Promise<void> {
    const controller = new AbortController()
    let call: HttpCall = { request, response, caller: NOBODY, signal: controller.signal }
    this.#running.set(controller, { route, call })
    response.on('close', () => {
      if (!response.writableFinished) controller.abort(new KithError('CANCELLED', 'the client closed the connection'))
    })
    try {
      call = { ...call, caller: this.#callerOf(request) }
      await run({ ...this.#parts, services: this.#parts.servicesFor(call.caller) }, call)
    } catch (error) {
      if (!this.#isCut) answerError(this.#parts, call, error)
    } finally {
      if (this.#isCut) request.resume()
      this.#running.delete(controller)
      this.#onSettled()
    }
  }

  /** @throws KithError UNAUTHORIZED for a header that logs nobody in, even where none is needed · RATE_LIMITED */
  #callerOf({ headers, socket }: IncomingMessage): Caller {
    const { access } = this.#parts
    const { authorization } = headers
    if (authorization === undefined) return access.beforeLogin
    const [, token] = /^Bearer +([^ ]+) *$/i.exec(authorization) ?? []
    if (token === undefined) throw new KithError('UNAUTHORIZED', 'the Authorization header is not understood: it must be "Bearer TOKEN"')
    const attempts = this.#attempts.get(socket) ?? new LoginAttempts()
    this.#attempts.set(socket, attempts)
    return attempts.login(access, token)
  }
}

function splitPath(url: string): { readonly path: string } {
  const mark = url.indexOf('?')
  return { path: mark === -1 ? url : url.slice(0, mark) }
}

function refuse(response: ServerResponse, status: number, error: KithError): void {
  answerJson(response, status, JSON.stringify({ error: errorBody(error) }))
}
