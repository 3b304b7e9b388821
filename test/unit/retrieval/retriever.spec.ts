import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import type { Library } from '../../../src/content/library.ts'
import { KithError } from '../../../src/errors.ts'
import { abortable } from '../../../src/lib/deadline.ts'
import { Semaphore } from '../../../src/lib/semaphore.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { blockKey } from '../../../src/model/content-id.ts'
import type { Attempt } from '../../../src/model/source.ts'
import { SourceError, type BlockSource } from '../../../src/ports/block-source.ts'
import type { AbortOptions } from '../../../src/ports/options.ts'
import { PeerFinder, type PeerFinderComponents } from '../../../src/retrieval/peer-finder.ts'
import { Retriever, type RetrievalRequest } from '../../../src/retrieval/retriever.ts'
import { bomb } from '../../support/dag-nodes.ts'
import { distinctBytes, fileDag, memoryLibrary } from '../../support/dag-builder.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const MIB = 1_048_576
const isCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof KithError && error.code === code
const outcomes = (attempts: readonly Attempt[]): string[] =>
  attempts.map(({ stage, outcome, reason }) => `${stage} ${outcome}${outcome === 'skipped' ? ` ${reason ?? ''}` : ''}`)

/** A source that gives what it has, or whatever the test makes it do. */
class FakeSource implements BlockSource {
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

describe('Retriever', () => {
  let library: Library
  let clock: VirtualClock
  let questions: number
  beforeEach(() => {
    library = memoryLibrary()
    clock = new VirtualClock()
    questions = 0
  })

  function retriever(ipfs: BlockSource | undefined, gateways: readonly BlockSource[] = [], slots = 64): Retriever {
    const peers = new PeerFinder({
      network: lonely(() => {
        questions++
      }),
      clock,
      didOf: peer => `did:key:${peer}`,
      ranking: { order: candidates => [...candidates] },
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
      { hedgeDelay: 250, ipfsDelay: 150, gatewayDelay: 600, maxParallelPeers: 3, strict: false }
    )
  }

  const requestFor = (root: CID, more: Partial<RetrievalRequest> = {}): RetrievalRequest => ({
    root,
    context: root,
    class: 'public',
    want: { kind: 'all' },
    ttl: 30,
    hops: 1,
    ...more
  })

  it('asks nobody about what is not public, and says which ways were closed', async () => {
    const { root } = await fileDag(distinctBytes(10))
    const [ipfs, gateway] = [new FakeSource('ipfs'), new FakeSource('gateway')]
    const { report } = await retriever(ipfs, [gateway]).start(
      requestFor(root, { class: 'private', preferredSources: ['gateway', 'ipfs', 'peer'] }),
      {}
    )
    await assert.rejects(report, error => {
      assert.equal(isCode('NOT_FOUND')(error), true)
      if (error instanceof KithError)
        assert.deepEqual(outcomes(error.data['attempts'] as Attempt[]), [
          'peer skipped not-allowed',
          'ipfs skipped not-public',
          'gateway skipped not-public'
        ])
      return true
    })
    assert.deepEqual([ipfs.asked, gateway.asked, questions], [[], [], 0])
  })

  it('reads private realms for private requests only', async () => {
    const { root, blocks } = await fileDag(distinctBytes(10))
    for (const block of blocks.values()) await library.realms.own.blocks.put(block)
    const made = retriever(undefined)
    assert.equal((await (await made.start(requestFor(root, { class: 'private' }), {})).report).source.stage, 'local')
    await assert.rejects((await made.start(requestFor(root), {})).report, isCode('NOT_FOUND'))
  })

  it('gets a whole file from a source, keeps it in the cache, and tells its hash', async () => {
    const bytes = distinctBytes(3 * MIB)
    const { root, blocks } = await fileDag(bytes)
    const { report } = await retriever(new FakeSource('ipfs', blocks.values())).start(requestFor(root), {})
    const done = await report
    assert.deepEqual([done.source.stage, done.bytes.ipfs > 3 * MIB, done.sha256?.byteLength], ['ipfs', true, 32])
    assert.equal(library.realms.cache.blocks.usage().blocks, blocks.size)
    assert.equal(library.realms.public.blocks.usage().blocks + library.realms.own.blocks.usage().blocks, 0)
  })

  it('lets a later source ask for what an earlier one was asked for and does not give', async () => {
    const { root, blocks } = await fileDag(distinctBytes(10))
    const [ipfs, gateway] = [new FakeSource('ipfs'), new FakeSource('gateway', blocks.values())]
    ipfs.behave = 'silent'
    const { report } = await retriever(ipfs, [gateway]).start(requestFor(root), {})
    await clock.advance(700)
    assert.equal((await report).source.stage, 'gateway')
    assert.equal(ipfs.running, 0, 'the loser is told')
  })

  it('goes on with a source that waited for a block which another one then failed to give', async () => {
    const { root, blocks } = await fileDag(distinctBytes(10))
    const [first, second] = [new FakeSource('gateway', blocks.values()), new FakeSource('gateway', blocks.values())]
    first.behave = 'wrong'
    const { report } = await retriever(undefined, [first, second]).start(requestFor(root), {})
    await clock.advance(700)
    assert.deepEqual(outcomes((await report).attempts).slice(-2), ['gateway corrupt', 'gateway ok'])
  })

  it('shares one retrieval between equal requests, and ends it when the last has left', async () => {
    const { root } = await fileDag(distinctBytes(10))
    const ipfs = new FakeSource('ipfs')
    ipfs.behave = 'silent'
    const made = retriever(ipfs)
    const [a, b] = [new AbortController(), new AbortController()]
    const [one, two] = await Promise.all([made.start(requestFor(root), a), made.start(requestFor(root), b)])
    await clock.advance(200)
    assert.deepEqual([ipfs.asked.length, ipfs.running], [1, 1])
    a.abort(new KithError('CANCELLED', 'one left'))
    await assert.rejects(one.report, isCode('CANCELLED'))
    await clock.advance(1)
    assert.equal(ipfs.running, 1)
    b.abort(new KithError('CANCELLED', 'the other left'))
    await assert.rejects(two.report, isCode('CANCELLED'))
    await clock.advance(1)
    assert.equal(ipfs.running, 0)
  })

  it('begins anew for who asks right after everybody left', async () => {
    const { root, blocks } = await fileDag(distinctBytes(10))
    const ipfs = new FakeSource('ipfs', blocks.values())
    ipfs.behave = 'silent'
    const made = retriever(ipfs)
    const first = new AbortController()
    const gone = await made.start(requestFor(root), first)
    await clock.advance(200)
    first.abort(new KithError('CANCELLED', 'left'))
    ipfs.behave = 'honest'
    await assert.rejects(gone.report, isCode('CANCELLED'))
    const { report } = await made.start(requestFor(root), {})
    await clock.advance(200)
    assert.equal((await report).source.stage, 'ipfs')
  })

  it('keeps requests for other parts, classes or sources apart', async () => {
    const { root } = await fileDag(distinctBytes(10))
    const ipfs = new FakeSource('ipfs')
    ipfs.behave = 'silent'
    const made = retriever(ipfs)
    const stop = new AbortController()
    const flights = await Promise.all(
      [
        requestFor(root),
        requestFor(root, { want: { kind: 'root' } }),
        requestFor(root, { preferredSources: ['ipfs'] }),
        requestFor(root, { hops: 0 })
      ].map(async request => await made.start(request, stop))
    )
    assert.equal(new Set(flights.map(({ retrieval }) => retrieval)).size, 4)
    stop.abort()
    await Promise.allSettled(flights.map(async ({ report }) => await report))
  })

  it('stops hashing a file bomb when nobody waits for it, and frees its place', async () => {
    const { root, blocks } = bomb('file')
    const other = await fileDag(distinctBytes(10))
    const made = retriever(new FakeSource('ipfs', [...blocks, ...other.blocks.values()]), [], 1)
    const stop = new AbortController()
    const { retrieval, report } = await made.start(requestFor(root), stop)
    await clock.advance(200)
    await retrieval.session.done
    stop.abort(new KithError('CANCELLED', 'it takes too long'))
    await assert.rejects(report, isCode('CANCELLED'))
    const next = await made.start(requestFor(other.root), {})
    await clock.advance(200)
    assert.equal((await next.report).source.stage, 'ipfs')
  })

  it('spends no more than it may on a mapping nobody vouched for', async () => {
    const { root, blocks } = await fileDag(distinctBytes(5 * MIB))
    const { report } = await retriever(new FakeSource('ipfs', blocks.values())).start(requestFor(root, { maxBytes: 2 * MIB }), {})
    report.catch(() => {})
    await clock.advance(200)
    await assert.rejects(report, isCode('TOO_LARGE'))
    assert.equal(library.realms.cache.blocks.usage().bytes <= 2 * MIB, true)
  })
})
