/**
 * What a peer sees who was given single contents: what everybody sees, and the blocks below the roots it was given.
 * A block counts as below a root when walking from that root names it, never because it lies in the same realm.
 */
import type { CID } from 'multiformats/cid'
import { walkLocal } from '../dag/skeleton.ts'
import { KithError } from '../errors.ts'
import { blockKey, bytesKey } from '../model/content-id.ts'
import type { BlockReader, ServedContent } from '../ports/serving.ts'

/** Addresses remembered, of all granted contents together: some 25 MB, 256 GiB of content. Larger ones are walked for each request. */
const CIDS_KEPT_MAX = 262_144

export interface GrantedViewParts {
  readonly peer: string
  readonly everybody: ServedContent
  /** Where granted contents lie. */
  readonly whole: ServedContent
  readonly below: GrantedBlocks
  readonly roots: readonly CID[]
  /** Asked again for each block: a grant may end while an answer is under way. */
  readonly mayHave: (root: CID) => boolean
  /** What the request says its blocks lie below; absent: one of the roots. */
  readonly context?: CID
}

export function grantedView(parts: GrantedViewParts): ServedContent {
  const { peer, everybody, whole, below, roots, mayHave, context } = parts
  const granted = new Map(roots.map(root => [blockKey(root), root]))
  const grantedRoot = (cid: CID): CID | undefined => {
    const root = granted.get(blockKey(cid))
    return root !== undefined && mayHave(root) ? root : undefined
  }
  /** The root the asker named: its blocks are what is asked for next. */
  let last: CID | undefined
  const isGranted = async (cid: CID): Promise<boolean> => {
    const named = grantedRoot(cid)
    if (named !== undefined) {
      last = named
      return true
    }
    if (last !== undefined && mayHave(last) && (await below.has(last, cid))) return true
    for (const root of context === undefined ? granted.values() : namedRoots(grantedRoot(context))) {
      if (root !== last && mayHave(root) && (await below.has(root, cid))) return true
    }
    return false
  }
  return {
    has: async cid => (await everybody.has(cid)) || ((await isGranted(cid)) && (await whole.has(cid))),
    get: async (cid, options) =>
      (await everybody.get(cid, options)) ?? ((await isGranted(cid)) ? await whole.get(cid, options) : undefined),
    // Of what lies below a granted root only the bytes are given: a record of its own, with name and type, is another content's.
    record: root => everybody.record(root) ?? (grantedRoot(root) === undefined ? undefined : whole.record(root)),
    findByHash: sha256 => everybody.findByHash(sha256) ?? recordOfHash(sha256, [...granted.values()].filter(mayHave), whole),
    classOf: async cid => ((await everybody.has(cid)) ? 'public' : ((await whole.classOf?.(cid)) ?? 'public')),
    ...(everybody.open === undefined ? {} : { open: everybody.open }),
    below: root => grantedView({ ...parts, context: root }),
    rights: { scope: `granted to ${peer}`, rank: everybody.rights?.rank ?? 0, isGuest: true }
  }
}

function namedRoots(root: CID | undefined): CID[] {
  return root === undefined ? [] : [root]
}

function recordOfHash(sha256: Uint8Array, roots: readonly CID[], whole: ServedContent) {
  const key = bytesKey(sha256)
  return roots.map(root => whole.record(root)).find(record => record?.sha256 !== undefined && bytesKey(record.sha256) === key)
}

/** Which addresses lie below which root. True for ever once walked, for a root names its DAG. */
export class GrantedBlocks {
  readonly #blocks: BlockReader
  /** Whole walks, least recently used first. */
  readonly #walked = new Map<string, ReadonlySet<string>>()
  readonly #walking = new Map<string, Promise<ReadonlySet<string>>>()
  #kept = 0

  constructor(blocks: BlockReader) {
    this.#blocks = blocks
  }

  async has(root: CID, cid: CID): Promise<boolean> {
    const key = `${root.code}${blockKey(root)}`
    const known = this.#walked.get(key)
    if (known === undefined) return (await this.#walk(key, root)).has(blockKey(cid))
    this.#walked.delete(key)
    this.#walked.set(key, known)
    return known.has(blockKey(cid))
  }

  async #walk(key: string, root: CID): Promise<ReadonlySet<string>> {
    const running = this.#walking.get(key) ?? this.#walkAnew(key, root)
    this.#walking.set(key, running)
    try {
      return await running
    } finally {
      this.#walking.delete(key)
    }
  }

  /** What cannot be walked is not served: who can read no further cannot say what lies below. */
  async #walkAnew(key: string, root: CID): Promise<ReadonlySet<string>> {
    try {
      const walk = await walkLocal(this.#blocks, root)
      const named = new Set([...walk.nodes, ...walk.leaves.map(({ cid }) => cid)].map(blockKey))
      if (walk.done) this.#keep(key, named)
      return named
    } catch (error) {
      if (error instanceof KithError && (error.code === 'INTEGRITY' || error.code === 'TOO_LARGE')) return new Set()
      throw error
    }
  }

  #keep(key: string, named: ReadonlySet<string>): void {
    if (named.size > CIDS_KEPT_MAX || this.#walked.has(key)) return
    this.#walked.set(key, named)
    this.#kept += named.size
    for (const [oldest, old] of this.#walked) {
      if (this.#kept <= CIDS_KEPT_MAX) return
      this.#walked.delete(oldest)
      this.#kept -= old.size
    }
  }
}
