/**
 * Import: a CAR of this machine in, a durable record for each of its roots out, or nothing at all. Memory is one block
 * and one key for each block of the file. Until the records are written the blocks are withheld and a crash lets them
 * go, like those of a put; blocks that no root reaches go in any case.
 */
import type { CID } from 'multiformats/cid'
import { openCar } from '../dag/car.ts'
import { getNode, readFile, type GetBlock } from '../dag/file.ts'
import { notAFileOrDirectory, type DagNode } from '../dag/node.ts'
import { walkDag } from '../dag/walk.ts'
import { KithError } from '../errors.ts'
import { Turns } from '../lib/turns.ts'
import { BLOCK_BYTES_MAX, type VerifiedBlock } from '../model/block.ts'
import { blockKey, IDENTITY_CODE, isSupportedCid, toV1 } from '../model/content-id.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import { Sha256 } from '../model/sha256.ts'
import { GIB, type Bytes } from '../model/units.ts'
import type { LocalFiles } from '../ports/local-files.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { ContentRecord } from '../ports/record-store.ts'
import type { CarResult, ProgressOptions } from '../rpc/services.ts'
import { assertAllowedType } from './allowed-types.ts'
import type { BlockWriter } from './block-writer.ts'
import { directorySize } from './facts.ts'
import { isDirectory } from './directory.ts'
import { Recorder, type NewContent, type RecorderComponents } from './recorder.ts'
import type { PutInit } from './put.ts'

/** Missing blocks an error names: enough to see which part was left out. */
const MISSING_NAMED_MAX = 10
/** A file is hashed up to this size, and above it if its blocks make up a fair part of it. Bytes. */
const UNFOLDED_BYTES_MAX = GIB
/** And up to this many pieces, or if its blocks are a fair part of them: a piece takes some 20 µs. */
const UNFOLDED_PIECES_MAX = 65_536
/** How many times over its blocks a file may unfold beyond that: five blocks may make petabytes. */
const UNFOLDING_MAX = 16

export interface ImportComponents extends RecorderComponents {
  readonly files: LocalFiles
}

export interface ImportRequest {
  /** A CAR file of this machine, version 1 or 2. */
  readonly path: string
  readonly privacy?: PrivacyClass | undefined
  /** Name of the access token that imports; absent: the operator. */
  readonly by?: string | undefined
  /** Real paths of the folders below which the file must lie; absent: anywhere. */
  readonly within?: readonly string[] | undefined
}

export interface ImportResult extends CarResult {
  /** Roots that are public here now. */
  readonly publicRoots: readonly CID[]
}

/** Finds a block here, or does not. */
type FindBlock = (cid: CID, options: AbortOptions) => Promise<VerifiedBlock | undefined>

/** One root on its way to a record. */
interface Rooted {
  readonly root: CID
  readonly privacy: PrivacyClass
  readonly writer: BlockWriter
}

export class CarImporter {
  readonly #parts: ImportComponents
  readonly #init: PutInit
  readonly #recorder: Recorder

  constructor(components: ImportComponents, init: PutInit) {
    this.#parts = components
    this.#init = init
    this.#recorder = new Recorder(components)
  }

  /**
   * @returns `blocks` and `bytes`: distinct blocks the roots reach
   * @throws INTEGRITY (no CAR, wrong bytes, blocks missing: `data.missing`) · INVALID_CONTENT (a root that is neither file
   * nor directory) · INVALID_PARAMS · TOO_LARGE · QUOTA_EXCEEDED · CONFLICT · ALREADY_PUBLIC; nothing stays then
   */
  async import(request: ImportRequest, options: ProgressOptions): Promise<ImportResult> {
    assertAllowedType(this.#init.allowedTypes ?? [], undefined)
    const wanted = request.privacy ?? this.#init.defaultPrivacy
    const brought = this.#recorder.writerFor(wanted)
    try {
      const roots = await this.#read(request, brought, options)
      return await this.#parts.library.inTurns(roots, async () => await this.#adopt(roots, brought, wanted, request, options))
    } finally {
      await brought.undo() // what no record counts on goes
    }
  }

  /** Stores every block of the file, withheld. @returns the distinct roots that have blocks */
  async #read({ path, within }: ImportRequest, brought: BlockWriter, options: ProgressOptions): Promise<readonly CID[]> {
    const files = this.#parts.files.within(within)
    if ((await files.kindOf(path)) !== 'file')
      throw new KithError('INVALID_PARAMS', `"${path}" is not a file, so it is no CAR (symbolic links are not followed)`, { path })
    const car = await openCar(files.read(path, options))
    try {
      const roots = rootsOf(car.roots, path)
      let bytes = 0
      const turns = new Turns()
      for await (const block of car.blocks()) {
        await turns.step(options)
        bytes += block.bytes.byteLength
        options.onProgress?.({ bytes })
        // Nothing that is kept can link to what is not supported, and identity blocks are in their addresses.
        if (isSupportedCid(block.cid) && block.cid.multihash.code !== IDENTITY_CODE) await brought.put(toV1(block.cid), block.bytes)
      }
      return roots
    } finally {
      await car.close()
    }
  }

