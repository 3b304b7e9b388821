/**
 * The main flow: a request becomes a root, a class and a session, and the stages are laid out for it.
 *
 * Local first, alone; then direct peers, IPFS and gateways as the ladder says. What is not public leaves the node by
 * no way: not the bytes, and not the question either.
 */
import type { CID } from 'multiformats/cid'
import type { Library } from '../content/library.ts'
import { KithError } from '../errors.ts'
import type { Semaphore } from '../lib/semaphore.ts'
import { SingleFlight } from '../lib/single-flight.ts'
import { blockKey, RAW_CODEC, rawCid } from '../model/content-id.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import type { Attempt, PreferredSource, SkipReason } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import type { BlockSource } from '../ports/block-source.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Random } from '../ports/random.ts'
import type { BlockReader } from '../ports/serving.ts'
import { Ladder } from './ladder.ts'
import type { Candidate, Rung } from './rung.ts'
import type { PeerFinder } from './peer-finder.ts'
import { NOT_PUBLIC_HINT, Retrieval, type NotFound, type RetrievalReport } from './retrieval.ts'
import { DagSession, type Want } from './session.ts'
import { blockCandidate } from './sources.ts'

/** What is asked for, after privacy and address are settled. */
export interface RetrievalRequest {
  readonly root: CID
  /** The content as a whole: what peers advertise. Equals `root` unless a path led below it. */
  readonly context: CID
  readonly class: PrivacyClass
  readonly want: Want
  /** Seconds the search may last. */
  readonly ttl: number
  readonly hops: 0 | 1
  readonly preferredSources?: readonly PreferredSource[]
  /** Most bytes spent while it is not known whether the root is what was asked for. */
  readonly maxBytes?: Bytes
}

export interface RetrieverComponents {
  readonly library: Library
  readonly peers: PeerFinder
  readonly ipfs: BlockSource | undefined
  readonly gateways: readonly BlockSource[]
  readonly clock: Clock
  readonly random: Random
  /** Bounds retrievals that go to the network. */
  readonly slots: Semaphore
}

export interface RetrieverInit {
  readonly hedgeDelay: Ms
  readonly ipfsDelay: Ms
  readonly gatewayDelay: Ms
  readonly maxParallelPeers: number
  readonly strict: boolean
  /** Largest content fetched as a whole, files and directories; absent or 0: unlimited. */
  readonly maxFileSize?: Bytes
}

