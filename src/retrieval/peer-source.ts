/**
 * How a peer fills a session: it streams the skeleton and the leaves it is asked for, alone or beside others
 * (`leaf-shares.ts`). Everything is verified by the session, and the ladder told of every verified byte.
 */
import type { CID } from 'multiformats/cid'
import { abortable } from '../lib/deadline.ts'
import type { PreferredSource } from '../model/source.ts'
import type { Ms } from '../model/units.ts'
import { SourceError } from '../ports/block-source.ts'
import type { AnswerEnd, AnswerOptions, DagHead, ExchangeClient } from '../ports/exchange.ts'
import type { AbortOptions } from '../ports/options.ts'
import { LEAF_RANGES_MAX, PartDone, type LeafShare } from './leaf-share.ts'
import type { LeafShares } from './leaf-shares.ts'
import type { Expected } from './pace.ts'
import type { Candidate, Run, RunMeasurement } from './rung.ts'
import type { DagSession } from './session.ts'
import { accept, unlessDone } from './take.ts'

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
  /** Nobody is to send as public what it has as private. */
  readonly isPublic: boolean
  readonly preferredSources?: readonly PreferredSource[]
  readonly hedgeAfter?: Ms
  readonly patience?: Ms
  /** Who fetches which leaves; the same for all peers of a retrieval. */
  readonly shares: LeafShares
  /** Whether it may join others that deliver. */
  readonly mayHelp: () => boolean
  /** What is expected of it now. */
  readonly expected: () => Expected
  /** Connects to it if it is not connected. Rejects if it cannot be reached. */
  readonly reach: (options: AbortOptions) => Promise<void>
  /** Settles whether its bytes may be taken as what they were asked for; none is taken before. Rejects if not. */
  readonly clear: (options: AbortOptions) => Promise<void>
  /** Told how each run of it went. */
  readonly measure: () => RunMeasurement
  /** Told what the peer says of the content it is about to send. */
  readonly head: (head: DagHead) => void
  /** Told once what became of the claim. */
  readonly observe: (hit: boolean) => void
}

interface PeerRun extends Run {
  readonly cleared: Promise<void>
}

/** How an answer ended; `done`: nothing more is needed of it. */
type AskEnd = AnswerEnd | 'done'

export function peerCandidate(exchange: ExchangeClient, session: DagSession, ask: PeerAsk): Candidate {
  const { stage, peer, did, claims, isPublic, hedgeAfter, patience, shares } = ask
  let share: LeafShare | undefined
  return {
    id: { stage, peer, did },
    claims,
    received: () => exchange.heard(peer).bytes,
    ...(hedgeAfter === undefined ? {} : { hedgeAfter }),
    ...(patience === undefined ? {} : { patience }),
    measure: () => {
      const measurement = ask.measure()
      return {
        asked: () => measurement.asked?.(),
        firstByte: bytes => measurement.firstByte(bytes),
        end: (outcome, bytes, error) => measurement.end(outcome, bytes, error, share?.awaited ?? 0)
      }
    },
    help: of => {
      if (!ask.mayHelp()) return false
      share = of === stage ? shares.help(ask.expected()) : undefined
      // What is not public is asked of one's own people: if they are slow, it is the line.
      if (isPublic) share ??= shares.beside(ask.expected())
      return share !== undefined
    },
    run: async run => {
      const own = isOpen(share) ? share : shares.race(ask.expected())
      share = own
      // At once, not when the last await is over: others may take what it leaves.
      const onAbort = (): void => own.close()
      run.signal.addEventListener('abort', onAbort, { once: true })
      try {
        const { signal } = run
        await ask.reach({ signal })
        // Beside the question for the bytes, so that it costs no round trip of its own.
        const cleared = ask.clear({ signal })
        cleared.catch(() => {}) // heard below, or with the first bytes
        try {
          await deliver(exchange, session, ask, own, { ...run, cleared })
        } finally {
          await cleared // what it says of the class counts more than how it delivered
        }
      } finally {
        run.signal.removeEventListener('abort', onAbort)
        own.close()
      }
    }
  }
}

