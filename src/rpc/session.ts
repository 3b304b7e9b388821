/**
 * JSON-RPC 2.0 for one connection or one HTTP request: reads messages, runs the methods of the table, answers.
 * Knows nothing of sockets. A crash loses the calls that run; what they had acknowledged is durable elsewhere.
 */
import { KithError, toKithError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { authorize } from './access.ts'
import type { Caller } from './access.ts'
import { errorBody, isRecord } from './error-body.ts'
import type { CallConnection, CallContext, EventFilter } from './method.ts'
import type { Progress, Services } from './services.ts'
import { findMethod } from './table.ts'

/** Messages in one batch: its answer is held in memory until the last of them is done. */
const BATCH_MESSAGES_MAX = 100
/** Calls with megabytes of answer that one connection runs at once; as many as retrieval runs itself. Others wait. */
const LARGE_CALLS_MAX = 64
/** Progress reports of one call: five a second. Milliseconds between two. */
const PROGRESS_INTERVAL_MS = 200

export interface RpcComponents {
  readonly services: Services
  readonly log: Log
  readonly clock: Clock
}

export interface RpcSessionInit {
  readonly caller: Caller
  /** Absent on HTTP requests: nothing can be pushed there. */
  readonly push?: {
    subscribe(filter: EventFilter, context: CallContext): string
    unsubscribe(subscription: string): boolean
    progress(call: unknown, progress: Progress): void
  }
  /** The connection takes no more bytes: large answers had better not be made now. */
  isBlocked?(): boolean
  /** Called whenever a call has ended, after its answer was handed over. */
  readonly onSettled?: () => void
}

/** Takes the answer to one message, or undefined when there is nothing to answer. */
export type Reply = (answer: string | undefined) => void

type Id = string | number | null

interface Request {
  readonly method: string
  readonly params: unknown
  /** Absent: a notification. */
  readonly id?: Id
}

/** One running call. `finish` is idempotent: cancelling answers at once, whatever the method does later. */
interface Call {
  readonly request: Request
  readonly controller: AbortController
  finish(answer: string | undefined): void
}

export class RpcSession {
  readonly #components: RpcComponents
  readonly #init: RpcSessionInit
  readonly #calls = new Set<Call>()
  readonly #connection: CallConnection
  readonly #waiting = new Map<Call, () => void>()
  #large = 0
  #running = 0
  #closing: KithError | undefined

  constructor(components: RpcComponents, init: RpcSessionInit) {
    this.#components = components
    this.#init = init
    this.#connection = {
      subscribe: (filter, context) => {
        if (init.push !== undefined) return init.push.subscribe(filter, context)
        throw new KithError('INVALID_REQUEST', 'events cannot be pushed into an HTTP answer: use GET /events, or a line connection')
      },
      unsubscribe: subscription => init.push?.unsubscribe(subscription) ?? false,
      cancel: id => this.#cancel(id)
    }
  }

  /** Calls that have not ended, cancelled ones included. */
  get running(): number {
    return this.#running + this.#waiting.size
  }

  /** One message: an object, or an array of them. `reply` is called exactly once. */
  handle(text: string, reply: Reply): void {
    let message: unknown
    try {
      message = JSON.parse(text)
    } catch (error) {
      reply(failure(null, new KithError('PARSE_ERROR', `this is not JSON: ${error instanceof Error ? error.message.slice(0, 200) : ''}`)))
      return
    }
    if (Array.isArray(message)) this.#batch(message, reply)
    else this.#message(message, (answer, afters) => {
      reply(answer)
      run(afters)
    })
  }

  /** From now on new calls are refused with `reason`; running ones go on. */
  refuse(reason: KithError): void {
    this.#closing = reason
  }

  /** Ends every call without an answer: nobody is there to read it. */
  abort(reason: KithError): void {
    this.#closing = reason
    for (const call of this.#calls) call.controller.abort(reason)
    for (const call of this.#waiting.keys()) call.finish(undefined)
    this.#waiting.clear()
  }

  /** The connection takes bytes again. */
  resume(): void {
    for (const [call, start] of this.#waiting) {
      if (this.#large >= LARGE_CALLS_MAX || this.#init.isBlocked?.() === true) return
      this.#waiting.delete(call)
      start()
    }
  }

  #batch(messages: readonly unknown[], reply: Reply): void {
    if (messages.length === 0) return reply(failure(null, new KithError('INVALID_REQUEST', 'the batch is empty')))
    if (messages.length > BATCH_MESSAGES_MAX) return reply(failure(null, new KithError('INVALID_REQUEST', `the batch holds ${messages.length} messages, at most ${BATCH_MESSAGES_MAX} are taken: send several`, { limit: BATCH_MESSAGES_MAX })))
    const answers: string[] = []
    const allAfters: (() => void)[] = []
    let left = messages.length
    for (const message of messages) {
      this.#message(message, (answer, afters) => {
        if (answer !== undefined) answers.push(answer)
        allAfters.push(...afters)
        if (--left > 0) return
        reply(answers.length === 0 ? undefined : `[${answers.join(',')}]`)
        run(allAfters)
      })
    }
  }

  #message(message: unknown, done: (answer: string | undefined, afters: readonly (() => void)[]) => void): void {
    const request = readRequest(message)
    if (request instanceof KithError) return done(failure(readableId(message), request), NONE)
    const afters: (() => void)[] = []
    const { id } = request
    let finished = false
    const call: Call = {
      request,
      controller: new AbortController(),
      finish: answer => {
        if (finished) return
        finished = true
        this.#calls.delete(call)
        // A notification was dealt with when it was read: it is never answered, and nothing waits for it.
        if (id !== undefined) done(answer, afters)
        else run(afters)
      }
    }
    this.#start(call, afters)
    if (id === undefined) done(undefined, NONE)
  }

  #start(call: Call, afters: (() => void)[]): void {
    const { request } = call
    this.#calls.add(call)
    try {
      if (this.#closing !== undefined) throw this.#closing
      const method = findMethod(request.method)
      authorize({ name: request.method, access: method.access }, this.#init.caller)
      const invoke = (): unknown => method.invoke(this.#components.services, request.params, this.#context(call, afters))
      if (!method.large) this.#run(call, invoke, () => {})
      else if (this.#large < LARGE_CALLS_MAX && this.#init.isBlocked?.() !== true) this.#runLarge(call, invoke)
      else this.#waiting.set(call, () => this.#runLarge(call, invoke))
    } catch (error) {
      this.#fail(call, error)
    }
  }

  #runLarge(call: Call, invoke: () => unknown): void {
    this.#large++
    this.#run(call, invoke, () => {
      this.#large--
      this.resume()
    })
  }

  /** Methods that answer at once are answered at once: no promise, no extra turn. */
  #run(call: Call, invoke: () => unknown, ended: () => void): void {
    this.#running++
    const settle = (finish: () => void): void => {
      this.#running--
      finish()
      ended()
      this.#init.onSettled?.()
    }
    let result: unknown
    try {
      result = invoke()
    } catch (error) {
      settle(() => this.#fail(call, error))
      return
    }
    if (result instanceof Promise) result.then((value: unknown) => settle(() => this.#succeed(call, value)), (error: unknown) => settle(() => this.#fail(call, error)))
    else settle(() => this.#succeed(call, result))
  }

  #succeed(call: Call, result: unknown): void {
    if (call.request.id === undefined) return call.finish(undefined)
    call.finish(`{"jsonrpc":"2.0","id":${JSON.stringify(call.request.id)},"result":${JSON.stringify(result ?? null)}}`)
  }

  #fail(call: Call, thrown: unknown): void {
    const error = call.controller.signal.aborted ? toKithError(call.controller.signal.reason) : toKithError(thrown)
    if (error.fault === 'bug') this.#components.log.error({ err: thrown, method: call.request.method }, 'a call failed because of a bug')
    call.finish(call.request.id === undefined ? undefined : failure(call.request.id, error))
  }

  #cancel(id: unknown): boolean {
    let found = false
    for (const call of this.#calls) {
      if (call.request.id === undefined || call.request.id !== id) continue
      found = true
      const reason = new KithError('CANCELLED', 'the call was cancelled by its caller')
      this.#waiting.delete(call)
      call.controller.abort(reason)
      call.finish(failure(call.request.id, reason))
    }
    return found
  }

  #context(call: Call, afters: (() => void)[]): CallContext {
    const { push } = this.#init
    return {
      signal: call.controller.signal,
      connection: this.#connection,
      afterAnswer: after => void afters.push(after),
      ...(push === undefined || call.request.id === undefined ? {} : { onProgress: this.#reporter(call, push) })
    }
  }

  /** A call that is done within the first interval reports nothing. */
  #reporter(call: Call, push: NonNullable<RpcSessionInit['push']>): (progress: Progress) => void {
    const { clock } = this.#components
    let last = clock.monotonic()
    return progress => {
      const now = clock.monotonic()
      if (now - last < PROGRESS_INTERVAL_MS || !this.#calls.has(call)) return
      last = now
      push.progress(call.request.id, progress)
    }
  }
}

