/** The content methods of the socket: thin, each a few calls into the domain. */
import { CID } from 'multiformats/cid'
import { directoryEntries, isDirectory } from '../content/directory.ts'
import type { Library } from '../content/library.ts'
import type { Putter } from '../content/put.ts'
import { assertRemovable, recordsToRemove, removeContent } from '../content/remove.ts'
import { Verifier } from '../content/verify.ts'
import { writeOut } from '../content/write-out.ts'
import { notAFile } from '../dag/node.ts'
import { fileSize, readFile } from '../dag/file.ts'
import { KithError } from '../errors.ts'
import { follow, startDeadline } from '../lib/deadline.ts'
import { hex, parseContent } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'
import type { Audience, EventBus } from '../observe/events.ts'
import type { Meter } from '../observe/meter.ts'
import type { Clock } from '../ports/clock.ts'
import type { LocalFiles } from '../ports/local-files.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Classifier } from '../retrieval/classify.ts'
import type { RetrievalReport } from '../retrieval/retrieval.ts'
import type { Want } from '../retrieval/session.ts'
import type { ContentParam, ContentServices, GetParams, GetReport, OpenedContent, ProgressOptions } from '../rpc/services.ts'
import { AttemptsSoFar, type SearchWatch } from './attempts-so-far.ts'
import { carServices, type CarServicesInit } from './car-services.ts'
import { readOpened, type ContentAccess, type Opened } from './content-access.ts'
import { listContent } from './list-content.ts'
import { hasLocal, statLocal } from './local-content.ts'

export interface ContentServicesComponents {
  readonly library: Library
  readonly putter: Putter
  readonly access: ContentAccess
  readonly classifier: Classifier
  readonly files: LocalFiles
  readonly clock: Clock
  readonly events: EventBus
  readonly meter: Meter
  /** The roots of realm `public` changed: one was stored, or one removed. */
  readonly publicChanged: (stored?: CID) => void
  /** A content is removed: whom it was shared with must not have it any more. */
  readonly removed: (root: CID) => Promise<void>
}

export function contentServices(parts: ContentServicesComponents, init: CarServicesInit): ContentServices {
  const { library, putter, access, classifier } = parts
  const verifier = new Verifier({ library, fetch: async (found, options) => await access.fetchAgain(found, options) })
  return {
    put: async (source, params, options) => {
      const result = await putter.put(source, params, options)
      if (result.privacy === 'public') parts.publicChanged(CID.parse(result.cid))
      return result
    },
    get: async (params, options) => await get(parts, params, options),
    open: async (params, options) => await open(parts, params, options),
    stat: async (content, options = {}) => await statLocal(library, parseContent(content), options),
    has: async (content, options = {}) => ({ local: await hasLocal(library, parseContent(content), options) }),
    ls: async (content, options) => await ls(access, content, options),
    list: async params => await listContent(library, params),
    verify: async ({ content, repair }, options) =>
      await verifier.verify({ content: content === undefined ? undefined : parseContent(content), repair }, options),
    ...carServices(parts, init),
    rm: async ({ content, force }) => await rm(parts, content, force ?? false),
    // Who was told is not recorded yet: an empty list says nothing.
    privacy: async content => ({ ...(await classifier.classify(parseContent(content))), toldTo: [] })
  }
}

async function rm(
  { library, publicChanged, removed }: ContentServicesComponents,
  content: ContentParam,
  force: boolean
): Promise<{ removed: boolean }> {
  const ref = parseContent(content)
  const [known] = recordsToRemove(library, ref)
  if (known === undefined) return { removed: false }
  return await library.inTurn(known.record.root, async () => {
    const found = recordsToRemove(library, ref)
    assertRemovable(found, force)
    await removed(known.record.root)
    for (const each of found) await removeContent(library, each, force)
    if (found.some(({ realm }) => realm === 'public')) publicChanged()
    return { removed: found.length > 0 }
  })
}

async function get(
  parts: ContentServicesComponents,
  params: Parameters<ContentServices['get']>[0],
  options: ProgressOptions
): ReturnType<ContentServices['get']> {
  const soFar = new AttemptsSoFar()
  using budget = params.deadline === undefined ? undefined : startDeadline(parts.clock, params.deadline * 1000, options)
  const stop = new AbortController()
  const unfollow = follow(stop, budget?.signal ?? options.signal)
  try {
    return await getWithin(parts, params, { ...options, signal: stop.signal, onSearch: soFar.onSearch })
  } catch (error) {
    stop.abort(error) // what was refused or failed is not fetched any further
    throw soFar.addTo(error)
  } finally {
    unfollow()
  }
}

