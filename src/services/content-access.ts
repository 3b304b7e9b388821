/**
 * From an address to verified bytes: finds the root, settles the class, follows the path, and hands out either what
 * is here or a retrieval that brings it. Shared by everything that reads content for this node's own user.
 */
import type { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { equals } from 'uint8arrays'
import { isDirectory, resolvePath } from '../content/directory.ts'
import type { Found, Library } from '../content/library.ts'
import { Mend } from '../content/mend.ts'
import { getNode, readFile, type ByteRange, type GetBlock } from '../dag/file.ts'
import { notAFile, type DagNode } from '../dag/node.ts'
import { KithError } from '../errors.ts'
import type { VerifiedBlock } from '../model/block.ts'
import { blockKey, SHA2_256_CODE } from '../model/content-id.ts'
import type { Attempt } from '../model/source.ts'
import type { Bytes } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { ContentRecord } from '../ports/record-store.ts'
import type { Classifier } from '../retrieval/classify.ts'
import { FoundPrivate } from '../retrieval/found-private.ts'
import type { Claimed } from '../retrieval/head-claims.ts'
import { NO_BYTES_YET, rootOf, type Retrieval, type RetrievalReport } from '../retrieval/retrieval.ts'
import type { RetrievalRequest, Retriever } from '../retrieval/retriever.ts'
import type { Want } from '../retrieval/session.ts'
import type { GetParams, ProgressOptions } from '../rpc/services.ts'
import type { SearchWatch } from './attempts-so-far.ts'
import { lostBlock } from './damaged.ts'
import { PRIVATE_BY_PEER, requestFor, Targets, TTL_DEFAULT_S, type Settled, type Target } from './find-target.ts'
import { Fetched, type FetchedContent } from './keep-fetched.ts'
import { tellProgress } from './tell-progress.ts'

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
  /** Without a record: what those who may be believed call it. */
  readonly claimed?: Claimed
  /** Any block of it, waiting for the network if need be. */
  readonly get: GetBlock
  /** Resolves when everything wanted is here. */
  readonly report: Promise<RetrievalReport>
  /** The same until now: who delivers, who was asked. */
  readonly reportSoFar: () => RetrievalReport
}

export interface OpenOptions extends ProgressOptions, SearchWatch {}

export class ContentAccess {
  readonly #parts: ContentAccessComponents
  readonly #init: ContentAccessInit

  readonly #targets: Targets
  readonly #fetched: Fetched

  constructor(components: ContentAccessComponents, init: ContentAccessInit) {
    this.#parts = components
    this.#init = init
    this.#targets = new Targets(components)
    this.#fetched = new Fetched(components)
  }

  /** @throws NOT_FOUND · TIMEOUT · INTEGRITY · INVALID_CONTENT */
  async open(params: GetParams, want: Want, options: OpenOptions): Promise<Opened> {
    const settled = await this.#targets.settle(params, options)
    const { ref, decision, context, inquiry } = settled
    if (context === undefined) return await this.#openByHash(settled, params, options)
    try {
      return await this.#openTarget({ root: context, context, decision, params, inquiry }, ref.path, want, options)
    } catch (error) {
      return await this.#openTarget(asPrivate({ root: context, context, decision, params }, error), ref.path, want, options)
    }
  }