const NONE: readonly (() => void)[] = []

function run(afters: readonly (() => void)[]): void {
  for (const after of afters) after()
}

/** An error answer, as text. */
export function failure(id: Id, error: KithError): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: errorBody(error) })
}

function readRequest(message: unknown): Request | KithError {
  if (!isRecord(message)) return new KithError('INVALID_REQUEST', 'a request is an object')
  const { jsonrpc, method, params, id } = message
  if (jsonrpc !== '2.0') return new KithError('INVALID_REQUEST', '"jsonrpc" must be "2.0"')
  if (typeof method !== 'string') return new KithError('INVALID_REQUEST', '"method" must be text')
  if (params !== undefined && (typeof params !== 'object' || params === null)) return new KithError('INVALID_REQUEST', '"params" must be an object or an array')
  if (!Object.hasOwn(message, 'id')) return { method, params }
  return isId(id) ? { method, params, id } : new KithError('INVALID_REQUEST', '"id" must be text, a number or null')
}

/** The id to answer an invalid request under: its own if it can be read, else null. */
function readableId(message: unknown): Id {
  if (!isRecord(message)) return null
  const { id } = message
  return isId(id) ? id : null
}

function isId(id: unknown): id is Id {
  return typeof id === 'string' || typeof id === 'number' || id === null
}
