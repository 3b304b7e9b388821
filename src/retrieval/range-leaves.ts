/** Which leaves hold a range of a file whose nodes are all here. */
import { filePieces } from '../dag/file.ts'
import type { CID } from 'multiformats/cid'
import type { DagNode } from '../dag/node.ts'
import type { SkeletonWalk } from '../dag/skeleton.ts'
import { KithError } from '../errors.ts'
import type { VerifiedBlock } from '../model/block.ts'
import type { BlockReader } from '../ports/serving.ts'
import type { Want } from './session.ts'

/** Indexes in leaf order; none for what is no range. `isOver`: nobody waits any more. */
export async function leavesOfRange(
  store: BlockReader,
  walk: SkeletonWalk,
  { want, rootNode }: { readonly want: Want; readonly rootNode: DagNode | undefined },
  isOver: () => boolean
): Promise<Set<number>> {
  const wanted = new Set<number>()
  if (want.kind !== 'range' || rootNode === undefined) return wanted
  for await (const piece of filePieces(async cid => await stored(store, cid), rootNode, want.range, {})) {
    const index = walk.leafIndex(piece.cid)
    if (index !== undefined) wanted.add(index)
    // Few blocks may unfold into millions of pieces: when all are wanted, or nobody waits, no more is learnt.
    if (wanted.size === walk.leaves.length || isOver()) break
  }
  return wanted
}

async function stored(store: BlockReader, cid: CID): Promise<VerifiedBlock> {
  const block = await store.get(cid)
  if (block === undefined) throw new KithError('INTERNAL', 'a block that was just stored cannot be read')
  return block
}
