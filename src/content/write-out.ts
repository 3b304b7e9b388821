/** Content onto the disk of this machine: a file, or a tree of files, under a name that was free. */
import type { Bytes } from '../model/units.ts'
import type { FolderSink, LocalFiles } from '../ports/local-files.ts'
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

/** Paths listed of what was left out: more say nothing more. */
export const SKIPPED_LISTED_MAX = 10_000

export interface Written {
  /** Symbolic links, relative to the tree; at most {@link SKIPPED_LISTED_MAX} of them. */
  readonly skipped: readonly string[]
}

export interface WriteOptions extends AbortOptions {
  readonly onBytes?: (bytes: Bytes) => void
  /** Files only: this part and no more. */
  readonly range?: ByteRange
}

/**
 * Writes `node` to `path`, which must be free. A file or a tree appears whole or not at all. Symbolic links within a tree
 * are left out: they are neither made nor followed.
 *
 * @throws CONFLICT if the target exists · INTEGRITY for names that are not safe, and for trees no honest folder makes
 */
export async function writeOut(files: LocalFiles, get: GetBlock, node: DagNode, path: string, options: WriteOptions): Promise<Written> {
  if (await files.exists(path)) throw new KithError('CONFLICT', `"${path}" exists already; nothing was overwritten`, { path })
  if (!isDirectory(node)) {
    await writeFile(files, get, node, path, options)
    return { skipped: [] }
  }
  await assertFolds(get, node, options)
  const sink = await files.createFolder(path)
  let written: Written
  try {
    written = await fillFolder(sink, get, node, options)
  } catch (error) {
    await sink.discard()
    throw error
  }
  await sink.commit()
  return written
}

async function fillFolder({ files, path: root }: FolderSink, get: GetBlock, node: DagNode, options: WriteOptions): Promise<Written> {
  const skipped: string[] = []
  const turns = new Turns()
  const written = new Map<string, number>()
  const fill = async (folder: DagNode, path: string, above: readonly string[]): Promise<void> => {
    if (above.length > FOLDER_DEPTH_MAX) throw new BadDagError(folder.cid, `folders nest deeper than ${FOLDER_DEPTH_MAX}`)
    countFolder(written, folder)
    for await (const { name, cid } of directoryLinks(get, folder, options, turns)) {
      const each = await getNode(get, cid, options)
      const at = files.join(path, name)
      if (each.kind === 'symlink') {
        if (skipped.length < SKIPPED_LISTED_MAX) skipped.push([...above, name].join('/'))
      } else if (isDirectory(each)) {
        await files.makeFolder(at)
        await fill(each, at, [...above, name])
      } else await writeFile(files, get, each, at, options)
    }
  }
  await fill(node, root, [])
  return { skipped }
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
