/**
 * The main flow: a request becomes a root, a class and a session; a plan says who is asked and when, and a ladder
 * carries it out.
 *
 * Local first, alone; then direct peers, IPFS and gateways as planned. Of what is not public only peers one trusts hear:
 * not the bytes leave this node by another way, and not the question either.
 */
import type { CID } from 'multiformats/cid'
import type { Library } from '../content/library.ts'
import { KithError, toKithError } from '../errors.ts'
import type { Semaphore } from '../lib/semaphore.ts'
import { SingleFlight } from '../lib/single-flight.ts'
import { blockKey, RAW_CODEC, rawCid } from '../model/content-id.ts'
import type { PrivacyClass, PrivacyDecision, PrivacyReason } from '../model/privacy.ts'
import type { Attempt, PreferredSource } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Random } from '../ports/random.ts'
import type { BlockReader } from '../ports/serving.ts'
import { HeadClaims } from './head-claims.ts'
import { readerFor, storeFor } from './keep.ts'
import { Ladder } from './ladder.ts'
import type { LastSeen } from './last-seen.ts'
import { notFoundFor } from './not-found.ts'
import type { Inquiry, PeersFirst } from './peers-first.ts'
import type { PeerQuestions, RootsOfHash } from './peer-questions.ts'
import type { PeerPlanner } from './plan-peers.ts'
import type { FullPlan, Planner, PlanRequest } from './planner.ts'
import { Retrieval, type RetrievalReport } from './retrieval.ts'
import type { Rungs } from './rungs.ts'
import { DagSession, type Want } from './session.ts'

/** What is asked for, after privacy and address are settled. */
export interface RetrievalRequest {
  readonly root: CID
  /** The content as a whole: what peers advertise. Equals `root` unless a path led below it. */
  readonly context: CID
  readonly class: PrivacyClass
  /** Why it has this class; for words. */
  readonly classReason?: PrivacyReason
  readonly want: Want
  /** Seconds the search may last. */
  readonly ttl: number
  readonly hops: 0 | 1
  readonly preferredSources?: readonly PreferredSource[]
  /** Most bytes spent while it is not known whether the root is what was asked for. */
  readonly maxBytes?: Bytes
  /** Content bytes, as far as they are known. */
  readonly size?: Bytes
  /** What peers were asked before the class was settled; its time is part of the search. */
  readonly inquiry?: Inquiry
  /** Sought as public, yet a trusted peer may know better; absent: what is recorded here has settled it. */
  readonly isClassDoubtful?: boolean
  /** Name of the access token that asks; absent: the operator. */
  readonly by?: string
  /** Takes what peers say of the content they send. */
  readonly heads?: HeadClaims
}

export interface RetrieverComponents {
  readonly library: Library
  readonly planner: Planner
  readonly peers: PeerPlanner
  readonly questions: PeerQuestions
  readonly peersFirst: PeersFirst
  readonly rungs: Rungs
  readonly lastSeen?: LastSeen | undefined
  /** Roots that trusted peers signed for a public content hash. */
  readonly signedRoots?: ((sha256: Uint8Array) => readonly CID[]) | undefined
  readonly clock: Clock
  readonly random: Random
  /** Bounds retrievals that go to the network. */
  readonly slots: Semaphore
}

export interface RetrieverInit {
  readonly strict: boolean
  /** Largest content fetched as a whole, files and directories; absent or 0: unlimited. */
  readonly maxFileSize?: Bytes
}

export interface Flight {
  readonly retrieval: Retrieval
  readonly report: Promise<RetrievalReport>
}

/** One retrieval and those who share it; aborted when the last of them has left. */
interface Shared {
  readonly retrieval: Retrieval
  readonly flight: SingleFlight<RetrievalReport>
}

export class Retriever {
  readonly #parts: RetrieverComponents
  readonly #init: RetrieverInit
  readonly #flights = new Map<string, Promise<Shared>>()

  constructor(components: RetrieverComponents, init: RetrieverInit) {
    this.#parts = components
    this.#init = init
  }

