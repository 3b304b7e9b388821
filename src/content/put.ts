/**
 * Put: bytes in, a durable record out. Streams; memory is a few blocks whatever the size.
 *
 * A crash during a put leaves blocks without a record (taken away by the next collection), never a record
 * without its blocks: the record is written after every block, in the same order the store makes durable.
 */
import { importer, type ImportCandidate } from 'ipfs-unixfs-importer'
import type { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import { contentUri, hex, isSafeName, rawCid, toV1 } from '../model/content-id.ts'
import type { PrivacyClass, Realm } from '../model/privacy.ts'
import type { Bytes } from '../model/units.ts'
import type { EventBus } from '../observe/events.ts'
import type { Clock } from '../ports/clock.ts'
import type { LocalFiles } from '../ports/local-files.ts'
import type { ContentRecord } from '../ports/record-store.ts'
import type { ProgressOptions, PutParams, PutResult, PutSource } from '../rpc/services.ts'
import { BlockWriter } from './block-writer.ts'
import { CountedStream } from './counted-stream.ts'
import type { Library } from './library.ts'
import { entriesOf, filesBelow, type TreeItem } from './tree.ts'

/** Root folder name given to the importer; it never shows. */
const TREE_ROOT = 'root'

export interface PutComponents {
  readonly library: Library
  readonly files: LocalFiles
  readonly clock: Clock
  readonly events: EventBus
}

export interface PutInit {
  readonly defaultPrivacy: PrivacyClass
  /** 0: unlimited. */
  readonly maxFileSize: Bytes
}

interface Imported {
  readonly root: CID
  readonly kind: 'file' | 'directory'
  readonly size: Bytes
  readonly sha256?: Uint8Array
  readonly skipped?: readonly string[]
}

export class Putter {
  readonly #parts: PutComponents
  readonly #init: PutInit

  constructor(components: PutComponents, init: PutInit) {
    this.#parts = components
    this.#init = init
  }

  /** @throws CONFLICT (recorded private) · ALREADY_PUBLIC · TOO_LARGE · QUOTA_EXCEEDED · INVALID_PARAMS */
  async put(source: PutSource, params: PutParams, options: ProgressOptions): Promise<PutResult> {
    const wanted = params.privacy ?? this.#init.defaultPrivacy
    const realm = wanted === 'public' ? 'public' : 'own'
    const writer = this.#writerFor(realm)
    try {
      const imported = await this.#import(source, writer, options)
      return await this.#parts.library.inTurn(imported.root, async () => {
        const known = this.#privacyConflict(imported.root, params.privacy)
        if (known === undefined || known === wanted) return await this.#record(imported, writer, wanted, params)
        return await this.#recordAsPublic(imported, writer, params)
      })
    } catch (error) {
      await writer.undo()
      throw error
    }
  }

  #writerFor(realm: Realm): BlockWriter {
    return new BlockWriter(this.#parts.library.births[realm], this.#parts.library.realms[realm])
  }

  /** The content is public here already: its blocks are counted on there (and mended if need be), the private copies go. */
  async #recordAsPublic(imported: Imported, from: BlockWriter, params: PutParams): Promise<PutResult> {
    const to = this.#writerFor('public')
    try {
      for (const cid of from.cids) {
        const block = await this.#parts.library.realms.own.blocks.get(cid)
        if (block === undefined) throw new KithError('UNAVAILABLE', 'a block that was just stored cannot be read back; check the disk')
        await to.put(cid, block.bytes)
      }
      const result = await this.#record(imported, to, 'public', params)
      await from.undo()
      return result
    } catch (error) {
      await to.undo()
      throw error
    }
  }

  /** @returns the class in force if the root is recorded in the other realm and that is no conflict */
  #privacyConflict(root: CID, asked: PrivacyClass | undefined): PrivacyClass | undefined {
    const { own, public: open } = this.#parts.library.realms
    if (asked === 'public' && own.records.get(root) !== undefined) {
      throw new KithError(
        'CONFLICT',
        `this content is recorded as private here. To make it public on purpose, use content.publish (kith publish ${root.toString()}).`,
        { cid: root.toString() }
      )
    }
    if (open.records.get(root) === undefined) return undefined
    if (asked === 'private')
      throw new KithError(
        'ALREADY_PUBLIC',
        `this content is already public here; what was told to the world cannot be made private again`,
        { cid: root.toString() }
      )
    return 'public'
  }

  async #record(imported: Imported, writer: BlockWriter, privacy: PrivacyClass, params: PutParams): Promise<PutResult> {
    const { records } = this.#parts.library.realms[privacy === 'public' ? 'public' : 'own']
    const now = this.#parts.clock.now()
    const before = records.get(imported.root)
    const pinned = (params.pin ?? true) || before?.pinned === true
    const record: ContentRecord = {
      ...pick(before),
      ...pick(params),
      root: imported.root,
      kind: imported.kind,
      size: imported.size,
      blocks: writer.count,
      createdAt: before?.createdAt ?? now,
      lastAccess: now,
      pinned,
      ...(imported.sha256 === undefined ? {} : { sha256: imported.sha256 })
    }
    const [blocks, newBlocks] = [writer.count, writer.newCount]
    writer.release()
    await records.put(record)
    writer.keep()
    const isPublic = privacy === 'public'
    this.#parts.events.emit('content.stored', { cid: imported.root.toString(), size: imported.size, privacy })
    return {
      cid: imported.root.toString(),
      uri: contentUri(imported.root, isPublic),
      size: imported.size,
      blocks,
      newBlocks,
      privacy,
      pinned,
      ...(imported.sha256 === undefined ? {} : { sha256: hex(imported.sha256) }),
      ...(imported.skipped === undefined || imported.skipped.length === 0 ? {} : { skipped: imported.skipped })
    }
  }

  async #import(source: PutSource, writer: BlockWriter, options: ProgressOptions): Promise<Imported> {
    if ('bytes' in source) return await this.#importFile([source.bytes], writer, options)
    if ('stream' in source) return await this.#importFile(source.stream, writer, options)
    if ('entries' in source) return await this.#importTree(entriesOf(source.entries, this.#parts.files, options), writer, options)
    const kind = await this.#parts.files.kindOf(source.path)
    if (kind === 'file') return await this.#importFile(this.#parts.files.read(source.path, options), writer, options)
    if (kind === 'other')
      throw new KithError('INVALID_PARAMS', `"${source.path}" is neither a file nor a folder (symbolic links are not followed)`, {
        path: source.path
      })
    const skipped: string[] = []
    const tree = filesBelow(
      source.path,
      this.#parts.files,
      path => {
        skipped.push(path)
      },
      options
    )
    return { ...(await this.#importTree(tree, writer, options)), skipped }
  }

  async #importFile(
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    writer: BlockWriter,
    options: ProgressOptions
  ): Promise<Imported> {
    const counted = new CountedStream(content, this.#init.maxFileSize, options)
    try {
      const head = await counted.head()
      if (head !== undefined) {
        const root = rawCid(counted.digest())
        await writer.put(root, head)
        return { root, kind: 'file', size: head.byteLength, sha256: root.multihash.digest }
      }
      const root = await importRoot([{ content: counted }], writer, options)
      return { root, kind: 'file', size: counted.size, sha256: counted.digest() }
    } finally {
      await counted.close()
    }
  }

  async #importTree(items: AsyncIterable<TreeItem>, writer: BlockWriter, options: ProgressOptions): Promise<Imported> {
    let size = 0
    let current: CountedStream | undefined
    const limit = this.#init.maxFileSize
    async function* candidates(): AsyncGenerator<ImportCandidate> {
      let isEmpty = true
      for await (const item of items) {
        isEmpty = false
        const path = `${TREE_ROOT}/${item.path}`
        if (item.content === undefined) {
          yield { path }
          continue
        }
        current = new CountedStream(item.content, limit, options, size)
        yield { path, content: current }
        size += current.size
        await current.close()
      }
      if (isEmpty) yield { path: TREE_ROOT }
    }
    try {
      const root = await importRoot(candidates(), writer, options)
      return { root, kind: 'directory', size }
    } finally {
      await current?.close()
    }
  }
}

