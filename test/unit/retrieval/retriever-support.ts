/** A retriever over sources that do what the test says, without peers. */
import { STRANGERS } from '../../../src/peers/strangers.ts'
import { ClaimsFirst } from '../../support/claims-first.ts'
import { UNMEASURED } from '../../../src/ranking/unmeasured.ts'
import type { CID } from 'multiformats/cid'
import type { Library } from '../../../src/content/library.ts'
import { KithError } from '../../../src/errors.ts'
import { abortable } from '../../../src/lib/deadline.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { blockKey } from '../../../src/model/content-id.ts'
import type { Attempt } from '../../../src/model/source.ts'
import { SourceError, type BlockSource } from '../../../src/ports/block-source.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { AbortOptions } from '../../../src/ports/options.ts'
import type { Network } from '../../../src/ports/network.ts'
import type { RetrievalRequest, Retriever } from '../../../src/retrieval/retriever.ts'
import { buildRetrieval, type RetrievalComponents, type RetrievalConfig } from '../../../src/services/build-retrieval.ts'

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

/** A network without peers. */
export function lonely(): Network {
  const none = async (): Promise<never> => {
    throw new Error('there is nobody')
  }
  return {
    self: 'self',
    addresses: () => [],
    isConnected: () => false,
    connect: none,
    identified: none,
    disconnect: none,
    ping: none,
    open: none,
    handle: async () => {},
    on: () => () => {},
    publish: async () => {},
    subscribe: () => {},
    peers: () => []
  }
}

export interface RetrieverSettings extends Partial<Omit<RetrievalComponents, 'gateways'>> {
  readonly library: Library
  readonly clock: Clock
  readonly gateways?: readonly BlockSource[]
  readonly slots?: number
  readonly maxFileSize?: number
  readonly routing?: Partial<RetrievalConfig['routing']>
}

export const ROUTING: RetrievalConfig['routing'] = {
  ranking: 'expected-time',
  hedgeDelay: 250,
  ipfsDelay: 150,
  gatewayDelay: 600,
  maxParallelPeers: 3,
  askUnknownMinTrust: 0,
  strict: false
}

export function makeRetriever(settings: RetrieverSettings): Retriever {
  const { gateways = [], slots = 64, maxFileSize = 0, routing, ...parts } = settings
  return buildRetrieval(
    {
      network: lonely(),
      ranking: new ClaimsFirst(),
      standing: STRANGERS,
      estimates: UNMEASURED,
      exchange: {
        speaks: () => false,
        heard: () => ({ bytes: 0, at: -Infinity }),
        have: async () => [],
        dag: async () => 'not-found',
        blocks: async () => 'not-found',
        advert: async () => null,
        capabilities: async () => new Uint8Array(0)
      },
      directory: { claimsOn: () => ({ of: () => 'unknown', claimants: () => [] }), capabilitiesOf: () => undefined },
      ipfs: undefined,
      gateways: () => gateways,
      didOf: peer => `did:key:${peer}`,
      random: { bytes: length => new Uint8Array(length), number: () => 0.5 },
      ...parts
    },
    { routing: { ...ROUTING, ...routing }, proxy: { minTrust: 5 }, limits: { maxConcurrent: slots, maxFileSize } }
  )
}

export function requestFor(root: CID, more: Partial<RetrievalRequest> = {}): RetrievalRequest {
  return { root, context: root, class: 'public', want: { kind: 'all' }, ttl: 30, hops: 1, ...more }
}