function isOpen(share: LeafShare | undefined): share is LeafShare {
  return share?.isOpen === true
}

async function deliver(exchange: ExchangeClient, session: DagSession, ask: PeerAsk, share: LeafShare, run: PeerRun): Promise<void> {
  let delivered = 0
  let said: string | undefined
  const counted: PeerRun & AnswerOptions = {
    ...run,
    onReason: reason => {
      said ??= reason // asked again, it may only say that it was asked before
    },
    verified: bytes => {
      delivered += bytes
      run.verified(bytes)
    }
  }
  const end = await unlessDone(
    session,
    fillFromPeer(exchange, session, ask, share, counted, () => delivered)
  )
  if (end === 'not-found') ask.observe(false)
  else if (delivered > 0) ask.observe(true)
  if (session.hasSkeleton && session.leaves.isComplete) await abortable(session.done, run) // the last leaf is being stored
  if (session.isDone || end === 'done') return
  throw new SourceError(
    end === 'refused' ? 'refused' : 'not-found',
    `${end === 'partial' ? 'it has only a part' : `it answered ${end ?? 'nothing'}`}${said === undefined ? '' : `: ${said}`}`
  )
}

/** Asks again while answers bring something: first for the skeleton, then for the leaves it names, then for what others have left. */
async function fillFromPeer(
  exchange: ExchangeClient,
  session: DagSession,
  ask: PeerAsk,
  share: LeafShare,
  run: PeerRun & AnswerOptions,
  delivered: () => number
): Promise<AskEnd> {
  while (true) {
    const before = delivered()
    const end = await askOnce(exchange, session, ask, share, run)
    if (session.isDone || end === 'refused') return end
    if (share.part !== 'all' && !share.lacksAny) {
      if (!share.more()) return 'done'
    } else if (delivered() === before) return end === 'ok' ? 'partial' : end
  }
}

async function askOnce(
  exchange: ExchangeClient,
  session: DagSession,
  ask: PeerAsk,
  share: LeafShare,
  run: PeerRun & AnswerOptions
): Promise<AskEnd> {
  const { peer, requestId, hops, isPublic, preferredSources, context } = ask
  const ttl = Math.max(1, Math.min(ask.ttl, run.remaining() / 1000))
  const asked = { requestId, ttl, hops, isPublic, ...(preferredSources === undefined ? {} : { preferredSources }) }
  if (session.want.kind === 'root') {
    return await exchange.blocks(
      peer,
      { ...asked, root: context, cids: [session.root] },
      async (_index, bytes) => {
        await run.cleared
        await accept(session, run, session.root, bytes)
      },
      run
    )
  }
  const leaves = share.part === 'all' ? session.missingLeaves(LEAF_RANGES_MAX) : share.missing
  const request = {
    ...asked,
    cid: session.root,
    ...(context.equals(session.root) ? {} : { root: context }),
    sha256: null,
    skipNodes: session.skeletonNodes,
    leaves
  }
  const cut = share.asking(leaves)
  const sink = {
    head: ask.head,
    node: async (index: number, bytes: Uint8Array) => {
      await run.cleared
      if (index < session.skeletonNodes) return // it was here already
      await accept(session, run, session.nodeAt(index), bytes)
      share.tookNode(bytes.byteLength)
    },
    leaf: async (index: number, bytes: Uint8Array) => {
      await run.cleared
      await accept(session, run, session.leaves.at(index), bytes)
      share.tookLeaf(index, bytes.byteLength)
    }
  }
  try {
    const end = await exchange.dag(peer, request, sink, { ...run, signal: AbortSignal.any([run.signal, cut]) })
    share.answered()
    return end
  } catch (error) {
    if (error instanceof PartDone && !run.signal.aborted) return 'done'
    throw error
  }
}
