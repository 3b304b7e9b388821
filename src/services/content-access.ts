/**
 * From an address to verified bytes: finds the root, settles the class, follows the path, and hands out either what
 * is here or a retrieval that brings it. Shared by everything that reads content for this node's own user.
 */
import type { CID } from 'multiformats/cid'
import { equals } from 'uint8arrays'
import { directorySize } from '../content/facts.ts'
import { isDirectory, resolvePath } from '../content/directory.ts'
import type { Found, Library } from '../content/library.ts'
import { Mend } from '../content/mend.ts'
import { putBy } from '../content/recorder.ts'
import { getNode, readFile, type ByteRange, type GetBlock } from '../dag/file.ts'
import { notAFile, type DagNode } from '../dag/node.ts'
import { KithError } from '../errors.ts'
import type { VerifiedBlock } from '../model/block.ts'
import { blockKey, IDENTITY_CODE, parseContent, type ContentRef } from '../model/content-id.ts'
import type { PrivacyDecision } from '../model/privacy.ts'
import type { Attempt } from '../model/source.ts'
import type { Bytes } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { ContentRecord } from '../ports/record-store.ts'
import type { Classifier } from '../retrieval/classify.ts'
import { NOT_PUBLIC_HINT, NO_BYTES_YET, rootOf, type Retrieval, type RetrievalReport } from '../retrieval/retrieval.ts'
import type { RetrievalRequest, Retriever } from '../retrieval/retriever.ts'
import type { Want } from '../retrieval/session.ts'
import type { GetParams, ProgressOptions } from '../rpc/services.ts'

/** Seconds a search lasts unless the caller says otherwise. */
const TTL_DEFAULT_S = 30

export interface ContentAccessComponents {
  readonly library: Library
  readonly retriever: Retriever
  readonly classifier: Classifier
  readonly clock: Clock
  /** Told whenever fetched content did not fit into the cache, or did: an operator's health condition. */
  readonly cacheFull?: (isFull: boolean) => void
}

export interface ContentAccessInit {
  readonly unconfirmedBytes: Bytes
  /** Largest file fetched as a whole; Infinity or 0: unlimited. */
  readonly maxFileSize: Bytes
}

/** A root (or what a path below it names), ready to be read. */
export interface Opened {
  readonly root: CID
  readonly node: DagNode
  readonly record: ContentRecord | undefined
  /** Any block of it, waiting for the network if need be. */
  readonly get: GetBlock
  /** Resolves when everything wanted is here. */
  readonly report: Promise<RetrievalReport>
  /** The same until now: who delivers, who was asked. */
  readonly reportSoFar: () => RetrievalReport
}

interface Target {
  readonly root: CID
  readonly context: CID
  readonly decision: PrivacyDecision
  readonly params: GetParams
  readonly maxBytes?: Bytes
}

export class ContentAccess {
  readonly #parts: ContentAccessComponents
  readonly #init: ContentAccessInit

  constructor(components: ContentAccessComponents, init: ContentAccessInit) {
    this.#parts = components
    this.#init = init
  }

  /** @throws NOT_FOUND · TIMEOUT · INTEGRITY · INVALID_CONTENT */
  async open(params: GetParams, want: Want, options: ProgressOptions): Promise<Opened> {
    const ref = parseContent(params.content)
    const decision = await this.#parts.classifier.classify(ref, params.metadata?.privacy)
    const found = this.#parts.library.find(ref)
    const context = ref.cid ?? found?.record.root
    if (context === undefined) return await this.#openByHash(ref, decision, params, options)
    const root = await this.#follow({ root: context, context, decision, params }, ref.path, options)
    const record = this.#parts.library.findRoot(root)?.record
    const target = { root, context, decision, params }
    return record !== undefined ? await this.#openLocal(target, record, options) : await this.#openRemote(target, want, options)
  }

  /** Any single block of a content, from here or from wherever the content may come from. */
  getter(target: Target): GetBlock {
    const reader = this.#parts.retriever.localReader(target.decision.class)
    return async (cid, options) => {
      const local = await reader.get(cid, options)
      if (local !== undefined) return local
      if (!target.decision.public && this.#parts.library.findRoot(target.context) !== undefined) throw damaged(cid)
      const mend = await this.#beginMend(target.context, cid)
      const { retrieval, report } = await this.#parts.retriever.start(requestFor({ ...target, root: cid }, { kind: 'root' }), options)
      await report
      const block = await retrieval.session.get(cid, options)
      await mend?.end(async store => await store(block))
      return block
    }
  }

  /** What is recorded as public here is served from there, so a block that was lost goes where it was. */
  async #beginMend(root: CID, lost: CID): Promise<Mend | undefined> {
    const { library } = this.#parts
    const realm = library.findRoot(root)?.realm
    return realm === 'public' ? await Mend.begin(library, { realm, root, cids: [lost] }) : undefined
  }

