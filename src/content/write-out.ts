/** Content onto the disk of this machine: a file, or a tree of files, under a name that was free. */
import type { Bytes } from '../model/units.ts'
import type { LocalFiles } from '../ports/local-files.ts'
import type { AbortOptions } from '../ports/options.ts'
import { getNode, readFile, type ByteRange, type GetBlock } from '../dag/file.ts'
import { BadDagError, type DagNode } from '../dag/node.ts'
import { directoryLinks, isDirectory } from './directory.ts'
import { KithError } from '../errors.ts'

/** Deepest folder written: below PATH_MAX even with one-letter names, and no honest tree comes near. */
const FOLDER_DEPTH_MAX = 256

export interface WriteOptions extends AbortOptions {
  readonly onBytes?: (bytes: Bytes) => void
  /** Files only: this part and no more. */
  readonly range?: ByteRange
}

/**
 * Writes `node` to `path`, which must be free. Files appear whole or not at all; a failed tree keeps the files
 * written so far.
 *
 * @throws CONFLICT if the target exists · INTEGRITY for names that are not safe
 */
export async function writeOut(files: LocalFiles, get: GetBlock, node: DagNode, path: string, options: WriteOptions): Promise<void> {
  if (await files.exists(path)) throw new KithError('CONFLICT', `"${path}" exists already; nothing was overwritten`, { path })
  await writeNode(files, get, node, path, 0, options)
}

async function writeNode(
  files: LocalFiles,
  get: GetBlock,
  node: DagNode,
  path: string,
  depth: number,
  options: WriteOptions
): Promise<void> {
  if (!isDirectory(node)) {
    await writeFile(files, get, node, path, options)
    return
  }
  if (depth > FOLDER_DEPTH_MAX) throw new BadDagError(node.cid, `folders nest deeper than ${FOLDER_DEPTH_MAX}`)
  await files.makeFolder(path)
  for await (const { name, cid } of directoryLinks(get, node, options)) {
    await writeNode(files, get, await getNode(get, cid, options), files.join(path, name), depth + 1, options)
  }
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
