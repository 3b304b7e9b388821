/** JSON-RPC 2.0 messages: what counts as a request, and what an error answer looks like. */
import { KithError } from '../errors.ts'
import { errorBody, isRecord } from './error-body.ts'
import { checkShape } from './json-shape.ts'
import { NOT_UTF8 } from './line-splitter.ts'

/** Longest id: they are numbers or random words, and come back with each answer. Characters. */
export const ID_CHARACTERS_MAX = 1024

export type Id = string | number | null

export interface Request {
  readonly method: string
  readonly params: unknown
  /** Absent: a notification. */
  readonly id?: Id
}

/** An error answer, as text. */
export function failure(id: Id, error: KithError): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: errorBody(error) })
}

/** @throws KithError PARSE_ERROR · INVALID_REQUEST or TOO_LARGE for what would cost too much to parse */
export function readJson(text: string): unknown {
  if (text === NOT_UTF8) throw new KithError('PARSE_ERROR', 'this message is not UTF-8, and JSON is')
  checkShape(text)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new KithError(
      'PARSE_ERROR',
      `this is not JSON: ${error instanceof Error ? error.message.slice(0, 200) : ''}`,
      {},
      { cause: error }
    )
  }
}

/** @returns the request, or why it is none */
export function readRequest(message: unknown): Request | KithError {
  if (!isRecord(message)) return new KithError('INVALID_REQUEST', 'a request is an object')
  const { jsonrpc, method, params, id } = message
  if (jsonrpc !== '2.0') return new KithError('INVALID_REQUEST', '"jsonrpc" must be "2.0"')
  if (typeof method !== 'string') return new KithError('INVALID_REQUEST', '"method" must be text')
  if (params !== undefined && (typeof params !== 'object' || params === null))
    return new KithError('INVALID_REQUEST', '"params" must be an object or an array')
  if (!Object.hasOwn(message, 'id')) return { method, params }
  return isId(id)
    ? { method, params, id }
    : new KithError('INVALID_REQUEST', `"id" must be text of at most ${ID_CHARACTERS_MAX} characters, a number or null`)
}

/** The id to answer an invalid request under: its own if it can be read, else null. */
export function readableId(message: unknown): Id {
  if (!isRecord(message)) return null
  const { id } = message
  return isId(id) ? id : null
}

function isId(id: unknown): id is Id {
  return (typeof id === 'string' && id.length <= ID_CHARACTERS_MAX) || Number.isFinite(id) || id === null
}
