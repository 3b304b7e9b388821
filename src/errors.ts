/**
 * Every error of Kith: its code, whose fault it is, and how each surface shows it.
 * Owns the one table behind JSON-RPC codes, HTTP statuses and exit codes.
 */

/** Whose fault: decides exit status, retry and log level. */
export type Fault = 'caller' | 'world' | 'bug'

interface ErrorKind {
  /** JSON-RPC 2.0 error code. */
  readonly rpc: number
  readonly http: number
  /** Exit status of the `kith` command. */
  readonly exit: number
  readonly fault: Fault
}

const kind = (rpc: number, http: number, exit: number, fault: Fault): ErrorKind => ({ rpc, http, exit, fault })

/** `data.code` → everything the surfaces need. Generated into docs/errors.md. */
export const ERROR_KINDS = {
  PARSE_ERROR: kind(-32700, 400, 2, 'caller'),
  INVALID_REQUEST: kind(-32600, 400, 2, 'caller'),
  METHOD_NOT_FOUND: kind(-32601, 404, 2, 'caller'),
  INVALID_PARAMS: kind(-32602, 400, 2, 'caller'),
  INVALID_CONTENT: kind(-32602, 400, 2, 'caller'),
  INTERNAL: kind(-32603, 500, 70, 'bug'),
  NOT_FOUND: kind(-32001, 404, 4, 'world'),
  TIMEOUT: kind(-32002, 504, 1, 'world'),
  UNAUTHORIZED: kind(-32003, 403, 5, 'caller'),
  TOO_LARGE: kind(-32004, 413, 1, 'caller'),
  RATE_LIMITED: kind(-32005, 429, 1, 'caller'),
  INTEGRITY: kind(-32006, 502, 1, 'world'),
  ALREADY_PUBLIC: kind(-32007, 409, 1, 'caller'),
  QUOTA_EXCEEDED: kind(-32008, 507, 1, 'world'),
  UNAVAILABLE: kind(-32009, 503, 1, 'world'),
  NOT_BUILT: kind(-32009, 503, 2, 'caller'),
  CONFLICT: kind(-32010, 409, 1, 'caller'),
  IS_DIRECTORY: kind(-32010, 409, 1, 'caller'),
  CANCELLED: kind(-32011, 500, 1, 'caller'),
  CONFIG: kind(-32602, 400, 2, 'caller'),
  START_FAILED: kind(-32009, 503, 1, 'world')
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERROR_KINDS

/** An error with a code of the table above. The message says what happened, why, and what to do. */
export class KithError extends Error {
  readonly code: ErrorCode
  readonly data: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, data: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KithError'
    this.code = code
    this.data = data
  }

  get kind(): ErrorKind {
    return ERROR_KINDS[this.code]
  }
  get fault(): Fault {
    return this.kind.fault
  }
}

export class InvalidContentError extends KithError {
  constructor(input: string, why: string) {
    super(
      'INVALID_CONTENT',
      `"${input.length > 120 ? `${input.slice(0, 120)}…` : input}" names no content: ${why}. Give a CID, ipfs://CID, kith://CID, /ipfs/CID[/path] or sha256:HEX.`
    )
    this.name = 'InvalidContentError'
  }
}

/** Bytes that are not what their address says. Never retried at the same source. */
export class BlockMismatchError extends KithError {
  constructor(cid: { toString(): string }) {
    super('INTEGRITY', `the bytes received for block ${cid.toString()} do not hash to it; they were thrown away`)
    this.name = 'BlockMismatchError'
  }
}

export class NotBuiltError extends KithError {
  constructor(what: string) {
    super('NOT_BUILT', `${what} is not built yet in this version of Kith.`)
    this.name = 'NotBuiltError'
  }
}

/** Any thrown value as a KithError: aborts become CANCELLED, the unknown becomes INTERNAL. */
export function toKithError(error: unknown): KithError {
  if (error instanceof KithError) return error
  if (error instanceof Error && error.name === 'AbortError')
    return new KithError('CANCELLED', 'the call was cancelled', {}, { cause: error })
  if (error instanceof Error && error.name === 'TimeoutError')
    return new KithError('TIMEOUT', 'the time for this call was used up', {}, { cause: error })
  return new KithError('INTERNAL', error instanceof Error ? error.message : String(error), {}, { cause: error })
}
