/**
 * Put: bytes in, a durable record out. Streams; memory is a few blocks whatever the size.
 *
 * A crash during a put leaves blocks without a record (taken away by the next collection), never a record
 * without its blocks: the record is written after every block, in the same order the store makes durable.
 */
import { KithError } from '../errors.ts'
import { contentUri, hex } from '../model/content-id.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import type { Bytes } from '../model/units.ts'
import type { LocalFiles } from '../ports/local-files.ts'
import type { ProgressOptions, PutParams, PutResult, PutSource } from '../rpc/services.ts'
import { assertAllowedType } from './allowed-types.ts'
import type { BlockWriter } from './block-writer.ts'
import { Importing, type Imported } from './importing.ts'
import { Recorder, type RecorderComponents } from './recorder.ts'
import { entriesOf, filesBelow } from './tree.ts'

export interface PutComponents extends RecorderComponents {
  readonly files: LocalFiles
}

export interface PutInit {
  readonly defaultPrivacy: PrivacyClass
  /** Bytes of a file, and of all files of a directory together; 0: unlimited. */
  readonly maxFileSize: Bytes
  /** Media types that may be put; empty or absent: all. */
  readonly allowedTypes?: readonly string[]
}

interface Put extends Imported {
  /** Paths left out of a directory. */
  readonly skipped?: readonly string[]
}

export class Putter {
  readonly #parts: PutComponents
  readonly #init: PutInit
  readonly #recorder: Recorder

  constructor(components: PutComponents, init: PutInit) {
    this.#parts = components
    this.#init = init
    this.#recorder = new Recorder(components)
  }

  /** @throws CONFLICT (recorded private) · ALREADY_PUBLIC · TOO_LARGE · QUOTA_EXCEEDED · INVALID_PARAMS */
  async put(source: PutSource, params: PutParams & { readonly within?: readonly string[] }, options: ProgressOptions): Promise<PutResult> {
    assertAllowedType(this.#init.allowedTypes ?? [], params.contentType)
    const recorder = this.#recorder
    const wanted = params.privacy ?? this.#init.defaultPrivacy
    const writer = recorder.writerFor(wanted)
    try {
      const imported = await this.#import(source, writer, this.#parts.files.within(params.within), options)
      return await this.#parts.library.inTurn(imported.root, async () => {
        const privacy = recorder.classFor(imported.root, wanted, params.privacy)
        if (privacy === wanted) return await this.#record(imported, writer, privacy, params)
        return await this.#recordAsPublic(imported, writer, params)
      })
    } catch (error) {
      await writer.undo()
      throw error
    }
  }

  /** The content is public here already: its blocks are counted on there (and mended if need be), the private copies go. */
  async #recordAsPublic(imported: Put, from: BlockWriter, params: PutParams): Promise<PutResult> {
    const to = this.#recorder.writerFor('public')
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

  async #record(imported: Put, writer: BlockWriter, privacy: PrivacyClass, params: PutParams): Promise<PutResult> {
    const { root, size, sha256, skipped = [] } = imported
    const [blocks, newBlocks] = [writer.count, writer.newCount]
    writer.release()
    const record = await this.#recorder.record({ ...imported, blocks }, privacy, params)
    writer.keep()
    this.#recorder.announce(record, privacy)
    return {
      cid: root.toString(),
      uri: contentUri(root, privacy === 'public'),
      size,
      blocks,
      newBlocks,
      privacy,
      pinned: record.pinned,
      ...(sha256 === undefined ? {} : { sha256: hex(sha256) }),
      ...(skipped.length === 0 ? {} : { skipped })
    }
  }

  async #import(source: PutSource, writer: BlockWriter, files: LocalFiles, options: ProgressOptions): Promise<Put> {
    const importing = new Importing(writer, { maxBytes: this.#init.maxFileSize }, options)
    if ('bytes' in source) return await importing.file([source.bytes])
    if ('stream' in source) return await importing.file(source.stream)
    if ('entries' in source) return await importing.tree(entriesOf(source.entries, files, options))
    const kind = await files.kindOf(source.path)
    if (kind === 'file') return await importing.file(files.read(source.path, options))
    if (kind === 'other')
      throw new KithError('INVALID_PARAMS', `"${source.path}" is neither a file nor a folder (symbolic links are not followed)`, {
        path: source.path
      })
    const skipped: string[] = []
    const skip = (path: string): void => {
      skipped.push(path)
    }
    return { ...(await importing.tree(filesBelow(source.path, files, skip, options))), skipped }
  }
}