async function getWithin(
  parts: ContentServicesComponents,
  params: Parameters<ContentServices['get']>[0],
  within: ProgressOptions & SearchWatch
): ReturnType<ContentServices['get']> {
  const files = parts.files.within(params.within)
  if (params.path !== undefined && (await files.exists(params.path)))
    throw new KithError('CONFLICT', `"${params.path}" exists already; nothing was overwritten`, { path: params.path })
  const opened = await parts.access.open(params, wantOf(params), within)
  if (isDirectory(opened.node) && params.path === undefined) throw notAFile(opened.node)
  const span = { offset: params.offset ?? 0, length: params.length }
  if (isDirectory(opened.node) && wantOf(params).kind === 'range')
    throw new KithError('INVALID_PARAMS', 'offset and length take a part of a file, and this content is a directory')
  watch(parts, opened)
  const summary = summaryOf(parts.library, opened, await opened.report)
  if (params.path !== undefined) {
    const { skipped } = await writeOut(files, opened.get, opened.node, params.path, { ...within, range: span })
    return { ...summary, path: params.path, ...(skipped.length === 0 ? {} : { skipped }) }
  }
  const size = Math.min(span.length ?? Infinity, Math.max(0, fileSize(opened.node) - span.offset))
  return { ...summary, data: { size, read: async () => await collect(readOpened(opened, span, within)) } }
}

/**
 * For streams. A whole content is fetched at once; with a range (`length: 0` included) only its root is, and each
 * read fetches what it needs.
 */
async function open(parts: ContentServicesComponents, params: GetParams, options: ProgressOptions): Promise<OpenedContent> {
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  const isPart = params.offset !== undefined || params.length !== undefined
  const opened = await parts.access
    .open(params, isPart ? { kind: 'root' } : { kind: 'all' }, { ...options, signal })
    .catch((error: unknown) => {
      stop.abort(error) // what was refused is not fetched any further
      throw error
    })
  const { record, node, claimed } = opened
  const { name, contentType } = record ?? claimed ?? {}
  let whole: RetrievalReport | undefined
  opened.report.then(
    report => {
      whole = report
    },
    () => {}
  ) // the reader hears of the failure
  return {
    cid: opened.root.toString(),
    kind: isDirectory(node) ? 'directory' : 'file',
    size: node.size,
    ...(contentType === undefined ? {} : { contentType }),
    ...(name === undefined ? {} : { name }),
    report: () => summaryOf(parts.library, opened, whole ?? opened.reportSoFar()),
    read: (range, readOptions) =>
      readPart(parts, params, opened, isPart, range, {
        signal: readOptions.signal === undefined ? signal : AbortSignal.any([signal, readOptions.signal])
      }),
    close: () => {
      stop.abort(new KithError('CANCELLED', 'the reader left'))
    }
  }
}

async function* readPart(
  parts: ContentServicesComponents,
  params: GetParams,
  opened: Opened,
  isPart: boolean,
  range: { readonly offset?: Bytes; readonly length?: Bytes },
  options: AbortOptions
): AsyncGenerator<Uint8Array> {
  const span = { offset: range.offset ?? 0, length: range.length }
  if (!isPart || opened.record !== undefined) {
    watch(parts, opened)
    yield* readOpened(opened, span, options)
    if (!isPart) await opened.report // what was read to its end is recorded before the reader hears of the end
    return
  }
  const part = await parts.access.open(params, { kind: 'range', range: span }, options)
  watch(parts, part)
  yield* readFile(part.get, part.node, span, options)
}

async function ls(access: ContentAccess, content: ContentParam, options: AbortOptions): ReturnType<ContentServices['ls']> {
  const opened = await access.open({ content }, { kind: 'root' }, options)
  if (!isDirectory(opened.node))
    throw new KithError('INVALID_PARAMS', `${opened.root.toString()} is a file; only directories have entries`, {
      cid: opened.root.toString()
    })
  const entries = []
  for await (const { name, cid, type, size } of directoryEntries(opened.get, opened.node, options))
    entries.push({ name, cid: cid.toString(), type, size })
  return { entries }
}

/** Counts and tells of a retrieval once it is complete. */
function watch(parts: ContentServicesComponents, { root, report }: Opened): void {
  report.then(
    ({ source, bytes, ms }) => {
      parts.meter.retrieved({ ms, isHit: source.stage === 'local' })
      parts.events.emit('content.retrieved', { cid: root.toString(), source, bytes, ms }, audienceOf(parts.library, root))
    },
    () => {}
  ) // the caller hears of the failure
}

/** A part that was read is nobody's record; then only an admin hears of it. */
function audienceOf(library: Library, root: CID): Audience | undefined {
  const found = library.findRoot(root)
  if (found === undefined) return undefined
  const { putBy } = found.record
  return { realm: found.realm, ...(putBy === undefined ? {} : { putBy }) }
}

function summaryOf(library: Library, opened: Opened, report: RetrievalReport): GetReport {
  const { source, bytes, attempts, ms, firstByteMs, sha256 } = report
  return {
    cid: opened.root.toString(),
    size: (opened.record ?? library.findRoot(opened.root)?.record)?.size ?? opened.node.size,
    source,
    bytes,
    attempts,
    ms,
    firstByteMs,
    ...(sha256 === undefined ? {} : { sha256: hex(sha256) })
  }
}

function wantOf({ offset, length }: GetParams): Want {
  return offset === undefined && length === undefined ? { kind: 'all' } : { kind: 'range', range: { offset: offset ?? 0, length } }
}

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of bytes) parts.push(part)
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
}
