/**
 * What is left of a retrieval once it is complete: the record of what was fetched, in the cache or, if it is private, in
 * realm `own`; and whose it is. Its blocks are stored already; a crash before the record leaves blocks without one.
 */
import { create as createDigest } from 'multiformats/hashes/digest'
import type { CID } from 'multiformats/cid'
import { BlockWriter } from '../content/block-writer.ts'
import { directorySize } from '../content/facts.ts'
import { isDirectory } from '../content/directory.ts'
import type { Library } from '../content/library.ts'
import { putBy } from '../content/recorder.ts'
import type { GetBlock } from '../dag/file.ts'
import { walkLocal } from '../dag/skeleton.ts'
import { KithError } from '../errors.ts'
import { IDENTITY_CODE, SHA2_256_CODE } from '../model/content-id.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { ContentRecord } from '../ports/record-store.ts'
import type { Claimed } from '../retrieval/head-claims.ts'
import type { RetrievalReport } from '../retrieval/retrieval.ts'
import type { DagSession } from '../retrieval/session.ts'

export interface FetchedContent {
  readonly root: CID
  readonly class: PrivacyClass
  /** Name of the access token that asked; absent: the operator. */
  readonly by?: string | undefined
  readonly contentType?: string | undefined
  /** What to call it, on the word of a peer that is trusted with what is private, or that shared it. */
  readonly claimed?: Claimed | undefined
}

export class Fetched {
  readonly #library: Library
  readonly #clock: Clock

  constructor(components: { readonly library: Library; readonly clock: Clock }) {
    this.#library = components.library
    this.#clock = components.clock
  }

  /** Writes the record of what was fetched whole. */
  async remember(content: FetchedContent, session: DagSession, report: RetrievalReport, options: AbortOptions): Promise<void> {
    const { root } = content
    const record = await this.#recordOf(content, session, report, options)
    if (record === undefined) return
    const library = this.#library
    await library.inTurn(root, async () => {
      if (library.findRoot(root) !== undefined) return
      if (content.class === 'public') await library.realms.cache.records.put(record)
      else await this.#keepPrivate(record, options)
    })
    await this.noteReader(record, content.by) // another caller may have written it meanwhile
  }

  /** Notes the access, and whose it is: a token sees what it fetched. What was put stays with those who put it. */
  async noteReader({ root }: ContentRecord, by: string | undefined): Promise<void> {
    const library = this.#library
    const found = library.findRoot(root)
    if (found === undefined) return
    const { records } = library.realms[found.realm]
    records.touch(root, this.#clock.now())
    if (found.realm !== 'cache' || by === undefined || found.record.putBy?.includes(by) === true) return
    await library.inTurn(root, async () => {
      const record = records.get(root)
      if (record !== undefined) await records.put({ ...record, ...putBy(record, by) })
    })
  }

  /** Undefined for what is not recorded: parts, what carries its bytes in its address, private content that was here in public. */
  async #recordOf(
    { root, class: cls, by, claimed, contentType = claimed?.contentType }: FetchedContent,
    session: DagSession,
    { sha256 }: RetrievalReport,
    options: AbortOptions
  ): Promise<ContentRecord | undefined> {
    const node = session.rootNode
    if (session.want.kind !== 'all' || node === undefined || root.multihash.code === IDENTITY_CODE) return undefined
    if (!isDirectory(node) && node.kind !== 'file' && node.kind !== 'raw') return undefined
    if (cls !== 'public' && session.receivedBytes === 0 && !(await this.#library.realms.own.blocks.has(root))) return undefined
    const now = this.#clock.now()
    const get: GetBlock = async (cid, opts) => await session.get(cid, opts)
    return {
      root,
      kind: isDirectory(node) ? 'directory' : 'file',
      size: isDirectory(node) ? await directorySize(get, node, options) : node.size,
      blocks: session.blockCount,
      createdAt: now,
      lastAccess: now,
      pinned: false,
      ...putBy(undefined, by),
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(claimed?.name === undefined ? {} : { name: claimed.name }),
      ...(contentType === undefined ? {} : { contentType })
    }
  }

  /**
   * What a private record names lies in realm `own`, all of it: what happened to be here in public is copied, and nothing
   * that a failing put takes back may be counted on.
   */
  async #keepPrivate(record: ContentRecord, options: AbortOptions): Promise<void> {
    const library = this.#library
    const { own } = library.realms
    const anywhere = library.readable('private')
    const writer = new BlockWriter(library.births.own, own)
    try {
      const { nodes, leaves } = await walkLocal(anywhere, record.root, options)
      for (const cid of [...nodes, ...leaves.map(leaf => leaf.cid)]) {
        options.signal?.throwIfAborted()
        if (cid.multihash.code === IDENTITY_CODE) continue
        writer.adopt(cid)
        if (await own.blocks.has(cid)) continue
        const block = await anywhere.get(cid, options)
        if (block === undefined) throw new KithError('UNAVAILABLE', 'a block of this content went while it was fetched; ask for it again')
        await own.blocks.put(block)
      }
      if (record.sha256 !== undefined) await library.rememberPrivate([createDigest(SHA2_256_CODE, record.sha256).bytes])
      writer.release()
      await own.records.put(record)
    } finally {
      writer.keep()
    }
  }
}