  /** What this node may read for a class: for public content never a private realm. */
  localReader(cls: PrivacyClass): BlockReader {
    return readerFor(this.#parts.library, cls)
  }

  /** What a request would do. Asks nobody. */
  plan(request: PlanRequest): FullPlan {
    return this.#parts.planner.plan(request)
  }

  /** Whether a bare address is put to trusted peers before anybody else hears of it: there are some. */
  get hasTrustedPeers(): boolean {
    return this.#parts.peers.trustedPeers().length > 0
  }

  /** Puts a bare address to each trusted peer. @throws TIMEOUT with whom it was put to */
  async askPeersFirst(root: CID, options: AbortOptions): Promise<Inquiry> {
    const startedAt = this.#parts.clock.monotonic()
    try {
      return await this.#parts.peersFirst.ask(root, options)
    } catch (error) {
      const { code, message } = toKithError(error)
      if (code !== 'TIMEOUT') throw error
      const ms = Math.round(this.#parts.clock.monotonic() - startedAt)
      const attempts = this.#parts.peers
        .trustedPeers()
        .map((peer): Attempt => ({ stage: 'peer', peer, outcome: 'cancelled', ms, bytes: 0, reason: 'asked whether it is private' }))
      throw new KithError(code, message, { attempts, asked: attempts.length }, { cause: error })
    }
  }

  /**
   * Starts a retrieval, or joins the one that is running for the same thing. The report rejects with NOT_FOUND,
   * TIMEOUT, INTEGRITY or CANCELLED, each with `attempts`.
   */
  async start(request: RetrievalRequest, options: AbortOptions): Promise<Flight> {
    const key = flightKey(request)
    const made = this.#flights.get(key) ?? this.#prepare(request)
    this.#flights.set(key, made)
    const forget = (): void => {
      if (this.#flights.get(key) === made) this.#flights.delete(key)
    }
    made.catch(forget)
    const { retrieval, flight } = await made
    if (options.signal?.aborted === true && flight.size === 0) forget()
    const report = flight.run(
      key,
      async ({ signal }) => {
        try {
          using _slot = await this.#slotFor(retrieval, signal)
          return await retrieval.run(signal)
        } finally {
          forget()
        }
      },
      options
    )
    report.catch(() => {}) // whoever reads the session sees the failure as well
    return { retrieval, report }
  }

  /**
   * Roots that a content hash may belong to, each a guess until the whole has hashed: what trusted peers signed, what
   * peers say, then the one block that content up to a chunk (1 MiB) is, which needs nobody's word.
   */
  async resolveHash(
    sha256: Uint8Array,
    { isPublic, mayAskPeers }: { readonly isPublic: boolean; readonly mayAskPeers: boolean },
    options: AbortOptions
  ): Promise<RootsOfHash> {
    const single = rawCid(sha256)
    const { asked, round } = this.#parts.peers.plan(
      { root: undefined, sha256, isPublic, size: null },
      mayAskPeers ? undefined : 'not-preferred'
    )
    const peers = [...asked, ...round].flatMap(({ peer }) => (peer === undefined ? [] : [peer]))
    const { roots, isPrivate } = await this.#parts.questions.rootsOf(peers, sha256, options)
    const signed = (isPublic && !isPrivate ? (this.#parts.signedRoots?.(sha256) ?? []) : []).map(cid => ({ cid, isVouched: true }))
    const others = roots.filter(({ cid }) => !cid.equals(single) && !signed.some(one => one.cid.equals(cid)))
    return { roots: [...signed, ...others, { cid: single, isVouched: false }], isPrivate }
  }

  async #slotFor(retrieval: Retrieval, signal: AbortSignal): Promise<Disposable> {
    return retrieval.session.isDone ? { [Symbol.dispose]: () => {} } : await this.#parts.slots.acquire({ signal })
  }

  async #prepare(request: RetrievalRequest): Promise<Shared> {
    const { library, clock, random, rungs, lastSeen } = this.#parts
    const startedAt = clock.monotonic() - (request.inquiry?.ms ?? 0)
    const { maxFileSize = 0, strict } = this.#init
    const store = storeFor(library, request)
    const session = new DagSession(store, request.root, request.want, { maxBytes: maxFileSize })
    await session.loadLocal()
    const notes: Attempt[] = [...(request.inquiry?.notes ?? [])]
    const heads = new HeadClaims()
    const plan = session.isDone ? undefined : this.plan({ ...planRequest(request), draw: random.number() })
    const laid = plan === undefined ? [] : rungs.build(plan, { ...request, heads }, session, notes)
    const ladder = new Ladder(
      { clock },
      { rungs: laid, ttl: searchLeft(request), ttlGiven: request.ttl * 1000, strict, isComplete: () => session.isDone }
    )
    const isGuess = request.maxBytes !== undefined && request.root.code === RAW_CODEC
    return {
      retrieval: new Retrieval(this.#parts, {
        root: request.root,
        session,
        ladder,
        notes,
        heads,
        startedAt,
        foundPrivate: async () => await store.foundPrivate(),
        notFound: notFoundFor({
          ...request,
          isPublic: request.class === 'public',
          isGuess,
          seen: () => lastSeen?.of(request.context.multihash.bytes)
        })
      }),
      flight: new SingleFlight()
    }
  }
}

/** What was spent on asking beforehand is gone. */
function searchLeft({ ttl, inquiry }: RetrievalRequest): Ms {
  return Math.max(0, ttl * 1000 - (inquiry?.ms ?? 0))
}

function planRequest({ context, class: cls, size, hops, preferredSources, inquiry }: RetrievalRequest): PlanRequest {
  const decision: PrivacyDecision = { public: cls === 'public', class: cls, reason: 'request' }
  return { context, decision, size: size ?? inquiry?.size ?? null, hops, preferredSources, answers: inquiry?.answers }
}

/**
 * Requests share a retrieval only if everything that decides its course is equal: content, class and with it the realm,
 * sources. What is private is shared by those of one caller only.
 */
function flightKey({
  root,
  context,
  class: cls,
  want,
  ttl,
  hops,
  preferredSources,
  maxBytes,
  by,
  isClassDoubtful
}: RetrievalRequest): string {
  const range = want.kind === 'range' ? `${want.range.offset}+${want.range.length ?? ''}` : want.kind
  const rights = cls === 'public' ? '' : (by ?? '')
  return [
    blockKey(root),
    root.code,
    blockKey(context),
    cls,
    range,
    ttl,
    hops,
    preferredSources?.join(',') ?? '',
    maxBytes ?? '',
    isClassDoubtful === true ? 'doubtful' : '',
    rights
  ].join('|')
}
