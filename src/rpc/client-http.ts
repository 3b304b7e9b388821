/** The client's way for bytes: HTTP bodies over the daemon's socket, as streams with back-pressure. */
import { request as httpRequest } from 'node:http'
import type { IncomingMessage, RequestOptions } from 'node:http'
import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { KithError, toKithError } from '../errors.ts'
import type { AbortOptions } from '../ports/options.ts'
import { notRunning } from './client-lines.ts'
import { errorFromBody, isRecord } from './error-body.ts'
import type { GetReport, PutParams, PutResult } from './services.ts'

/** Answers other than content are small. Bytes. */
const ANSWER_BYTES_MAX = 1024 * 1024
/** The report of a search that asked hundreds of peers, behind the bytes as a trailer. Bytes. */
const HEADER_BYTES_MAX = 1024 * 1024

export interface GetStreamOptions extends AbortOptions {
  /** Whole seconds the search may last. */
  readonly ttl?: number
  readonly sources?: readonly string[]
  readonly privacy?: string
  readonly offset?: number
  readonly length?: number
}

export interface ContentStream {
  readonly cid: string
  /** Bytes that will come. */
  readonly length: number
  readonly contentType: string
  readonly name?: string
  /** What it took: until the first byte as long as bytes come, and all of it once {@link body} has ended. */
  readonly report: GetReport | undefined
  /** Verified bytes. Rejects when the transfer breaks off; ends only when it is whole. */
  readonly body: AsyncIterable<Uint8Array>
  /** Gives the transfer up. */
  close(): void
}

/** Where the daemon's socket is, and the token it is spoken to with. */
export interface Door {
  readonly socketPath: string
  readonly token: string | undefined
}

export async function putStream(
  door: Door,
  body: AsyncIterable<Uint8Array>,
  params: PutParams,
  { signal }: AbortOptions
): Promise<PutResult> {
  const { contentType, pin, ...rest } = params
  const query = new URLSearchParams(Object.entries({ ...rest, ...(pin === undefined ? {} : { pin: String(pin) }) }))
  const headers = contentType === undefined ? {} : { 'content-type': contentType }
  const response = await send({ door, method: 'PUT', path: `/content?${query.toString()}`, headers, signal }, body)
  const answer = await readJson(response)
  if (!isPutResult(answer)) throw new KithError('INTERNAL', 'the daemon answered something that is no result of content.put')
  return answer
}

/** @throws KithError as the daemon answered it: NOT_FOUND, TIMEOUT, IS_DIRECTORY… */
export async function getStream(door: Door, content: string, options: GetStreamOptions): Promise<ContentStream> {
  const { ttl, sources, privacy, offset, length, signal } = options
  const query = new URLSearchParams({
    ...(ttl === undefined ? {} : { ttl: String(ttl) }),
    ...(sources === undefined ? {} : { sources: sources.join(',') }),
    ...(privacy === undefined ? {} : { privacy })
  })
  const path = `/content/${content.split('/').map(encodeURIComponent).join('/')}?${query.toString()}`
  const range =
    offset === undefined && length === undefined
      ? {}
      : { range: `bytes=${offset ?? 0}-${length === undefined ? '' : (offset ?? 0) + length - 1}` }
  const response = await send({ door, method: 'GET', path, headers: { ...range, ...TRAILERS_WANTED }, signal })
  const { headers } = response
  const name = readName(headers['content-disposition'])
  const atFirstByte = readReport(headers['kith-report'])
  return {
    cid: (headers.etag ?? '').replaceAll('"', ''),
    length: Number(headers['kith-content-length'] ?? headers['content-length']),
    contentType: headers['content-type'] ?? 'application/octet-stream',
    ...(name === undefined ? {} : { name }),
    get report() {
      return readReport(response.trailers['kith-report']) ?? atFirstByte
    },
    body: bytesOf(response, Number(headers['kith-content-length'] ?? headers['content-length']), signal),
    close: () => void response.destroy()
  }
}

interface SendOptions {
  readonly door: Door
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly signal: AbortSignal | undefined
}

/** A hop-by-hop field, so `Connection` names it as well (RFC 9110, 10.1.4). One connection serves one request. */
const TRAILERS_WANTED = { te: 'trailers', connection: 'close, TE', 'kith-error': 'trailer' }

/**
 * A socket that goes on reading when the other side takes no more: a refusal that closes the connection in the middle of
 * a body would else be lost behind EPIPE. What cannot be sent waits, and so does its source, until reading ends: with the
 * answer, or with what broke the connection.
 */
