/**
 * Every distinct block of a DAG, leaves included, depth first and where it is first named. Memory: one key for each
 * block seen so far, and the links above the present one. Keeps nothing, so a crash loses nothing.
 */
import type { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import { Turns } from '../lib/turns.ts'
import type { VerifiedBlock } from '../model/block.ts'
import { blockKey, IDENTITY_CODE } from '../model/content-id.ts'
import type { AbortOptions } from '../ports/options.ts'
import { BadDagError, isNodeCid, parseNode } from './node.ts'
import { DAG_DEPTH_MAX, DAG_LEAVES_MAX } from './skeleton.ts'

/** Links a walk keeps for later: 16 directories of the fullest blocks within each other; some 100 MB. */
const LINKS_WAITING_MAX = 262_144

/** What a look at one block gave; without the bytes of a node the walk goes on beside it. */
export interface Seen {
  readonly block?: VerifiedBlock | undefined
}

/**
 * Looks at each block once, in the order `dfs` of the trustless gateway specification. Identity blocks are part of
 * their address and left out.
 *
 * @throws whatever `look` throws · BadDagError (INTEGRITY) for what no importer makes · TOO_LARGE beyond the limits
 */
export async function* walkDag<T extends Seen>(
  root: CID,
  look: (cid: CID, options: AbortOptions) => Promise<T>,
  options: AbortOptions
): AsyncGenerator<T> {
  const seen = new Set<string>()
  // Links still to be followed, one list for each node on the way down; the nearest stands last.
  const path: CID[][] = [[root]]
  const turns = new Turns()
  let waiting = 1
  for (let links = path.at(-1); links !== undefined; links = path.at(-1)) {
    const cid = links.pop()
    if (cid === undefined) {
      path.pop()
      continue
    }
    waiting -= 1
    await turns.step(options)
    if (isKnown(cid, seen)) continue
    if (seen.size >= DAG_LEAVES_MAX) throw new KithError('TOO_LARGE', `the content has more than ${DAG_LEAVES_MAX} blocks`)
    seen.add(keyOf(cid))
    const found = await look(cid, options)
    yield found
    if (found.block === undefined || !isNodeCid(cid)) continue
    const below = parseNode(found.block).links.filter(link => !isKnown(link.cid, seen))
    waiting += below.length
    if (waiting > LINKS_WAITING_MAX) throw new KithError('TOO_LARGE', `the content nests more than ${LINKS_WAITING_MAX} links`)
    if (path.length > DAG_DEPTH_MAX && below.length > 0) throw new BadDagError(cid, `it nests deeper than ${DAG_DEPTH_MAX}`)
    path.push(below.map(link => link.cid).toReversed())
  }
}

/** The same bytes as a leaf and as a node are two things: the node has links. */
function keyOf(cid: CID): string {
  return `${cid.code}${blockKey(cid)}`
}

function isKnown(cid: CID, seen: ReadonlySet<string>): boolean {
  return cid.multihash.code === IDENTITY_CODE || seen.has(keyOf(cid))
}
