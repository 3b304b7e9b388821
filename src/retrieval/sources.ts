/**
 * The ways in which a source fills a session: a peer streams a DAG in order, IPFS and gateways give it whole
 * (`whole-dag.ts`) or block by block. All verify through the session and tell the ladder of every verified byte.
 */
import type { CID } from 'multiformats/cid'
import { SourceError, type BlockSession, type BlockSource } from '../ports/block-source.ts'
import type { AnswerEnd, AnswerOptions, DagHead, ExchangeClient } from '../ports/exchange.ts'
import { blockKey, rawCid } from '../model/content-id.ts'
import { sha256 } from '../model/sha256.ts'
import type { PreferredSource } from '../model/source.ts'
import type { Ms } from '../model/units.ts'
import { abortable } from '../lib/deadline.ts'
import type { AbortOptions } from '../ports/options.ts'
import { asSourceError } from './blame.ts'
import type { Candidate, Run, RunMeasurement } from './rung.ts'
import type { DagSession } from './session.ts'
import { accept, type Accept } from './take.ts'
import { fillFromWhole, isForWhole } from './whole-dag.ts'

/** Ranges in one request; what is still missing then is asked for in the next. */
const LEAF_RANGES_MAX = 1024

/** The block of no bytes: below a content it needs no asking, and bitswap of Kubo never delivers it. */
const EMPTY = new Uint8Array(0)
const EMPTY_KEY = blockKey(rawCid(sha256(EMPTY)))

const UNMEASURED_RUN: RunMeasurement = { firstByte() {}, end() {} }

export interface PeerAsk {
  readonly stage: 'peer' | 'proxy'
  readonly peer: string
  readonly did: string
  /** The content a peer knows by name; `session.root` may lie below it. */
  readonly context: CID
  readonly claims: boolean
  readonly requestId: Uint8Array
  readonly ttl: number
  readonly hops: 0 | 1
  readonly preferredSources?: readonly PreferredSource[]
  readonly hedgeAfter?: Ms
  readonly patience?: Ms
  /** Connects to it if it is not connected. Rejects if it cannot be reached. */
  readonly reach: (options: AbortOptions) => Promise<void>
  /** Told how each run of it went. */
  readonly measure: () => RunMeasurement
  /** Told what the peer says of the content it is about to send. */
  readonly head: (head: DagHead) => void
  /** Told once what became of the claim. */
  readonly observe: (hit: boolean) => void
}

export function peerCandidate(exchange: ExchangeClient, session: DagSession, ask: PeerAsk): Candidate {
  const { stage, peer, did, claims, hedgeAfter, patience } = ask
  return {
    id: { stage, peer, did },
    claims,
    ...(hedgeAfter === undefined ? {} : { hedgeAfter }),
    ...(patience === undefined ? {} : { patience }),
    measure: ask.measure,
    run: async run => {
      await ask.reach(run)
      let delivered = 0
      let said: string | undefined
      const counted: Run & AnswerOptions = {
        ...run,
        onReason: reason => {
          said ??= reason // asked again, it may only say that it was asked before
        },
        verified: bytes => {
          delivered += bytes
          run.verified(bytes)
        }
      }
      const end = await unlessDone(session, fillFromPeer(exchange, session, ask, counted))
      if (end === 'not-found') ask.observe(false)
      else if (delivered > 0) ask.observe(true)
      if (!session.isDone)
        throw new SourceError(
          end === 'refused' ? 'refused' : 'not-found',
          `${end === 'partial' ? 'it has only a part' : `it answered ${end ?? 'nothing'}`}${said === undefined ? '' : `: ${said}`}`
        )
    }
  }
}

/** Asks again while answers bring something: first for the skeleton, then for the leaves it names. */
async function fillFromPeer(exchange: ExchangeClient, session: DagSession, ask: PeerAsk, run: Run & AnswerOptions): Promise<AnswerEnd> {
  while (true) {
    const before = session.progress
    const end = await askOnce(exchange, session, ask, run)
    if (session.isDone || end === 'refused' || session.progress === before)
      return session.progress === before && end === 'ok' ? 'partial' : end
  }
}