  async #openTarget(above: Target, path: readonly string[], want: Want, options: OpenOptions): Promise<Opened> {
    const root = await this.#follow(above, path, options)
    const target = { ...above, root }
    const record = this.#parts.library.findRoot(root)?.record
    return record !== undefined ? await this.#openLocal(target, record, options) : await this.#openRemote(target, want, options)
  }

  /** Any single block of a content, from here or from wherever the content may come from. */
  getter(target: Target): GetBlock {
    const get = this.#getterAs(target)
    let again: GetBlock | undefined
    return async (cid, options) => {
      try {
        return await (again ?? get)(cid, options)
      } catch (error) {
        again ??= this.#getterAs(asPrivate(target, error))
        return await again(cid, options)
      }
    }
  }

  #getterAs(target: Target): GetBlock {
    const reader = this.#parts.retriever.localReader(target.decision.class)
    return async (cid, options) => {
      const local = await reader.get(cid, options)
      if (local !== undefined) return local
      const record = this.#parts.library.findRoot(target.context)?.record
      const mend = await this.#beginMend(target.context, cid)
      const { retrieval, report } = await this.#parts.retriever.start(requestFor({ ...target, root: cid }, { kind: 'root' }), options)
      await report.catch((error: unknown) => {
        options.signal?.throwIfAborted()
        throw lostBlock({ block: cid, isPublic: target.decision.public, record }, error)
      })
      const block = await retrieval.session.get(cid, options)
      await mend?.end(async store => await store(block))
      return block
    }
  }

  /** What is recorded here is served from its realm, so a block that was lost goes back to where it was. */
  async #beginMend(root: CID, lost: CID): Promise<Mend | undefined> {
    const { library } = this.#parts
    const realm = library.findRoot(root)?.realm
    return realm === 'public' || realm === 'own' ? await Mend.begin(library, { realm, root, cids: [lost] }) : undefined
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
    await this.#fetched.noteReader(record, target.params.by)
    return { root: target.root, node, record, get, report: Promise.resolve(report), reportSoFar: () => report }
  }

  /** A trusted peer may say while it runs that the content is private: then it goes on as that, unnoticed by who reads. */
  async #openRemote(target: Target, want: Want, options: OpenOptions): Promise<Opened> {
    const first = await this.#openAs(target, want, options).catch(
      async (error: unknown) => await this.#openAs(asPrivate(target, error), want, options)
    )
    let current = first
    let again: Promise<Opened> | undefined
    const goOn = async (error: unknown): Promise<Opened> => {
      const secret = asPrivate(target, error)
      again ??= this.#openAs(secret, want, options)
      current = await again
      return current
    }
    const report = first.report.catch(async (error: unknown) => await (await goOn(error)).report)
    report.catch(() => {}) // the root or a read fails with the same error, or the caller waits for it
    const get: GetBlock = async (cid, opts) => {
      const { get: from } = current
      return await from(cid, opts).catch(async (error: unknown) => await (await goOn(error)).get(cid, opts))
    }
    return { ...first, get, report, reportSoFar: () => current.reportSoFar() }
  }

  async #openAs(target: Target, want: Want, options: OpenOptions): Promise<Opened> {
    const { retrieval, report } = await this.#parts.retriever.start(requestFor(target, want), options)
    options.onSearch?.(() => retrieval.reportSoFar().attempts)
    const stored = report.then(
      async done => {
        await this.#fetched.remember({ ...contentOf(target), claimed: claimedOf(target, retrieval) }, retrieval.session, done, options)
        if (target.decision.public) this.#parts.cacheFull?.(false)
        return done
      },
      (error: unknown) => {
        const isFull = error instanceof KithError && error.code === 'QUOTA_EXCEEDED'
        if (isFull && target.decision.public) this.#parts.cacheFull?.(true)
        throw error
      }
    )
    stored.catch(() => {}) // the root or a read fails with the same error, or the caller waits for it
    void tellProgress(retrieval, options)
    const node = await Promise.race([rootOf(retrieval.session), stored.then(async () => await rootOf(retrieval.session))])
    if (want.kind === 'all') this.#assertNotTooLarge(node)
    // A session for the root alone brings nothing else: whatever is read below it is asked for on its own.
    const get: GetBlock = want.kind === 'root' ? this.getter(target) : async (cid, opts) => await retrieval.session.get(cid, opts)
    const claimed = claimedOf(target, retrieval)
    return { root: target.root, node, record: undefined, claimed, get, report: stored, reportSoFar: () => retrieval.reportSoFar() }
  }

  /** Told before the leaves are fetched. The caller ends the retrieval. */
  #assertNotTooLarge({ size }: DagNode): void {
    const limit = this.#init.maxFileSize
    if (limit > 0 && size > limit)
      throw new KithError('TOO_LARGE', `the content has ${size} bytes, more than limits.maxFileSize (${limit} bytes)`, { limit, size })
  }

  /** Above one block no byte leaves before the whole has hashed: a mapping from hash to root is only a claim. */
  async #openByHash({ ref: { sha256 }, decision: asked }: Settled, params: GetParams, options: OpenOptions): Promise<Opened> {
    if (sha256 === null) throw new KithError('INTERNAL', 'an address is either a CID or a hash')
    const { preferredSources = [] } = params
    const mayAskPeers = preferredSources.length === 0 || preferredSources.includes('peer')
    const { roots, isPrivate } = await this.#parts.retriever.resolveHash(sha256, { isPublic: asked.public, mayAskPeers }, options)
    const decision = isPrivate && asked.public ? PRIVATE_BY_PEER : asked
    if (isPrivate) await this.#parts.library.rememberPrivate([createDigest(SHA2_256_CODE, sha256).bytes])
    let failure: unknown
    for (const { cid: root, isVouched } of roots) {
      const stop = new AbortController()
      const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
      try {
        const limit = isVouched ? {} : { maxBytes: this.#init.unconfirmedBytes }
        const target = { root, context: root, decision, params, ...limit }
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

/** Private content comes from peers one trusts with it, or from who shared it. What strangers call what is public is nobody's name for it. */
function claimedOf({ decision }: Target, retrieval: Retrieval): Claimed {
  return decision.public ? {} : retrieval.claimed
}

/** The same as private content, if that is what a trusted peer said of it. @throws the error, if it says anything else */
function asPrivate(target: Target, error: unknown): Target {
  if (!target.decision.public || !(error instanceof FoundPrivate)) throw error
  return { ...target, decision: PRIVATE_BY_PEER, inquiry: error.inquiry }
}

function contentOf({ root, decision, params }: Target): FetchedContent {
  return { root, class: decision.class, by: params.by, contentType: params.metadata?.contentType }
}