class ReadingSocket extends Socket {
  override _write(chunk: unknown, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    super._write(chunk, encoding, unlessGone(done))
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], done: (error?: Error | null) => void): void {
    super._writev?.(chunks, unlessGone(done))
  }
}

function unlessGone(done: (error?: Error | null) => void): (error?: Error | null) => void {
  return error => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'EPIPE' && code !== 'ECONNRESET') done(error)
  }
}

/** Resolves with a good response. A refusal may come while the body is still being sent. */
async function send({ signal, door, ...options }: SendOptions, body?: AsyncIterable<Uint8Array>): Promise<IncomingMessage> {
  signal?.throwIfAborted()
  const { socketPath, token } = door
  const headers = { ...options.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  const init: RequestOptions = {
    ...options,
    headers,
    host: 'kith',
    maxHeaderSize: HEADER_BYTES_MAX,
    createConnection: () => new ReadingSocket().connect({ path: socketPath }),
    ...(signal === undefined ? {} : { signal })
  }
  const request = httpRequest(init)
  let hasAnswer = false
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', response => {
      hasAnswer = true
      resolve(response)
    })
    request.on('error', error => reject(signal?.aborted === true ? toKithError(signal.reason) : sendError(socketPath, error)))
  })
  if (body === undefined) request.end()
  else
    pipeline(Readable.from(body), request).catch((error: unknown) => {
      if (!hasAnswer) request.destroy(toKithError(error)) // what was answered is still to be read
    })
  const response = await answered
  if ((response.statusCode ?? 500) < 300) return response
  const answer = await readJson(response)
  request.destroy()
  const error = isRecord(answer) ? answer['error'] : undefined
  if (!isRecord(error)) throw new KithError('INTERNAL', `the daemon answered with status ${response.statusCode}`)
  throw errorFromBody({ code: Number(error['code']), message: String(error['message']), data: error['data'] })
}

function sendError(socketPath: string, error: NodeJS.ErrnoException): KithError {
  if (error instanceof KithError) return error
  if (error.syscall === 'connect') return notRunning(socketPath, error)
  return new KithError('UNAVAILABLE', `the connection to the daemon broke: ${error.message}`, {}, { cause: error })
}

/** @throws what the daemon says behind the bytes if they are not whole: TIMEOUT, INTEGRITY…, with `attempts` */
async function* bytesOf(response: IncomingMessage, length: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  let received = 0
  try {
    for await (const chunk of response) {
      if (!(chunk instanceof Uint8Array)) continue
      received += chunk.byteLength
      yield chunk
    }
  } catch (error) {
    if (signal?.aborted === true) throw toKithError(signal.reason)
    throw brokenOff(received, { cause: error })
  }
  const told = readField(response.trailers['kith-error'])
  if (isRecord(told)) throw toldError(told, received)
  if (received < length) throw brokenOff(received)
}

function toldError(told: Record<string, unknown>, received: number): KithError {
  const { code, message, data } = errorFromBody({ code: Number(told['code']), message: String(told['message']), data: told['data'] })
  return new KithError(code, `the transfer broke off after ${received} bytes: ${message}`, { ...data, received })
}

function brokenOff(received: number, options?: ErrorOptions): KithError {
  const message = `the transfer broke off after ${received} bytes: the connection to the daemon ended. Try again; "kith doctor" says whether it runs.`
  return new KithError('UNAVAILABLE', message, { received }, options)
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const chunk of response) {
    if (!(chunk instanceof Uint8Array)) continue
    size += chunk.byteLength
    if (size > ANSWER_BYTES_MAX) throw new KithError('TOO_LARGE', 'the answer of the daemon is too long')
    parts.push(chunk)
  }
  return JSON.parse(Buffer.concat(parts).toString('utf8'))
}

function readName(disposition: string | undefined): string | undefined {
  const found = /filename\*=UTF-8''([^;]+)/.exec(disposition ?? '')
  return found?.[1] === undefined ? undefined : decodeURIComponent(found[1])
}

function readReport(header: string | string[] | undefined): GetReport | undefined {
  const report = readField(header)
  return isReport(report) ? report : undefined
}

/** Percent-encoded JSON. */
function readField(header: string | string[] | undefined): unknown {
  return typeof header === 'string' ? JSON.parse(decodeURIComponent(header)) : undefined
}

function isReport(value: unknown): value is GetReport {
  return isRecord(value) && Array.isArray(value['attempts']) && isRecord(value['source'])
}

function isPutResult(value: unknown): value is PutResult {
  return isRecord(value) && typeof value['cid'] === 'string' && typeof value['uri'] === 'string'
}