async function askOnce(exchange: ExchangeClient, session: DagSession, ask: PeerAsk, run: Run & AnswerOptions): Promise<AnswerEnd> {
  const { peer, requestId, hops, preferredSources, context } = ask
  const ttl = Math.max(1, Math.min(ask.ttl, run.remaining() / 1000))
  const asked = { requestId, ttl, hops, ...(preferredSources === undefined ? {} : { preferredSources }) }
  if (session.want.kind === 'root') {
    return await exchange.blocks(
      peer,
      { ...asked, root: context, cids: [session.root] },
      async (_index, bytes) => {
        await accept(session, run, session.root, bytes)
      },
      run
    )
  }
  const request = {
    ...asked,
    cid: session.root,
    ...(context.equals(session.root) ? {} : { root: context }),
    sha256: null,
    skipNodes: session.skeletonNodes,
    leaves: session.missingLeaves(LEAF_RANGES_MAX)
  }
  return await exchange.dag(
    peer,
    request,
    {
      head: ask.head,
      node: async (index, bytes) => {
        if (index < session.skeletonNodes) return // it was here already
        await accept(session, run, session.nodeAt(index), bytes)
      },
      leaf: async (index, bytes) => {
        await accept(session, run, session.leafAt(index), bytes)
      }
    },
    run
  )
}

export function blockCandidate(
  source: BlockSource,
  session: DagSession,
  context: CID,
  measure: () => RunMeasurement = () => UNMEASURED_RUN
): Candidate {
  return {
    id: { stage: source.stage, ...(source.url === undefined ? {} : { url: source.url }) },
    claims: false,
    measure,
    run: async run => {
      await unlessDone(session, fillFromSource(source, session, context, run))
    }
  }
}

/** The whole in one answer where that pays, then block by block what is missing. */
async function fillFromSource(source: BlockSource, session: DagSession, context: CID, run: Run): Promise<void> {
  const opened = source.open(context)
  const accepted: Accept = async (cid, bytes) => {
    try {
      if (cid === undefined) throw new SourceError('corrupt', 'it sent a block that is no part of the content')
      await accept(session, run, cid, bytes)
    } catch (error) {
      if (asSourceError(error)?.outcome === 'corrupt') source.report?.('corrupt')
      throw error
    }
  }
  try {
    if (opened.dag !== undefined && isForWhole(session)) await fillFromWhole(opened, session, run, accepted)
    await fillFromBlocks(opened, source.concurrency, session, run, accepted)
  } finally {
    opened.close()
  }
}

/** Keeps up to `concurrency` blocks in flight. The first failure ends the run: what it lacks, another source may have. */
async function fillFromBlocks(opened: BlockSession, concurrency: number, session: DagSession, run: Run, accepted: Accept): Promise<void> {
  const inFlight = new Set<Promise<void>>()
  const asked = new Set<string>()
  const stop = new AbortController()
  const options = { ...run, signal: AbortSignal.any([run.signal, stop.signal]) }
  const fetch = async (cid: CID): Promise<void> => {
    try {
      const key = blockKey(cid)
      const bytes = key === EMPTY_KEY && key !== blockKey(session.root) ? EMPTY : await opened.get(cid, options)
      options.signal.throwIfAborted()
      await accepted(cid, bytes)
    } finally {
      asked.delete(blockKey(cid))
    }
  }
  try {
    while (!session.isDone) {
      const change = session.changed()
      for (const cid of session.claim(concurrency - inFlight.size, asked)) {
        const task = fetch(cid).finally(() => {
          inFlight.delete(task)
        })
        task.catch(() => {}) // seen by the race below
        inFlight.add(task)
      }
      if (inFlight.size === 0) await abortable(change, run)
      else await abortable(Promise.race(inFlight), run)
    }
  } finally {
    stop.abort()
  }
}

/** Once everything is here, it does not matter how the source ends. */
async function unlessDone<T>(session: DagSession, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (session.isDone) return undefined
    throw error
  }
}
