/**
 * `GET /content/CONTENT[/path]`: verified bytes out, as they come, at the speed of the reader. Nothing is answered
 * before the first byte is at hand; a source that fails after it destroys the connection. Who asks with `TE: trailers`
 * gets the report of what it took once more behind the bytes, when it is whole; and who says that it looks for an error
 * there (`kith-error: trailer`) is told why the bytes end.
 */
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { InvalidContentError, KithError } from '../errors.ts'
import { isSafeName, parseContent } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'
import { authorize } from './access.ts'
import { errorBody } from './error-body.ts'
import { answerJson, drained, ERROR_FIELD, queryParams, splitUrl } from './http-answer.ts'
import type { HttpCall } from './http-answer.ts'
import { parseRange } from './http-range.ts'
import { paramsChecker } from './method.ts'
import { builtPrivacy } from './methods-content.ts'
import type { RpcParts } from './parts.ts'
import { preferredSources, privacyParam, ttl } from './schemas.ts'
import type { GetParams, GetReport, OpenedContent } from './services.ts'

export const CONTENT_ROUTE = '/content/'

/** Names the report, until the first byte as a header and to its end as a trailer. */
export const REPORT_FIELD = 'kith-report'
/** The length of a chunked answer, which cannot have `Content-Length`. Bytes, decimal. */
const LENGTH_FIELD = 'kith-content-length'
/** Attempts named in the report header: headers have to stay small. */
const HEADER_ATTEMPTS_MAX = 16
/** Attempts named in the trailer, for clients that asked for it. More than one search ever makes. */
const TRAILER_ATTEMPTS_MAX = 256

const check = paramsChecker(
  { ttl: ttl.exactOptional(), sources: preferredSources.exactOptional(), privacy: privacyParam.exactOptional() },
  []
)

export async function getContent({ services }: RpcParts, call: HttpCall): Promise<void> {
  const { request, response, caller, signal } = call
  authorize({ name: 'content.get', access: 'read' }, caller)
  const opened = await services.content.open({ ...readParams(request), ...rootFirst(request) }, { signal })
  try {
    if (opened.kind === 'directory')
      throw new KithError(
        'IS_DIRECTORY',
        'this content is a directory: name a file below it, or use content.ls or content.get with a path',
        { cid: opened.cid, ...(opened.name === undefined ? {} : { name: opened.name }) }
      )
    const etag = `"${opened.cid}"`
    if (isKnown(request.headers['if-none-match'], etag)) {
      response.writeHead(304, { etag }).end()
      return
    }
    await answerBytes(call, opened, etag)
  } finally {
    opened.close()
  }
}

/** Who asks for a part, or for the head alone, must not set the whole going: the root tells the size, the read fetches its part. */
function rootFirst({ method, headers }: IncomingMessage): Pick<GetParams, 'offset' | 'length'> {
  const isPart = parseRange(headers.range, Number.MAX_SAFE_INTEGER) !== undefined
  return isPart || method === 'HEAD' || headers['if-none-match'] !== undefined ? { offset: 0, length: 0 } : {}
}

async function answerBytes({ request, response, signal }: HttpCall, opened: OpenedContent, etag: string): Promise<void> {
  const ifRange = request.headers['if-range']
  const range = ifRange === undefined || ifRange === etag ? parseRange(request.headers.range, opened.size) : undefined
  if (range === 'unsatisfiable') {
    response.setHeader('content-range', `bytes */${opened.size}`)
    const error = new KithError('INVALID_PARAMS', `the range "${request.headers.range ?? ''}" lies outside of the ${opened.size} bytes`, {
      size: opened.size
    })
    answerJson(response, 416, JSON.stringify({ error: errorBody(error) }))
    return
  }
  const status = range === undefined ? 200 : 206
  const part = range ?? { offset: 0, length: opened.size }
  const wantsTrailer = opened.report !== undefined && request.httpVersion !== '1.0' && takesTrailers(request.headers['te'])
  const headers = {
    ...contentHeaders(opened, etag),
    // A trailer comes behind chunks only, and chunks exclude a Content-Length (RFC 9112, 6.2).
    ...(wantsTrailer ? { trailer: trailerFields(request.headers), [LENGTH_FIELD]: part.length } : { 'content-length': part.length }),
    ...(range === undefined ? {} : { 'content-range': `bytes ${part.offset}-${part.offset + part.length - 1}/${opened.size}` })
  }
  if (request.method === 'HEAD') {
    response.writeHead(status, headers).end()
    return
  }
  await stream({
    response,
    signal,
    bytes: opened.read(part, { signal }),
    length: part.length,
    head: () => response.writeHead(status, headers)
  })
  const report = wantsTrailer ? opened.report?.() : undefined
  if (report !== undefined) response.addTrailers({ [REPORT_FIELD]: reportText(report, TRAILER_ATTEMPTS_MAX) })
  response.end()
}

