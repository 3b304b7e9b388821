import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import type { Library } from '../../../src/content/library.ts'
import { KithError } from '../../../src/errors.ts'
import { DAG_PB_CODEC } from '../../../src/model/content-id.ts'
import type { Attempt } from '../../../src/model/source.ts'
import type { BlockSource } from '../../../src/ports/block-source.ts'
import type { Retriever } from '../../../src/retrieval/retriever.ts'
import { bomb, leaf } from '../../support/dag-nodes.ts'
import { distinctBytes, fileDag, memoryLibrary } from '../../support/dag-builder.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { FakeSource, isCode, makeRetriever, outcomes, requestFor } from './retriever-support.ts'

const MIB = 1_048_576
describe('Retriever', () => {
  let library: Library
  let clock: VirtualClock
  beforeEach(() => {
    library = memoryLibrary()
    clock = new VirtualClock()
  })

  const retriever = (ipfs: BlockSource | undefined, gateways: readonly BlockSource[] = [], slots = 64): Retriever =>
    makeRetriever({
      library,
      clock,
      ipfs,
      gateways,
      slots
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
    assert.deepEqual([ipfs.asked, gateway.asked], [[], []])
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

  it('takes a file bomb for the five blocks it is: its content is not hashed to the end, and its place is free again', async () => {
    const { root, blocks } = bomb('file')
    const other = await fileDag(distinctBytes(10))
    const made = retriever(new FakeSource('ipfs', [...blocks, ...other.blocks.values()]), [], 1)
    const { report } = await made.start(requestFor(root), {})
    await clock.advance(200)
    const done = await report
    assert.deepEqual([done.source.stage, done.sha256], ['ipfs', undefined])
    const next = await made.start(requestFor(other.root), {})
    await clock.advance(200)
    assert.equal((await next.report).source.stage, 'ipfs')
  })

  it('stops hashing when nobody waits for it', async () => {
    const { root, blocks } = bomb('file')
    const made = retriever(new FakeSource('ipfs', blocks), [], 1)
    const stop = new AbortController()
    const { retrieval, report } = await made.start(requestFor(root), stop)
    retrieval.session.done.then(
      () => {
        stop.abort(new KithError('CANCELLED', 'it takes too long'))
      },
      () => {}
    )
    await clock.advance(200)
    await assert.rejects(report, isCode('CANCELLED'))
  })

  it('blames nobody for a node that is malformed: its bytes are what its address says', async () => {
    const garbage = leaf(distinctBytes(100))
    const root = CID.createV1(DAG_PB_CODEC, garbage.cid.multihash)
    const { report } = await retriever(new FakeSource('ipfs', [garbage]), [new FakeSource('gateway', [garbage])]).start(
      requestFor(root),
      {}
    )
    await clock.advance(200)
    await assert.rejects(report, error => {
      assert.equal(isCode('INTEGRITY')(error), true)
      if (error instanceof KithError) assert.deepEqual(outcomes(error.data['attempts'] as Attempt[]), ['ipfs cancelled'])
      return true
    })
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
