/**
 * JSON-RPC 2.0 for one connection or one HTTP request: reads messages, runs the methods of the table, answers.
 * Knows nothing of sockets. A crash loses the calls that run; what they had acknowledged is durable elsewhere.
 */
import { KithError, toKithError } from '../errors.ts'
import { authorize } from './access.ts'
import type { Caller } from './access.ts'
import { AnswerRoom } from './answer-room.ts'
import { BatchAnswer, checkBatch } from './batch.ts'
import { failure, readableId, readJson, readRequest } from './message.ts'
import type { Request } from './message.ts'
import type { Attachment, CallConnection, CallContext, EventFilter } from './method.ts'
import type { RpcParts } from './parts.ts'
import type { Progress } from './services.ts'
import { findMethod } from './table.ts'

/** Calls with megabytes of answer that one connection runs at once; as many as retrieval runs itself. Others wait. */
const LARGE_CALLS_MAX = 64
/** Progress reports of one call: five a second. Milliseconds between two. */
const PROGRESS_INTERVAL_MS = 200

export interface RpcSessionInit {
  /** Who calls, as it counts now. */
  caller(): Caller
  /** @throws KithError UNAUTHORIZED, RATE_LIMITED */
  login(token: string): Caller
  /** Absent on HTTP requests: nothing can be pushed there. */
  readonly push?: {
    subscribe(filter: EventFilter, context: CallContext): string
    unsubscribe(subscription: string): boolean
    attach(attachment: Attachment, context: CallContext): string
    detach(key: string): boolean
    progress(call: unknown, progress: Progress): void
  }
  /** The connection takes no more bytes: large answers had better not be made now. */
  isBlocked?(): boolean
  /** How many large answers (0 or 1) are being made. */
  onHeld?(count: number): void
  /** Called whenever a call has ended, after its answer was handed over. */
  readonly onSettled?: () => void
}

/** Takes the answer to one message, or undefined when there is nothing to answer. */
export type Reply = (answer: string | undefined) => void

/** One running call. `finish` is idempotent: cancelling answers at once, whatever the method does later. */
interface Call {
  readonly request: Request
  readonly controller: AbortController
  finish(answer: string | undefined): void
}

export class RpcSession {
  readonly #components: RpcParts
  readonly #init: RpcSessionInit
  readonly #calls = new Set<Call>()
  readonly #connection: CallConnection
  readonly #waiting = new Map<Call, () => void>()
  readonly #room: AnswerRoom<Call>
  #large = 0
  #running = 0
  #closing: KithError | undefined

  constructor(components: RpcParts, init: RpcSessionInit) {
    this.#components = components
    this.#init = init
    this.#room = new AnswerRoom({ isBlocked: () => init.isBlocked?.() === true, onHeld: count => init.onHeld?.(count) })
    this.#connection = {
      subscribe: (filter, context) => {
        if (init.push !== undefined) return init.push.subscribe(filter, context)
        throw noPush('use GET /events, or a line connection')
      },
      attach: (attachment, context) => {
        if (init.push !== undefined) return init.push.attach(attachment, context)
        throw noPush('use a line connection')
      },
      detach: key => init.push?.detach(key) ?? false,
      unsubscribe: subscription => init.push?.unsubscribe(subscription) ?? false,
      cancel: id => this.#cancel(id),
      login: token => init.login(token)
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
      message = readJson(text)
    } catch (error) {
      reply(failure(null, toKithError(error)))
      return
    }
    if (Array.isArray(message)) this.#batch(message, reply)
    else
      this.#message(message, (answer, afters) => {
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
    const unstarted = [...this.#waiting.keys()]
    for (const call of this.#calls) this.#giveUp(call, reason)
    for (const call of unstarted) call.finish(undefined)
  }

  /** The connection takes bytes again. */
  resume(): void {
    this.#room.resume()
    for (const [call, start] of this.#waiting) {
      if (this.#large >= LARGE_CALLS_MAX || this.#init.isBlocked?.() === true) return
      this.#waiting.delete(call)
      start()
    }
  }

  #batch(messages: readonly unknown[], reply: Reply): void {
    const refusal = checkBatch(messages)
    if (refusal !== undefined) return reply(failure(null, refusal))
    const batch = new BatchAnswer()
    const allAfters: (() => void)[] = []
    let left = messages.length
    for (const message of messages) {
      this.#message(message, (answer, afters) => {
        if (answer !== undefined) batch.add(answer, readableId(message))
        allAfters.push(...afters)
        if (--left > 0) return
        reply(batch.text())
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
      // What still runs may be cancelled to the last.
      if (this.#closing !== undefined && request.method !== 'call.cancel') throw this.#closing
      const method = findMethod(request.method)
      const caller = this.#init.caller()
      authorize({ name: request.method, access: method.access }, caller)
      const services = this.#components.servicesFor(caller)
      const invoke = (): unknown => method.invoke(services, request.params, this.#context(call, caller, afters))
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
      this.#room.leave(call)
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
    if (result instanceof Promise)
      result.then(
        (value: unknown) => settle(() => this.#succeed(call, value)),
        (error: unknown) => settle(() => this.#fail(call, error))
      )
    else settle(() => this.#succeed(call, result))
  }

  #succeed(call: Call, result: unknown): void {
    if (call.request.id === undefined) return call.finish(undefined)
    try {
      call.finish(`{"jsonrpc":"2.0","id":${JSON.stringify(call.request.id)},"result":${JSON.stringify(result ?? null)}}`)
    } catch (error) {
      this.#fail(call, error)
    }
  }

  #fail(call: Call, thrown: unknown): void {
    const error = call.controller.signal.aborted ? toKithError(call.controller.signal.reason) : toKithError(thrown)
    if (error.fault === 'bug') this.#components.log.error({ err: thrown, method: call.request.method }, 'a call failed because of a bug')
    call.finish(call.request.id === undefined ? undefined : failure(call.request.id, error))
  }

  /** Ends every call with `reason` as its answer; new ones may come. */
  cancelAll(reason: KithError): void {
    for (const call of this.#calls) this.#end(call, reason)
  }

  #cancel(id: unknown): boolean {
    let found = false
    for (const call of this.#calls) {
      if (call.request.id === undefined || call.request.id !== id) continue
      found = true
      this.#end(call, new KithError('CANCELLED', 'the call was cancelled by its caller'))
    }
    return found
  }

  #end(call: Call, reason: KithError): void {
    this.#giveUp(call, reason)
    call.finish(call.request.id === undefined ? undefined : failure(call.request.id, reason))
  }

  #context(call: Call, caller: Caller, afters: (() => void)[]): CallContext {
    const { push } = this.#init
    const { signal } = call.controller
    const name = caller.token?.name ?? ''
    const { content } = this.#components.servicesFor(caller)
    return {
      signal,
      putOnce: async (key, params, put) => await this.#components.puts.put({ caller: name, key, params, content }, put, { signal }),
      connection: this.#connection,
      room: async () => await this.#room.enter(call),
      afterAnswer: after => void afters.push(after),
      ...(push === undefined || call.request.id === undefined ? {} : { onProgress: this.#reporter(call, push) })
    }
  }

  /** Its client gave it up: nothing waits for it, and it waits for nothing. */
  #giveUp(call: Call, reason: KithError): void {
    this.#waiting.delete(call)
    call.controller.abort(reason)
    this.#room.giveUp(call)
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

function noPush(remedy: string): KithError {
  return new KithError('INVALID_REQUEST', `events cannot be pushed into an HTTP answer: ${remedy}`)
}