/** To end what is not whole in good order is only for those who say that they look why it ends. */
function trailerFields(headers: IncomingHttpHeaders): string {
  return headers[ERROR_FIELD] === 'trailer' ? `${REPORT_FIELD}, ${ERROR_FIELD}` : REPORT_FIELD
}

/** RFC 9110, 10.1.4: a list of codings, of which the word `trailers` says that trailers are read. */
function takesTrailers(te: string | string[] | undefined): boolean {
  return typeof te === 'string' && te.split(',').some(coding => coding.trim().toLowerCase() === 'trailers')
}

interface Transfer {
  readonly response: ServerResponse
  readonly signal: AbortSignal
  readonly bytes: AsyncIterable<Uint8Array>
  readonly length: Bytes
  readonly head: () => void
}

/** The head goes out with the first verified byte; exactly the promised length follows, or the connection dies. The caller ends it. */
async function stream({ response, signal, bytes, length, head }: Transfer): Promise<void> {
  let sent = 0
  for await (const chunk of bytes) {
    if (sent + chunk.byteLength > length) break
    if (!response.headersSent) head()
    sent += chunk.byteLength
    if (!response.write(chunk)) await drained(response, signal)
  }
  if (sent !== length) throw new KithError('INTERNAL', `${length} bytes were promised and a different number came`)
  if (!response.headersSent) head() // of nothing there is no first byte
}

function contentHeaders(opened: OpenedContent, etag: string): OutgoingHttpHeaders {
  const { contentType, name } = opened
  const report = opened.report?.()
  return {
    'content-type': contentType !== undefined && isPrintable(contentType) ? contentType : 'application/octet-stream',
    'accept-ranges': 'bytes',
    'cache-control': 'private, max-age=31536000, immutable',
    'x-content-type-options': 'nosniff',
    etag,
    ...(name === undefined ? {} : { 'content-disposition': `inline; filename*=UTF-8''${encodeName(name)}` }),
    ...(report === undefined ? {} : { [REPORT_FIELD]: reportText(report, HEADER_ATTEMPTS_MAX) })
  }
}

/** Percent-encoded JSON. Where not all attempts fit, those that delivered come first. */
function reportText(report: GetReport, attemptsMax: number): string {
  const { attempts } = report
  const named =
    attempts.length <= attemptsMax
      ? attempts
      : [...attempts.filter(isDelivery), ...attempts.filter(attempt => !isDelivery(attempt))].slice(0, attemptsMax)
  return encodeURIComponent(JSON.stringify({ ...report, attempts: named }))
}

function isDelivery({ outcome, bytes }: GetReport['attempts'][number]): boolean {
  return outcome === 'ok' || bytes > 0
}

/** A peer's word about types and names reaches a header only if a header can hold it. */
function isPrintable(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text)
}

function encodeName(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, character => `%${character.charCodeAt(0).toString(16)}`)
}

function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some(tag => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
}

/** @throws KithError INVALID_PARAMS, InvalidContentError */
function readParams(request: IncomingMessage): GetParams {
  const { path, query } = splitUrl(request.url ?? '')
  const content = readContent(path.slice(CONTENT_ROUTE.length))
  const { ttl: seconds, sources, ...rest } = queryParams(query)
  const params = check({
    ...rest,
    ...(seconds === undefined ? {} : { ttl: /^\d+$/.test(seconds) ? Number(seconds) : seconds }),
    ...(sources === undefined
      ? {}
      : {
          sources: sources
            .split(',')
            .map(word => word.trim())
            .filter(word => word !== '')
        })
  })
  return {
    content,
    ...(params.ttl === undefined ? {} : { ttl: params.ttl }),
    ...(params.sources === undefined ? {} : { preferredSources: params.sources }),
    ...(params.privacy === undefined ? {} : { metadata: builtPrivacy(params.privacy) })
  }
}

/** Each segment is decoded on its own; only the first, which may be a whole address, can hold slashes. */
function readContent(raw: string): string {
  const [address = '', ...segments] = raw.split('/').map(decodeSegment)
  const bad = segments.find(segment => segment !== '' && !isSafeName(segment))
  const content = [address, ...segments].join('/')
  if (bad !== undefined) throw new InvalidContentError(content, `the path segment "${bad}" is not allowed`)
  parseContent(content)
  return content
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new KithError('INVALID_PARAMS', 'the path is not percent-encoded UTF-8')
  }
}
