/** Small helpers of the HTTP side: JSON answers, error answers, waiting until a client has read. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { KithError, toKithError } from '../errors.ts'
import { KIB } from '../model/units.ts'
import type { Caller } from './access.ts'
import { errorBody, httpStatus } from './error-body.ts'
import type { RpcParts } from './parts.ts'

/** Longest query string read: a filter or a few options. Characters. */
const QUERY_CHARACTERS_MAX = 8 * KIB

/** One request under way. */
export interface HttpCall {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly caller: Caller
  /** Aborted when the client goes away or the server stops. */
  readonly signal: AbortSignal
}

export type HttpRoute = (parts: RpcParts, call: HttpCall) => Promise<void>

/**
 * A line end follows, so that the prompt of whoever uses curl stands on a line of its own. Without effect when there is
 * an answer: a call that was cut may still end.
 */
export function answerJson(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) return
  const line = text === '' ? '' : `${text}\n`
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(line) })
  response.end(line)
}

/** Names the error behind bytes that are not whole: in a request with the value `trailer`, then as a trailer. */
export const ERROR_FIELD = 'kith-error'
/** Attempts named in it. More than one search ever makes. */
const ERROR_ATTEMPTS_MAX = 256

/**
 * Before the first byte an error is an answer; after it the connection is destroyed, so that nobody takes a part for the
 * whole, unless the client said that it looks for the error behind the bytes.
 */
export function answerError({ log }: RpcParts, { request, response, caller }: HttpCall, thrown: unknown): void {
  const error = toKithError(thrown)
  const status = httpStatus(error, caller)
  if (status === 401 && !response.headersSent) response.setHeader('www-authenticate', 'Bearer')
  if (error.fault === 'bug') log.error({ err: thrown, method: request.method }, 'an HTTP request failed because of a bug')
  if (response.headersSent || response.destroyed) {
    if (response.destroyed || !response.chunkedEncoding || request.headers[ERROR_FIELD] !== 'trailer') response.destroy()
    else {
      response.addTrailers({ [ERROR_FIELD]: errorText(error) })
      response.end()
    }
    return
  }
  const text = JSON.stringify({ error: errorBody(error) })
  response.removeHeader('content-length')
  answerJson(response, status, request.method === 'HEAD' ? '' : text)
}

/** Percent-encoded JSON. */
function errorText(error: KithError): string {
  const { data, ...body } = errorBody(error)
  const attempts: unknown = data['attempts']
  const named = Array.isArray(attempts) ? { attempts: attempts.slice(-ERROR_ATTEMPTS_MAX) } : {}
  return encodeURIComponent(JSON.stringify({ ...body, data: { ...data, ...named } }))
}

/**
 * Answers a client that still sends, and reads on: the answer is whole but not ended, for then Node would close the
 * connection, and the client's sending would fail before it has read why. Closing it is up to the caller.
 */
export function answerWhileSending({ request, response }: HttpCall, error: KithError): void {
  const line = `${JSON.stringify({ error: errorBody(error) })}\n`
  response.removeHeader('content-length')
  response.writeHead(error.kind.http, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(line),
    connection: 'close'
  })
  response.write(line)
  request.resume()
}

/** Resolves when more may be written. @throws the signal's reason when the client is gone */
export async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  if (!response.writableNeedDrain) return
  signal.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const onDrain = (): void => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    const onAbort = (): void => {
      response.removeListener('drain', onDrain)
      reject(signal.reason)
    }
    response.once('drain', onDrain)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** Path and query of a request; the path as it was sent, since decoding and dots are up to the route. */
export function splitUrl(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const mark = url.indexOf('?')
  if (mark === -1) return { path: url, query: new URLSearchParams() }
  if (url.length - mark > QUERY_CHARACTERS_MAX)
    throw new KithError('TOO_LARGE', `the query is longer than ${QUERY_CHARACTERS_MAX} characters`)
  return { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) }
}

/** The query as an object; a parameter given twice is a mistake. */
export function queryParams(query: URLSearchParams): Record<string, string> {
  const params: Record<string, string> = {}
  for (const [name, value] of query) {
    if (Object.hasOwn(params, name)) throw new KithError('INVALID_PARAMS', `the parameter "${name}" is given twice`, { parameter: name })
    params[name] = value
  }
  return params
}