/** A gateway that says nothing for this long is joined by the next one. */
const GATEWAY_PATIENCE_MS: Ms = 2_000

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
    return this.#parts.library.reader(cls === 'public' ? ['public', 'cache'] : ['own', 'public', 'cache'])
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
   * Roots that a content hash of public content may belong to, each a guess until the whole has hashed: what peers say,
   * then the one block that content up to a chunk (1 MiB) is, which needs nobody's word.
   */
  async resolveHash(sha256: Uint8Array, options: AbortOptions): Promise<readonly CID[]> {
    const single = rawCid(sha256)
    const roots = await this.#parts.peers.rootsOf(sha256, options)
    return [...roots.filter(root => !root.equals(single)), single]
  }

  async #slotFor(retrieval: Retrieval, signal: AbortSignal): Promise<Disposable> {
    return retrieval.session.isDone ? { [Symbol.dispose]: () => {} } : await this.#parts.slots.acquire({ signal })
  }

  async #prepare(request: RetrievalRequest): Promise<Shared> {
    const startedAt = this.#parts.clock.monotonic()
    const { maxFileSize = 0 } = this.#init
    const session = new DagSession(this.#storeFor(request), request.root, request.want, { maxBytes: maxFileSize })
    await session.loadLocal()
    const notes: Attempt[] = []
    const rungs = session.isDone ? [] : this.#rungs(request, session, notes)
    const ladder = new Ladder(this.#parts, { rungs, ttl: request.ttl * 1000, strict: this.#init.strict })
    return {
      retrieval: new Retrieval(this.#parts, {
        root: request.root,
        session,
        ladder,
        notes,
        startedAt,
        ...(request.class === 'public' ? {} : { notFound: { message: NOT_PUBLIC_HINT } }),
        ...(isSingleBlockGuess(request) ? { notFound: NO_MAPPING } : {})
      }),
      flight: new SingleFlight()
    }
  }

  /** Only public content comes from outside, so what is fetched goes to the cache. */
  #storeFor(request: RetrievalRequest): ConstructorParameters<typeof DagSession>[0] {
    const reader = this.localReader(request.class)
    const cache = this.#parts.library.realms.cache.blocks
    let spent = 0
    return {
      has: async cid => await reader.has(cid),
      get: async (cid, options) => await reader.get(cid, options),
      put: async block => {
        spent += block.bytes.byteLength
        if (spent > (request.maxBytes ?? Infinity))
          throw new KithError(
            'TOO_LARGE',
            `the content for this hash is larger than limits.unconfirmedBytes (${request.maxBytes} bytes), and no trusted peer has vouched for it. Ask by CID instead.`
          )
        return await cache.put(block)
      }
    }
  }

  #rungs(request: RetrievalRequest, session: DagSession, notes: Attempt[]): Rung[] {
    if (request.class !== 'public') {
      notes.push(skipped('peer', 'not-allowed'), skipped('ipfs', 'not-public'), skipped('gateway', 'not-public'))
      return []
    }
    const order: readonly PreferredSource[] = request.preferredSources ?? ['peer', 'ipfs', 'gateway']
    const delays = [0, this.#init.ipfsDelay, this.#init.gatewayDelay]
    return order.flatMap((stage, index) => {
      const rung = this.#rung(stage, request, session, notes)
      return rung === undefined ? [] : [{ ...rung, delay: delays[index] ?? 0 }]
    })
  }

  #rung(stage: PreferredSource, request: RetrievalRequest, session: DagSession, notes: Attempt[]): Omit<Rung, 'delay'> | undefined {
    if (stage === 'peer') return this.#peerRung(request, session, notes)
    const sources = stage === 'gateway' ? this.#parts.gateways : this.#parts.ipfs === undefined ? [] : [this.#parts.ipfs]
    if (sources.length === 0) notes.push(skipped(stage, 'off'))
    const candidates: Candidate[] = []
    for (const source of sources) {
      const reason = source.unavailable()
      if (reason === undefined) candidates.push(blockCandidate(source, session, request.context))
      else notes.push({ ...skipped(stage, reason), ...(source.url === undefined ? {} : { url: source.url }) })
    }
    return candidates.length === 0 ? undefined : { stage, candidates, hedgeDelay: GATEWAY_PATIENCE_MS, maxParallel: candidates.length }
  }

  #peerRung(request: RetrievalRequest, session: DagSession, notes: Attempt[]): Omit<Rung, 'delay'> {
    const search = this.#parts.peers.search(request, session, this.#parts.random.bytes(16), notes)
    return {
      stage: 'peer',
      candidates: search.claimants,
      more: search.askOthers,
      hedgeDelay: this.#init.hedgeDelay === 0 ? Infinity : this.#init.hedgeDelay,
      maxParallel: this.#init.maxParallelPeers
    }
  }
}

/** The last root tried for a content hash: IPFS and gateways know addresses only, and nobody gave one. */
const NO_MAPPING: NotFound = {
  message:
    'no peer that was asked knows this hash, and nobody has it as a single block. Content above 1 MiB can be had from IPFS and gateways by its CID only.',
  attempts: [skipped('ipfs', 'no-cid'), skipped('gateway', 'no-cid')]
}

function isSingleBlockGuess({ root, maxBytes }: RetrievalRequest): boolean {
  return maxBytes !== undefined && root.code === RAW_CODEC
}

/** Requests share a retrieval only if everything that decides its course is equal. */
function flightKey({ root, context, class: cls, want, ttl, hops, preferredSources, maxBytes }: RetrievalRequest): string {
  const range = want.kind === 'range' ? `${want.range.offset}+${want.range.length ?? ''}` : want.kind
  return [blockKey(root), root.code, blockKey(context), cls, range, ttl, hops, preferredSources?.join(',') ?? '', maxBytes ?? ''].join('|')
}

function skipped(stage: PreferredSource, reason: SkipReason): Attempt {
  return { stage, outcome: 'skipped', ms: 0, bytes: 0, reason }
}