  async #adopt(
    roots: readonly CID[],
    brought: BlockWriter,
    wanted: PrivacyClass,
    { privacy: asked, by }: ImportRequest,
    options: AbortOptions
  ): Promise<ImportResult> {
    const writers = { public: this.#recorder.writerFor('public'), private: this.#recorder.writerFor('private') }
    const both = [writers.public, writers.private]
    const records: [ContentRecord, PrivacyClass][] = []
    let bytes = 0
    try {
      const contents: [NewContent, PrivacyClass][] = []
      for (const root of roots) {
        const privacy = this.#recorder.classFor(root, wanted, asked)
        const get = this.#getter(brought, wanted, by === undefined ? privacy : undefined)
        const counted = await this.#collect({ root, privacy, writer: writers[privacy] }, brought, wanted, get, options)
        bytes += counted.bytes
        contents.push([await this.#describe(root, counted.blocks, get, options), privacy])
      }
      for (const writer of both) writer.release()
      for (const [content, privacy] of contents)
        records.push([await this.#recorder.record(content, privacy, by === undefined ? {} : { by }), privacy])
    } catch (error) {
      // A disk that failed between two records: what is recorded keeps its blocks.
      for (const writer of both) await (records.length === 0 ? writer.undo() : writer.keep())
      throw error
    }
    const blocks = writers.public.count + writers.private.count
    for (const writer of both) writer.keep()
    for (const [record, privacy] of records) this.#recorder.announce(record, privacy)
    const publicRoots = records.filter(([, privacy]) => privacy === 'public').map(([{ root }]) => root)
    return { roots: roots.map(String), blocks, bytes, publicRoots }
  }

  /**
   * From the file, or else from what may be used for content of this class anyway; without a class, from the file alone:
   * a token must not get at blocks that are not its own by importing a root that links to them.
   */
  #getter(brought: BlockWriter, wanted: PrivacyClass, elsewhere: PrivacyClass | undefined): FindBlock {
    const { library } = this.#parts
    return async (cid, options) => {
      const place = brought.brings(cid) ? wanted : elsewhere
      return place === undefined ? undefined : await library.readable(place).get(cid, options)
    }
  }

  /** Every block of a root goes to its writer. @throws INTEGRITY naming what is missing */
  async #collect(
    { root, privacy, writer }: Rooted,
    brought: BlockWriter,
    wanted: PrivacyClass,
    get: FindBlock,
    options: AbortOptions
  ): Promise<{ blocks: number; bytes: Bytes }> {
    const missing: string[] = []
    const look = async (cid: CID, opts: AbortOptions): Promise<{ cid: CID; block: VerifiedBlock | undefined }> => ({
      cid,
      block: await get(cid, opts)
    })
    let [blocks, bytes] = [0, 0]
    for await (const { cid, block } of walkDag(root, look, options)) {
      if (block === undefined) {
        missing.push(cid.toString())
        if (missing.length >= MISSING_NAMED_MAX) break
        continue
      }
      blocks += 1
      if (!writer.brings(cid)) bytes += block.bytes.byteLength
      if (privacy === wanted && brought.brings(cid)) writer.adopt(cid)
      else await writer.put(cid, block.bytes)
    }
    if (missing.length > 0) throw incomplete(root, missing)
    return { blocks, bytes }
  }

  async #describe(root: CID, blocks: number, find: FindBlock, options: AbortOptions): Promise<NewContent> {
    const get: GetBlock = async (cid, opts) => {
      const block = await find(cid, opts)
      if (block === undefined) throw incomplete(root, [cid.toString()])
      return block
    }
    const node = await getNode(get, root, options)
    const kind = kindOf(node)
    const size = kind === 'directory' ? await directorySize(get, node, options) : node.size
    const limit = this.#init.maxFileSize
    if (limit > 0 && size > limit)
      throw new KithError('TOO_LARGE', `${root.toString()} has ${size} bytes, more than limits.maxFileSize (${limit} bytes)`, {
        limit,
        size
      })
    const hash = kind === 'file' ? await hashOf(get, node, blocks, options) : undefined
    return { root, kind, size, blocks, sha256: hash }
  }
}

function rootsOf(roots: readonly CID[], path: string): readonly CID[] {
  if (roots.length === 0)
    throw new KithError('INVALID_PARAMS', `the CAR "${path}" names no roots, so nothing of it would be kept; nothing was imported`, {
      path
    })
  const unsupported = roots.find(root => !isSupportedCid(root))
  if (unsupported !== undefined)
    throw new KithError(
      'INVALID_CONTENT',
      `the CAR names the root ${unsupported.toString()}; only raw and dag-pb with sha2-256 are supported. Nothing was imported.`,
      { cid: unsupported.toString() }
    )
  const stored = roots.filter(root => root.multihash.code !== IDENTITY_CODE).map(toV1)
  return [...new Map(stored.map(root => [blockKey(root), root])).values()]
}

function kindOf(node: DagNode): 'file' | 'directory' {
  if (isDirectory(node)) return 'directory'
  if (node.kind === 'file' || node.kind === 'raw') return 'file'
  throw notAFileOrDirectory(node)
}

/** Reading it also shows that no node lies about sizes. @returns undefined for what unfolds too far to be read */
async function hashOf(get: GetBlock, node: DagNode, blocks: number, options: AbortOptions): Promise<Uint8Array | undefined> {
  if (node.size > Math.max(UNFOLDED_BYTES_MAX, UNFOLDING_MAX * blocks * BLOCK_BYTES_MAX)) return undefined
  let left = Math.max(UNFOLDED_PIECES_MAX, UNFOLDING_MAX * blocks)
  const hash = new Sha256()
  for await (const bytes of readFile(get, node, { offset: 0 }, options)) {
    left -= 1
    if (left < 0) return undefined
    hash.update(bytes)
  }
  return hash.digest()
}

function incomplete(root: CID, missing: readonly string[]): KithError {
  return new KithError(
    'INTEGRITY',
    `the CAR does not hold all of ${root.toString()}: ${missing.length >= MISSING_NAMED_MAX ? 'among others ' : ''}${missing.join(', ')} is missing here. Nothing was imported; export it again where it is whole.`,
    { cid: root.toString(), missing }
  )
}
