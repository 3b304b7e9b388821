/** Content onto the disk of this machine: a file, or a tree of files, under a name that was free. */
import type { Bytes } from '../model/units.ts'
import type { LocalFiles } from '../ports/local-files.ts'
import type { AbortOptions } from '../ports/options.ts'
import { getNode, readFile, type ByteRange, type GetBlock } from '../dag/file.ts'
import { BadDagError, type DagNode } from '../dag/node.ts'
import { directoryLinks, isDirectory } from './directory.ts'
import { measureTree } from './facts.ts'
import { KithError } from '../errors.ts'
import { Turns } from '../lib/turns.ts'
import { blockKey } from '../model/content-id.ts'

/** Deepest folder written: below PATH_MAX even with one-letter names, and no honest tree comes near. */
const FOLDER_DEPTH_MAX = 256

/** How often one folder (with something in it) is written within a tree: copies of folders exist, thousands of one do not. */
const SAME_FOLDER_MAX = 1000

/** A tree is written up to this many entries, and above it if its distinct folders hold a fair part of them: a file takes some 100 µs. */
const UNFOLDED_ENTRIES_MAX = 65_536
/** How many times over the entries of its distinct folders a tree may unfold beyond that: 32,000 links may make 256 million files. */
const UNFOLDING_MAX = 16

export interface WriteOptions extends AbortOptions {
  readonly onBytes?: (bytes: Bytes) => void
  /** Files only: this part and no more. */
  readonly range?: ByteRange
}

/**
 * Writes `node` to `path`, which must be free. Files appear whole or not at all; a failed tree keeps the files
 * written so far.
 *
 * @throws CONFLICT if the target exists · INTEGRITY for names that are not safe, and for trees no honest folder makes
 */
export async function writeOut(files: LocalFiles, get: GetBlock, node: DagNode, path: string, options: WriteOptions): Promise<void> {
  if (await files.exists(path)) throw new KithError('CONFLICT', `"${path}" exists already; nothing was overwritten`, { path })
  if (isDirectory(node)) await assertFolds(get, node, options)
  const turns = new Turns()
  const written = new Map<string, number>()
  const write = async (each: DagNode, at: string, depth: number): Promise<void> =>
    isDirectory(each) ? await writeFolder(each, at, depth) : await writeFile(files, get, each, at, options)
  const writeFolder = async (folder: DagNode, at: string, depth: number): Promise<void> => {
    if (depth > FOLDER_DEPTH_MAX) throw new BadDagError(folder.cid, `folders nest deeper than ${FOLDER_DEPTH_MAX}`)
    countFolder(written, folder)
    await files.makeFolder(at)
    const names = new Set<string>()
    for await (const { name, cid } of directoryLinks(get, folder, options, turns)) {
      if (names.has(name)) throw new BadDagError(folder.cid, `it holds the name ${JSON.stringify(name)} twice`)
      names.add(name)
      await write(await getNode(get, cid, options), files.join(at, name), depth + 1)
    }
  }
  await write(node, path, 0)
}

/** Looked at before anything is written. @throws BadDagError for a tree of few folders that unfolds without end */
async function assertFolds(get: GetBlock, node: DagNode, options: AbortOptions): Promise<void> {
  const { entries, distinct } = await measureTree(get, node, options)
  if (entries > Math.max(UNFOLDED_ENTRIES_MAX, UNFOLDING_MAX * distinct))
    throw new BadDagError(node.cid, `the tree unfolds from ${distinct} entries to ${entries}`)
}

/** Five blocks may unfold into 900 million folders. */
function countFolder(written: Map<string, number>, folder: DagNode): void {
  if (folder.links.length === 0) return
  const key = blockKey(folder.cid)
  const times = (written.get(key) ?? 0) + 1
  if (times > SAME_FOLDER_MAX) throw new BadDagError(folder.cid, `the same folder occurs more than ${SAME_FOLDER_MAX} times in the tree`)
  written.set(key, times)
}

async function writeFile(files: LocalFiles, get: GetBlock, node: DagNode, path: string, options: WriteOptions): Promise<void> {
  const sink = await files.createFile(path)
  try {
    for await (const bytes of readFile(get, node, options.range ?? { offset: 0 }, options)) {
      await sink.write(bytes)
      options.onBytes?.(bytes.byteLength)
    }
  } catch (error) {
    await sink.discard()
    throw error
  }
  await sink.commit()
}
