/** How much of a content is not here yet. Pure. */
import type { Bytes } from '../model/units.ts'
import type { LeafRange } from '../ports/exchange.ts'
import { LEAF_RANGES_MAX } from './leaf-share.ts'
import type { DagSession } from './session.ts'

/** By the sizes that nodes claim: good enough to choose a way of asking. */
export function bytesLeft(session: DagSession): Bytes {
  const { leaves, localBytes, receivedBytes } = session
  if (session.hasSkeleton) return bytesOf(leaves.missingIn('all', LEAF_RANGES_MAX), leaves.sizeOf)
  return Math.max(0, claimedBytes(session) - localBytes - receivedBytes)
}

/** From 0 to 1. */
export function missingShare(session: DagSession): number {
  const claimed = claimedBytes(session)
  return claimed === 0 ? 1 : Math.max(0, 1 - (session.localBytes + session.receivedBytes) / claimed)
}

export function bytesOf(ranges: readonly LeafRange[], sizeOf: (index: number) => Bytes): Bytes {
  let bytes = 0
  for (const [start, count] of ranges) for (let index = start; index < start + count; index++) bytes += sizeOf(index)
  return bytes
}

function claimedBytes({ rootNode }: DagSession): Bytes {
  return rootNode?.links.reduce((sum, link) => sum + (link.size ?? link.claimedSize), 0) ?? 0
}
