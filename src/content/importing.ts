/**
 * Bytes and trees of files as the blocks of one put, in the profile `unixfs-v1-2025`. Streams: memory is a few blocks,
 * whatever the size and the number of files. What a failure leaves is the writer's to take back.
 */
import { UnixFS } from 'ipfs-unixfs'
import { importer, type ImportCandidate, type ImporterOptions, type InProgressImportResult } from 'ipfs-unixfs-importer'
import type { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import { Semaphore } from '../lib/semaphore.ts'
import { rawCid, toV1 } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'
import type { ProgressOptions } from '../rpc/services.ts'
import type { BlockWriter } from './block-writer.ts'
import { CountedStream, Tally } from './counted-stream.ts'
import type { TreeItem } from './tree.ts'

/** Root folder name given to the importer; it never shows. */
const TREE_ROOT = 'root'
/**
 * Files of a tree read at once: opening small files is waiting for the disk. Each holds at most 2 MiB before it is its
 * turn, and only one that is larger than a block is cut up at a time.
 */
const FILES_MAX = 16

type Stream = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export interface Imported {
  readonly root: CID
  readonly kind: 'file' | 'directory'
  readonly size: Bytes
  readonly sha256?: Uint8Array
}

/** A file below a tree; `dagBytes` counts its blocks, as links to it do. */
interface ImportedFile extends Imported {
  readonly dagBytes: bigint
}

export class Importing {
  readonly #writer: BlockWriter
  readonly #options: ProgressOptions
  readonly #tally: Tally
  readonly #stop = new AbortController()
  readonly #large = new Semaphore({ limit: 1, waitingMax: FILES_MAX, name: 'large files' })

  /** @param init.maxBytes of the file, or of all files of the tree together; 0: unlimited */
  constructor(writer: BlockWriter, init: { readonly maxBytes: Bytes }, options: ProgressOptions) {
    this.#writer = writer
    const { signal } = options
    this.#options = { ...options, signal: signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]) }
    this.#tally = new Tally(init.maxBytes, options)
  }

  async file(content: Stream): Promise<ImportedFile> {
    const counted = new CountedStream(content, this.#tally, this.#options)
    try {
      const head = await counted.head()
      if (head !== undefined) {
        const root = rawCid(counted.digest())
        await this.#writer.put(root, head)
        return { root, kind: 'file', size: head.byteLength, dagBytes: BigInt(head.byteLength), sha256: root.multihash.digest }
      }
      using _turn = await this.#large.acquire(this.#options)
      const { root, dagBytes } = await this.#root([{ content: counted }])
      return { root, kind: 'file', size: counted.size, dagBytes, sha256: counted.digest() }
    } finally {
      await counted.close()
    }
  }

  /** When it rejects, nothing is written any more. */
  async tree(items: AsyncIterable<TreeItem>): Promise<Imported> {
    const running = new Set<Promise<InProgressImportResult>>()
    const one = async (item: TreeItem): Promise<InProgressImportResult> => await this.#item(item)
    let isEmpty = true
    async function* build(): AsyncGenerator<() => Promise<InProgressImportResult>> {
      for await (const item of items) {
        isEmpty = false
        yield async () => {
          const task = one(item)
          running.add(task)
          return await task.finally(() => running.delete(task))
        }
      }
    }
    try {
      const options: ImporterOptions = { dagBuilder: build, fileImportConcurrency: FILES_MAX }
      const found = await this.#lastOf([], options)
      const { root } = isEmpty || found === undefined ? await this.#root([{ path: TREE_ROOT }]) : found
      return { root, kind: 'directory', size: this.#tally.bytes }
    } catch (error) {
      this.#stop.abort(error) // the other files
      throw error
    } finally {
      await Promise.allSettled(running)
    }
  }

  async #item({ path, content }: TreeItem): Promise<InProgressImportResult> {
    const at = `${TREE_ROOT}/${path}`
    if (content === undefined) {
      const { root, dagBytes } = await this.#root([{ path: TREE_ROOT }])
      return { cid: root, size: dagBytes, path: at, originalPath: at, unixfs: new UnixFS({ type: 'directory' }) }
    }
    const { root, dagBytes } = await this.file(content)
    return { cid: root, size: dagBytes, path: at, originalPath: at }
  }

  async #root(candidates: Iterable<ImportCandidate>): Promise<{ readonly root: CID; readonly dagBytes: bigint }> {
    const found = await this.#lastOf(candidates, {})
    if (found === undefined) throw new KithError('INTERNAL', 'the importer gave no root')
    return found
  }

  /** Runs the importer; its last result is the root. A fresh options object: the importer writes into it. */
  async #lastOf(
    candidates: Iterable<ImportCandidate>,
    options: ImporterOptions
  ): Promise<{ readonly root: CID; readonly dagBytes: bigint } | undefined> {
    const writer = this.#writer
    const blocks = {
      put: async (cid: CID, bytes: Uint8Array | Stream) => await writer.put(cid, await joined(bytes))
    }
    let last: { readonly root: CID; readonly dagBytes: bigint } | undefined
    for await (const { cid, size } of importer(candidates, blocks, { profile: 'unixfs-v1-2025', fileImportConcurrency: 1, ...options })) {
      this.#options.signal?.throwIfAborted()
      last = { root: toV1(cid), dagBytes: size }
    }
    return last
  }
}

async function joined(bytes: Uint8Array | Stream): Promise<Uint8Array> {
  if (bytes instanceof Uint8Array) return bytes
  const parts: Uint8Array[] = []
  for await (const part of bytes) parts.push(part)
  return Buffer.concat(parts)
}