  /** Brings here whatever can be had of a recorded content, by the usual stages of its class; the rest stays missing. */
  async fetchAgain({ realm, record: { root } }: Found, options: ProgressOptions): Promise<void> {
    const cls = realm === 'own' ? 'private' : 'public'
    const request: RetrievalRequest = { root, context: root, class: cls, want: { kind: 'all' }, ttl: TTL_DEFAULT_S, hops: 1 }
    const { report } = await this.#parts.retriever.start(request, options)
    await report.catch(() => options.signal?.throwIfAborted())
  }

  async #follow(target: Target, path: readonly string[], options: AbortOptions): Promise<CID> {
    return path.length === 0 ? target.root : await resolvePath(this.getter(target), target.root, path, options)
  }

  async #openLocal(target: Target, record: ContentRecord, options: AbortOptions): Promise<Opened> {
    const startedAt = this.#parts.clock.monotonic()
    const get = withBlock(await this.getter(target)(target.root, options), this.getter(target))
    const node = await getNode(get, target.root, options)
    const ms = Math.round(this.#parts.clock.monotonic() - startedAt)
    const attempts: Attempt[] = [{ stage: 'local', outcome: 'ok', ms, bytes: record.size }]
    const report = {
      source: { stage: 'local' as const },
      bytes: { ...NO_BYTES_YET, local: record.size },
      attempts,
      ms,
      firstByteMs: ms,
      ...(record.sha256 === undefined ? {} : { sha256: record.sha256 })
    }
    await this.#noteReader(record, target.params.by)
    return { root: target.root, node, record, get, report: Promise.resolve(report), reportSoFar: () => report }
  }

  async #openRemote(target: Target, want: Want, options: ProgressOptions): Promise<Opened> {
    const { retrieval, report } = await this.#parts.retriever.start(requestFor(target, want), options)
    const stored = report.then(
      async done => {
        await this.#remember(target, retrieval, done, options)
        this.#parts.cacheFull?.(false)
        return done
      },
      (error: unknown) => {
        if (error instanceof KithError && error.code === 'QUOTA_EXCEEDED') this.#parts.cacheFull?.(true)
        throw error
      }
    )
    stored.catch(() => {}) // the root or a read fails with the same error, or the caller waits for it
    void tellProgress(retrieval, options)
    const node = await Promise.race([rootOf(retrieval.session), stored.then(async () => await rootOf(retrieval.session))])
    if (want.kind === 'all') this.#assertNotTooLarge(node)
    // A session for the root alone brings nothing else: whatever is read below it is asked for on its own.
    const get: GetBlock = want.kind === 'root' ? this.getter(target) : async (cid, opts) => await retrieval.session.get(cid, opts)
    return { root: target.root, node, record: undefined, get, report: stored, reportSoFar: () => retrieval.reportSoFar() }
  }

  /** Told before the leaves are fetched. The caller ends the retrieval. */
  #assertNotTooLarge({ size }: DagNode): void {
    const limit = this.#init.maxFileSize
    if (limit > 0 && size > limit)
      throw new KithError('TOO_LARGE', `the content has ${size} bytes, more than limits.maxFileSize (${limit} bytes)`, { limit, size })
  }

  /** Above one block no byte leaves before the whole has hashed: a mapping from hash to root is only a claim. */
  async #openByHash(ref: ContentRef, decision: PrivacyDecision, params: GetParams, options: ProgressOptions): Promise<Opened> {
    const { sha256 } = ref
    if (sha256 === null || !decision.public) throw notFoundPrivate(decision)
    const roots = await this.#parts.retriever.resolveHash(sha256, options)
    let failure: unknown
    for (const root of roots) {
      const stop = new AbortController()
      const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
      try {
        const target = { root, context: root, decision, params, maxBytes: this.#init.unconfirmedBytes }
        const opened = await this.#openRemote(target, { kind: 'all' }, { ...options, signal })
        const report = await opened.report
        if (report.sha256 !== undefined && equals(report.sha256, sha256)) return opened
        failure = new KithError('INTEGRITY', `what peers gave for this hash has another one; it is not handed out`, {
          attempts: report.attempts
        })
      } catch (error) {
        stop.abort(error) // this root was refused or failed: nothing more of it is fetched
        options.signal?.throwIfAborted()
        // What one candidate was refused for says more than that another was found nowhere.
        if (failure === undefined || (failure instanceof KithError && failure.code === 'NOT_FOUND')) failure = error
      }
    }
    throw failure
  }

  /** Writes the record of what was fetched whole; its blocks are in the cache already. */
  async #remember(target: Target, retrieval: Retrieval, report: RetrievalReport, options: AbortOptions): Promise<void> {
    const { session } = retrieval
    const node = session.rootNode
    if (session.want.kind !== 'all' || node === undefined || target.decision.class !== 'public') return
    if (target.root.multihash.code === IDENTITY_CODE) return // nothing of it is stored: its bytes are in its address
    if (!isDirectory(node) && node.kind !== 'file' && node.kind !== 'raw') return
    const now = this.#parts.clock.now()
    const get: GetBlock = async (cid, opts) => await session.get(cid, opts)
    const size = isDirectory(node) ? await directorySize(get, node, options) : node.size
    const record: ContentRecord = {
      root: target.root,
      kind: isDirectory(node) ? 'directory' : 'file',
      size,
      blocks: session.blockCount,
      createdAt: now,
      lastAccess: now,
      pinned: false,
      ...putBy(undefined, target.params.by),
      ...(report.sha256 === undefined ? {} : { sha256: report.sha256 }),
      ...(target.params.metadata?.contentType === undefined ? {} : { contentType: target.params.metadata.contentType })
    }
    const { library } = this.#parts
    await library.inTurn(target.root, async () => {
      if (library.findRoot(target.root) === undefined) await library.realms.cache.records.put(record)
    })
    await this.#noteReader(record, target.params.by) // another caller may have written it meanwhile
  }

  /** Notes the access, and whose it is: a token sees what it fetched. What was put stays with those who put it. */
  async #noteReader({ root }: ContentRecord, by: string | undefined): Promise<void> {
    const { library, clock } = this.#parts
    const found = library.findRoot(root)
    if (found === undefined) return
    const { records } = library.realms[found.realm]
    records.touch(root, clock.now())
    if (found.realm !== 'cache' || by === undefined || found.record.putBy?.includes(by) === true) return
    await library.inTurn(root, async () => {
      const record = records.get(root)
      if (record !== undefined) await records.put({ ...record, ...putBy(record, by) })
    })
  }
}

