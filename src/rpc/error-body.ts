/** Errors as the wire shows them: `{code, message, data: {code, fault, …}}`, the same for lines, HTTP and the CLI. */
import { ERROR_KINDS, KithError } from '../errors.ts'
import type { ErrorCode, Fault } from '../errors.ts'

export interface ErrorBody {
  /** JSON-RPC 2.0 error code. */
  readonly code: number
  readonly message: string
  readonly data: { readonly code: ErrorCode; readonly fault: Fault; readonly [field: string]: unknown }
}

export function errorBody(error: KithError): ErrorBody {
  return { code: error.kind.rpc, message: error.message, data: { ...error.data, code: error.code, fault: error.fault } }
}

/** HTTP status of an error: UNAUTHORIZED is 401 for a caller who has not logged in, 403 for one who has. */
export function httpStatus(error: KithError, caller: { readonly scopes: ReadonlySet<unknown> }): number {
  if (error.code === 'UNAUTHORIZED' && caller.scopes.size === 0) return 401
  return error.kind.http
}

/** An error that came over the wire as the KithError it was: same code, message and data. */
export function errorFromBody(body: { readonly code: number; readonly message: string; readonly data?: unknown }): KithError {
  const data = isRecord(body.data) ? body.data : {}
  return new KithError(codeOf(body.code, data['code']), body.message, data)
}

function codeOf(rpc: number, name: unknown): ErrorCode {
  if (typeof name === 'string' && isErrorCode(name)) return name
  for (const code of Object.keys(ERROR_KINDS)) {
    if (isErrorCode(code) && ERROR_KINDS[code].rpc === rpc) return code
  }
  return 'INTERNAL'
}

function isErrorCode(name: string): name is ErrorCode {
  return Object.hasOwn(ERROR_KINDS, name)
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
