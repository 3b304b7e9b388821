/** Answers `dag`: the head, the skeleton from where the asker stands, the leaves it wants. */
import type { CID } from 'multiformats/cid'
import { SkeletonWalk, type LeafRef } from '../dag/skeleton.ts'
import { isNodeCid, type DagNode } from '../dag/node.ts'
import { KithError } from '../errors.ts'
import type { VerifiedBlock } from '../model/block.ts'
import { IDENTITY_CODE, isSupportedCid, rawCid, toV1 } from '../model/content-id.ts'
import type { Bytes } from '../model/units.ts'
import type { LeafRange } from '../ports/exchange.ts'
import type { ServedContent } from '../ports/serving.ts'
import type { AnswerWriter } from './answer-writer.ts'
import { encodeHead, type DagAsk, type End } from './codec.ts'
import { frameParts, indexedParts } from './frames.ts'
import { FRAME } from './protocol.ts'
import { sendBlocks, type WantedBlock } from './send-blocks.ts'
import type { SkeletonCache } from './skeleton-cache.ts'

interface Known {
  readonly leaves: readonly LeafRef[]
  /** False when a node is missing here: the leaves below it are unknown. */
  readonly complete: boolean
}

export async function serveDag(ask: DagAsk, view: ServedContent, out: AnswerWriter, cache: SkeletonCache): Promise<End> {
  const root = await findRoot(ask, view)
  if (root === undefined) return { status: 'not-found' }
  const known = await sendSkeleton(root, ask.skipNodes, view, out, cache)
  if (known === undefined) return { status: 'not-found' }
  if (isNodeCid(root)) await out.flush() // the asker verifies the skeleton while the first leaf is being read
  const complete = await sendBlocks(out, view, FRAME.LEAF, wantedLeaves(known.leaves, ask.leaves), 'skip')
  return { status: complete && known.complete ? 'ok' : 'partial' }
}

/** What the asker may not see and what does not exist take this same path. */
async function findRoot(ask: DagAsk, view: ServedContent): Promise<CID | undefined> {
  const root = ask.cid === null ? await rootOfHash(ask.sha256, view) : toV1(ask.cid)
  if (root === undefined || !isSupportedCid(root) || root.multihash.code === IDENTITY_CODE) return undefined
  return (await view.has(root)) ? root : undefined
}

/** Up to one chunk the hash of a content is the digest of its only block. */
async function rootOfHash(sha256: Uint8Array | null, view: ServedContent): Promise<CID | undefined> {
  if (sha256 === null) return undefined
  return view.findByHash(sha256)?.root ?? rawCid(sha256)
}

async function sendSkeleton(
  root: CID,
  skip: number,
  view: ServedContent,
  out: AnswerWriter,
  cache: SkeletonCache
): Promise<Known | undefined> {
  const cached = cache.get(scopeOf(view), root)
  if (cached === undefined) return await walkAndSend(root, skip, view, out, cache)
  sendHead(root, cached.size, view, out)
  const nodes = cached.nodes.slice(skip).map((cid, i): WantedBlock => ({ index: skip + i, cid, size: undefined }))
  const complete = await sendBlocks(out, view, FRAME.NODE, nodes, 'stop')
  return { leaves: complete ? cached.leaves : [], complete }
}

async function walkAndSend(
  root: CID,
  skip: number,
  view: ServedContent,
  out: AnswerWriter,
  cache: SkeletonCache
): Promise<Known | undefined> {
  const walk = new SkeletonWalk(root)
  let size: Bytes | undefined
  if (!isNodeCid(root)) sendHead(root, size, view, out)
  for (let cid = walk.next; cid !== undefined; cid = walk.next) {
    const block = await view.get(cid, { signal: out.signal })
    out.signal.throwIfAborted()
    const index = walk.nodes.length
    const node = block === undefined ? undefined : accept(walk, block)
    if (block === undefined || node === undefined) return index === 0 ? undefined : { leaves: walk.leaves, complete: false }
    if (index === 0) {
      size = node.kind === 'file' ? node.size : undefined
      sendHead(root, size, view, out)
    }
    if (index >= skip) out.add(indexedParts(FRAME.NODE, index, block.bytes))
    if (out.isFull) await out.flush()
  }
  cache.put(scopeOf(view), root, { nodes: walk.nodes, leaves: walk.leaves, size })
  return { leaves: walk.leaves, complete: true }
}

function scopeOf(view: ServedContent): string {
  return view.rights?.scope ?? ''
}

/** What no importer makes is as good as missing: the asker would refuse it too. */
function accept(walk: SkeletonWalk, block: VerifiedBlock): DagNode | undefined {
  try {
    return walk.accept(block)
  } catch (error) {
    if (error instanceof KithError && (error.code === 'INTEGRITY' || error.code === 'TOO_LARGE')) return undefined
    throw error
  }
}

function sendHead(root: CID, walked: Bytes | undefined, view: ServedContent, out: AnswerWriter): void {
  const record = view.record(root)
  const size = record?.size ?? walked
  out.add(
    frameParts(
      FRAME.HEAD,
      encodeHead({
        cid: root,
        ...(size === undefined ? {} : { size }),
        ...(record?.contentType === undefined ? {} : { contentType: record.contentType }),
        ...(record?.name === undefined ? {} : { name: record.name })
      })
    )
  )
}

function* wantedLeaves(leaves: readonly LeafRef[], wanted: 'all' | readonly LeafRange[]): Generator<WantedBlock> {
  const ranges: readonly LeafRange[] = wanted === 'all' ? [[0, leaves.length]] : wanted
  for (const [start, count] of ranges) {
    const end = Math.min(leaves.length, start + count)
    for (let index = start; index < end; index++) {
      const leaf = leaves[index]
      if (leaf !== undefined) yield { index, cid: leaf.cid, size: leaf.size }
    }
  }
}