/** A block at hand need not be read and hashed again: most contents are one block. */
function withBlock(block: VerifiedBlock, get: GetBlock): GetBlock {
  const key = blockKey(block.cid)
  return async (cid, options) => (blockKey(cid) === key && cid.code === block.cid.code ? block : await get(cid, options))
}

export async function* readOpened(opened: Opened, range: ByteRange, options: AbortOptions): AsyncGenerator<Uint8Array> {
  if (isDirectory(opened.node)) throw notAFile(opened.node)
  yield* readFile(opened.get, opened.node, range, options)
}

function requestFor({ root, context, decision, params, maxBytes }: Target, want: Want): RetrievalRequest {
  return {
    root,
    context,
    class: decision.class,
    want,
    ttl: params.ttl ?? TTL_DEFAULT_S,
    hops: params.hops ?? 1,
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(params.preferredSources === undefined || params.preferredSources.length === 0 ? {} : { preferredSources: params.preferredSources })
  }
}

async function tellProgress(retrieval: Retrieval, { onProgress }: ProgressOptions): Promise<void> {
  if (onProgress === undefined) return
  const { session } = retrieval
  while (!session.isDone && session.failure === undefined) {
    await session.changed()
    const source = retrieval.deliverer
    const total = session.rootNode?.size
    onProgress({
      bytes: session.localBytes + session.receivedBytes,
      ...(total === undefined || total === 0 ? {} : { total }),
      ...(source === undefined ? {} : { source })
    })
  }
}

/** Nobody else may be asked for private content, so this node's copy is all there is. */
function damaged(cid: CID): KithError {
  return new KithError(
    'INTEGRITY',
    `block ${cid.toString()} of this private content is missing or damaged on this disk, and no other copy may be asked for. Put the content again from where it came.`,
    { cid: cid.toString() }
  )
}

function notFoundPrivate(decision: PrivacyDecision): KithError {
  const attempts: Attempt[] = [
    { stage: 'peer', outcome: 'skipped', ms: 0, bytes: 0, reason: 'not-allowed' },
    { stage: 'ipfs', outcome: 'skipped', ms: 0, bytes: 0, reason: 'not-public' },
    { stage: 'gateway', outcome: 'skipped', ms: 0, bytes: 0, reason: 'not-public' }
  ]
  return new KithError('NOT_FOUND', NOT_PUBLIC_HINT, { attempts, asked: 0, reason: decision.reason })
}
