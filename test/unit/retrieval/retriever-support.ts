/** A retriever over sources that do what the test says, without peers. */
import { STRANGERS } from '../../../src/peers/strangers.ts'
import { ClaimsFirst } from '../../../src/ranking/claims-first.ts'
import { UNMEASURED } from '../../../src/ranking/unmeasured.ts'
import type { CID } from 'multiformats/cid'
import type { Library } from '../../../src/content/library.ts'
import { KithError } from '../../../src/errors.ts'
import { abortable } from '../../../src/lib/deadline.ts'
import { Semaphore } from '../../../src/lib/semaphore.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { blockKey } from '../../../src/model/content-id.ts'
import type { Attempt } from '../../../src/model/source.ts'
import { SourceError, type BlockSource } from '../../../src/ports/block-source.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { AbortOptions } from '../../../src/ports/options.ts'
import { PeerFinder, type PeerFinderComponents } from '../../../src/retrieval/peer-finder.ts'
import { Retriever, type RetrievalRequest } from '../../../src/retrieval/retriever.ts'

export const isCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof KithError && error.code === code
export const outcomes = (attempts: readonly Attempt[]): string[] =>
  attempts.map(({ stage, outcome, reason }) => `${stage} ${outcome}${outcome === 'skipped' ? ` ${reason ?? ''}` : ''}`)

/** A source that gives what it has, or whatever the test makes it do. */
export class FakeSource implements BlockSource {
  readonly stage: 'ipfs' | 'gateway'
  readonly concurrency = 4
  readonly asked: string[] = []
  running = 0
  behave: 'honest' | 'silent' | 'wrong' = 'honest'
  readonly #blocks = new Map<string, VerifiedBlock>()

  constructor(stage: 'ipfs' | 'gateway', blocks: Iterable<VerifiedBlock> = []) {
    this.stage = stage
    for (const block of blocks) this.#blocks.set(blockKey(block.cid), block)
  }

  unavailable(): undefined {
    return undefined
  }

  open(): ReturnType<BlockSource['open']> {
    return {
      close: () => {},
      get: async (cid, options) => {
        this.running++
        try {
          return await this.#get(cid, options)
        } finally {
          this.running--
        }
      }
    }
  }

  async #get(cid: CID, options: AbortOptions): Promise<Uint8Array> {
    this.asked.push(cid.toString())
    if (this.behave === 'silent') return await abortable(new Promise<never>(() => {}), options)
    const block = this.#blocks.get(blockKey(cid))
    if (block === undefined) throw new SourceError('not-found', 'it does not have it')
    return this.behave === 'wrong' ? block.bytes.map(byte => byte ^ 1) : block.bytes
  }
}

/** A network without peers that notes when somebody looks for them. */
function lonely(looked: () => void): PeerFinderComponents['network'] {
  const none = async (): Promise<never> => {
    throw new Error('there is nobody')
  }
  return {
    self: 'self',
    addresses: () => [],
    isConnected: () => false,
    connect: none,
    disconnect: none,
    ping: none,
    open: none,
    handle: async () => {},
    on: () => () => {},
    publish: async () => {},
    subscribe: () => {},
    peers: () => {
      looked()
      return []
    }
  }
}

export interface RetrieverSettings {
  readonly library: Library
  readonly clock: Clock
  readonly ipfs?: BlockSource | undefined
  readonly gateways?: readonly BlockSource[]
  readonly slots?: number
  readonly maxFileSize?: number
  /** Told when somebody looks for peers. */
  readonly looked?: () => void
}

export function makeRetriever(settings: RetrieverSettings): Retriever {
  const { library, clock, ipfs, gateways = [], slots = 64, maxFileSize = 0, looked = () => {} } = settings
  const peers = new PeerFinder({
    network: lonely(looked),
    clock,
    didOf: peer => `did:key:${peer}`,
    ranking: new ClaimsFirst(),
    standing: STRANGERS,
    estimates: UNMEASURED,
    exchange: {
      speaks: () => false,
      have: async () => [],
      dag: async () => 'not-found',
      blocks: async () => 'not-found',
      advert: async () => null
    },
    directory: { claims: () => 'unknown', observe: () => {} }
  })
  return new Retriever(
    {
      library,
      peers,
      ipfs,
      gateways,
      clock,
      random: { bytes: length => new Uint8Array(length), number: () => 0.5 },
      slots: new Semaphore({ limit: slots, waitingMax: 10, name: 'retrievals' })
    },
    { hedgeDelay: 250, ipfsDelay: 150, gatewayDelay: 600, maxParallelPeers: 3, strict: false, maxFileSize }
  )
}

export function requestFor(root: CID, more: Partial<RetrievalRequest> = {}): RetrievalRequest {
  return { root, context: root, class: 'public', want: { kind: 'all' }, ttl: 30, hops: 1, ...more }
}
