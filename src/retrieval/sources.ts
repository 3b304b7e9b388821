/**
 * How IPFS and gateways fill a session: whole (`whole-dag.ts`) or block by block. Both verify through the session and
 * tell the ladder of every verified byte.
 */
import type { CID } from 'multiformats/cid'
import { isNodeCid } from '../dag/node.ts'
import { SourceError, type BlockSession, type BlockSource, type SearchOptions } from '../ports/block-source.ts'
import { blockKey, rawCid } from '../model/content-id.ts'
import { sha256 } from '../model/sha256.ts'
import { abortable } from '../lib/deadline.ts'
import { asSourceError } from './blame.ts'
import { PartDone, type LeafShare } from './leaf-share.ts'
import type { LeafShares } from './leaf-shares.ts'
import type { Expected } from './pace.ts'
import type { Candidate, Run, RunMeasurement } from './rung.ts'
import type { DagSession } from './session.ts'
import { accept, unlessDone } from './take.ts'
import { fillFromWhole, isForWhole } from './whole-dag.ts'

/** The block of no bytes: below a content it needs no asking, and bitswap of Kubo never delivers it. */
const EMPTY = new Uint8Array(0)
const EMPTY_KEY = blockKey(rawCid(sha256(EMPTY)))

/** More leaves than any content has. */
const ALL_LEAVES = [[0, 0xffff_ffff]] as const

export interface OutsideAsk {
  /** Who fetches which leaves; the same for all sources of a retrieval. */
  readonly shares: LeafShares
  /** What is expected of it now. */
  readonly expected: () => Expected
  /** Told how each run of it went. */
  readonly measure?: () => RunMeasurement
}

export function blockCandidate(
  source: BlockSource,
  session: DagSession,
  context: CID,
  { shares, expected, measure }: OutsideAsk
): Candidate {
  let share: LeafShare | undefined
  let hasJoined = false
  return {
    id: { stage: source.stage, ...(source.url === undefined ? {} : { url: source.url }) },
    claims: false,
    ...(measure === undefined ? {} : { measure }),
    help: () => {
      // Once it has joined it is in the know: then it may as well be of use, like those of one stage to each other.
      share = hasJoined ? shares.help(expected()) : shares.beside(expected())
      hasJoined ||= share !== undefined
      return share !== undefined
    },
    run: async run => {
      const isJoining = share?.isOpen === true
      const own = share?.isOpen === true ? share : shares.race(expected())
      share = own
      const onAbort = (): void => own.close() // at once: others may take what it leaves
      run.signal.addEventListener('abort', onAbort, { once: true })
      try {
        const fill = new Fill(source, session, own, run, isJoining ? most => own.widthOf(most) : most => most)
        await unlessDone(session, fill.from(context))
      } finally {
        run.signal.removeEventListener('abort', onAbort)
        own.close()
      }
    }
  }
}

/** One run of a source: the whole in one answer where that pays, then block by block what is missing of its part. */
class Fill {
  readonly #source: BlockSource
  readonly #session: DagSession
  readonly #share: LeafShare
  readonly #run: Run
  /** How many blocks are asked for at once, of as many as the source takes. */
  readonly #width: (most: number) => number

  constructor(source: BlockSource, session: DagSession, share: LeafShare, run: Run, width: (most: number) => number) {
    this.#source = source
    this.#session = session
    this.#share = share
    this.#run = run
    this.#width = width
  }

  async from(context: CID): Promise<void> {
    const opened = this.#source.open(context)
    try {
      if (opened.dag !== undefined && this.#share.part === 'all' && isForWhole(this.#session))
        await this.#untilDone(async () => await this.#whole(opened))
      do await this.#untilDone(async () => await this.#blocks(opened))
      while (!this.#session.isDone && this.#share.more())
      if (this.#session.hasSkeleton && this.#session.leaves.isComplete) await abortable(this.#session.done, this.#run) // the last leaf is being stored
    } finally {
      opened.close()
    }
  }

  async #untilDone(fill: () => Promise<void>): Promise<void> {
    try {
      await fill()
    } catch (error) {
      if (!(error instanceof PartDone) || this.#run.signal.aborted) throw error
    }
  }

  async #whole(opened: BlockSession): Promise<void> {
    const cut = this.#share.asking(ALL_LEAVES)
    const options = { ...this.#run, signal: AbortSignal.any([this.#run.signal, cut]) }
    try {
      await fillFromWhole(opened, this.#session, options, async (cid, bytes) => {
        await this.#accept(cid, bytes)
        const index = cid === undefined || isNodeCid(cid) ? undefined : this.#session.leaves.indexOf(cid)
        if (index === undefined) this.#share.tookNode(bytes.byteLength)
        else this.#share.tookLeaf(index, bytes.byteLength)
      })
    } finally {
      this.#share.answered()
    }
  }

  async #accept(cid: CID | undefined, bytes: Uint8Array): Promise<void> {
    try {
      if (cid === undefined) throw new SourceError('corrupt', 'it sent a block that is no part of the content')
      await accept(this.#session, this.#run, cid, bytes)
    } catch (error) {
      if (asSourceError(error)?.outcome === 'corrupt') this.#source.report?.('corrupt')
      throw error
    }
  }

  /** Keeps up to `concurrency` blocks in flight. The first failure ends the run: what it lacks, another source may have. */
  async #blocks(opened: BlockSession): Promise<void> {
    const share = this.#share
    const session = this.#session
    const inFlight = new Set<Promise<void>>()
    const asked = new Set<string>()
    const stop = new AbortController()
    const options = { ...this.#run, signal: AbortSignal.any([this.#run.signal, share.asking([]), stop.signal]) }
    try {
      while (!session.isDone) {
        const change = session.changed()
        for (const cid of session.claim(this.#width(this.#source.concurrency) - inFlight.size, asked, share.part)) {
          const task = this.#block(opened, cid, options).finally(() => {
            asked.delete(blockKey(cid))
            inFlight.delete(task)
          })
          task.catch(() => {}) // seen by the race below
          inFlight.add(task)
        }
        if (inFlight.size > 0) await abortable(Promise.race(inFlight), options)
        else if (session.hasSkeleton && share.part !== 'all' && !share.lacksAny) return
        else await abortable(change, options)
      }
    } finally {
      stop.abort()
    }
  }

  async #block(opened: BlockSession, cid: CID, options: SearchOptions & { readonly signal: AbortSignal }): Promise<void> {
    const { leaves, root } = this.#session
    const index = isNodeCid(cid) ? undefined : leaves.indexOf(cid)
    const settled = index === undefined ? undefined : this.#share.awaits(index)
    try {
      const key = blockKey(cid)
      const bytes = key === EMPTY_KEY && key !== blockKey(root) ? EMPTY : await opened.get(cid, options)
      options.signal.throwIfAborted()
      await this.#accept(cid, bytes)
      if (index === undefined) this.#share.tookNode(bytes.byteLength)
      else this.#share.tookSingle(bytes.byteLength)
    } finally {
      settled?.()
    }
  }
}
