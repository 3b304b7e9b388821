/**
 * How IPFS and gateways fill a session: whole (`whole-dag.ts`) or block by block. Both verify through the session and
 * tell the ladder of every verified byte.
 */
import type { CID } from 'multiformats/cid'
import { SourceError, type BlockSession, type BlockSource } from '../ports/block-source.ts'
import { blockKey, rawCid } from '../model/content-id.ts'
import { sha256 } from '../model/sha256.ts'
import { abortable } from '../lib/deadline.ts'
import { asSourceError } from './blame.ts'
import type { Candidate, Run, RunMeasurement } from './rung.ts'
import type { DagSession } from './session.ts'
import { accept, unlessDone, type Accept } from './take.ts'
import { fillFromWhole, isForWhole } from './whole-dag.ts'

/** The block of no bytes: below a content it needs no asking, and bitswap of Kubo never delivers it. */
const EMPTY = new Uint8Array(0)
const EMPTY_KEY = blockKey(rawCid(sha256(EMPTY)))

const UNMEASURED_RUN: RunMeasurement = { firstByte() {}, end() {} }

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