/** Runs the importer; its last result is the root. A fresh options object: the importer writes into it. */
async function importRoot(
  candidates: AsyncIterable<ImportCandidate> | Iterable<ImportCandidate>,
  writer: BlockWriter,
  options: ProgressOptions
): Promise<CID> {
  const blocks = {
    put: async (cid: CID, bytes: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>) =>
      await writer.put(cid, await joined(bytes))
  }
  let root: CID | undefined
  // One file at a time: their sizes are added up in order.
  for await (const result of importer(candidates, blocks, { profile: 'unixfs-v1-2025', fileImportConcurrency: 1 })) {
    options.signal?.throwIfAborted()
    root = result.cid
  }
  if (root === undefined) throw new KithError('INTERNAL', 'the importer gave no root')
  return toV1(root)
}

async function joined(bytes: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  if (bytes instanceof Uint8Array) return bytes
  const parts: Uint8Array[] = []
  for await (const part of bytes) parts.push(part)
  return Buffer.concat(parts)
}

function pick(from: Pick<PutParams, 'name' | 'contentType' | 'type'> | undefined): Pick<ContentRecord, 'name' | 'contentType' | 'type'> {
  const { name, contentType, type } = from ?? {}
  if (name !== undefined && !isSafeName(name))
    throw new KithError('INVALID_PARAMS', `the name "${name}" is not allowed: no "/", "\\" or control characters, at most 255 bytes`, {
      name
    })
  return {
    ...(name === undefined ? {} : { name }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(type === undefined ? {} : { type })
  }
}
