/** One content from several peers at once: who fetches what, and what becomes of who is slow, silent or wrong. */
import assert from 'node:assert/strict'
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import type { Library } from '../../../src/content/library.ts'
import type { Attempt } from '../../../src/model/source.ts'
import { MeasuredEstimates } from '../../../src/ranking/estimates.ts'
import { ExpectedTime } from '../../../src/ranking/expected-time.ts'
import type { RetrievalConfig } from '../../../src/services/build-retrieval.ts'
import type { RetrievalReport } from '../../../src/retrieval/retrieval.ts'
import type { RetrievalRequest } from '../../../src/retrieval/retriever.ts'
import { distinctBytes, fileDag, memoryLibrary, type MadeDag } from '../../support/dag-builder.ts'
import { FakeStanding } from '../../support/fake-standing.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { PacedPeers } from './paced-peers.ts'
import { makeRetriever, requestFor } from './retriever-support.ts'

const MIB = 1_048_576

describe('Peers that share the leaves of one content', () => {
  let big: MadeDag
  let small: MadeDag
  let clock: VirtualClock
  let library: Library
  let standing: FakeStanding
  let estimates: MeasuredEstimates
  let peers: PacedPeers
  before(async () => {
    big = await fileDag(distinctBytes(64 * MIB))
    small = await fileDag(distinctBytes(2 * MIB, 5))
  })
  beforeEach(() => {
    clock = new VirtualClock()
    library = memoryLibrary()
    standing = new FakeStanding()
    estimates = new MeasuredEstimates({ clock, state: memoryState(), isTrusted: () => false })
  })

  const use = (dag: MadeDag): PacedPeers => (peers = new PacedPeers(clock, dag))
  /** As if each had been asked before, at these rates (bytes a second) and after so many milliseconds. */
  const known = async (name: string, rate: number, firstByteMs = 20): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      const measurement = estimates.begin(name)
      await clock.advance(firstByteMs)
      measurement.firstByte(100)
      await clock.advance(1_000)
      measurement.end('ok', rate)
    }
  }
  const get = async (
    dag: MadeDag,
    routing: Partial<RetrievalConfig['routing']> = {},
    request: Partial<RetrievalRequest> = {}
  ): Promise<RetrievalReport> => {
    const { network, directory, reach } = peers.peers
    const ranking = new ExpectedTime({ tieBreak: (a, b) => a.localeCompare(b) })
    const { exchange } = peers
    const made = makeRetriever({ library, clock, standing, estimates, ranking, network, exchange, directory, reach, routing })
    const { report } = await made.start(requestFor(dag.root, { ttl: 300, ...request }), {})
    const ended = { is: false }
    void report.then(
      () => (ended.is = true),
      () => (ended.is = true)
    )
    for (let i = 0; i < 3_000 && !ended.is; i++) await clock.advance(100)
    return await report
  }
  const told = (attempts: readonly Attempt[]): string[] =>
    attempts
      .filter(({ bytes, outcome }) => outcome !== 'skipped' && (bytes > 0 || outcome !== 'cancelled'))
      .map(({ peer, outcome }) => `${peer} ${outcome}`)
  const sentTwice = (): number => {
    const all = [...peers.sent]
    return all.length - new Set(all).size
  }

  it('deliver in proportion to their rates, and no leaf twice', async () => {
    use(big)
    const fast = peers.add('fast', { rate: 10 * MIB })
    const half = peers.add('half', { rate: 5 * MIB })
    await known('fast', 10 * MIB)
    await known('half', 5 * MIB)
    const report = await get(big)
    assert.deepEqual([report.source.peer, report.bytes.local], ['fast', 0])
    assert.equal(report.bytes.peer < 65 * MIB, true)
    assert.equal(sentTwice() <= 1, true, `${sentTwice()} leaves were sent twice`)
    assert.equal(fast.sent.length > 40 && half.sent.length > 19, true, `${fast.sent.length} and ${half.sent.length}`)
    assert.equal(report.ms < 4_800, true, `${report.ms} ms, 4.3 s at best`)
    assert.deepEqual(new Set(told(report.attempts)), new Set(['fast ok', 'half ok']))
    assert.equal(clock.pending, 0)
  })

  it('find out by themselves who is faster', async () => {
    use(big)
    const lines = [peers.add('a', { rate: MIB }), peers.add('b', { rate: 8 * MIB }), peers.add('c', { rate: 4 * MIB })]
    const report = await get(big)
    assert.equal(report.ms < 7_000, true, `${report.ms} ms, 4.9 s at best; ${lines.map(({ sent }) => sent.length).join(' ')}`)
    assert.equal(sentTwice() <= 3, true, `${sentTwice()} leaves were sent twice`)
  })

  it('overtake one that has turned slow, and it is remembered as slow', async () => {
    use(small)
    peers.add('was-fast', { rate: 50_000, latency: 2 })
    peers.add('other', { rate: 5 * MIB })
    await known('was-fast', 10 * MIB, 4)
    await known('other', 5 * MIB)
    const report = await get(small)
    assert.equal(report.source.peer, 'was-fast')
    assert.deepEqual([...new Set(told(report.attempts))], ['other ok', 'was-fast ok'])
    assert.equal(report.ms < 3_000, true, `${report.ms} ms`)
    assert.equal((estimates.of('was-fast').rate ?? Infinity) < 8 * MIB, true)
  })

  it('leave a content to one that is quick with it: one request', async () => {
    use(small)
    peers.add('quick', { rate: 40 * MIB, latency: 5 })
    peers.add('other', { rate: 40 * MIB })
    await known('quick', 40 * MIB)
    await known('other', 39 * MIB)
    const report = await get(small)
    assert.deepEqual([told(report.attempts), peers.peers.asked], [['quick ok'], ['dag quick']])
  })

  it('take over from one that falls silent midway', async () => {
    use(big)
    const quiet = peers.add('quiet', { rate: 10 * MIB })
    quiet.beforeLeaf = () => {
      if (quiet.sent.length === 5) quiet.rate = 1
    }
    peers.add('other', { rate: 10 * MIB })
    const report = await get(big)
    assert.equal(report.ms < 12_000, true, `${report.ms} ms`)
    assert.equal(sentTwice() <= 1, true)
  })

  it('go on without one that sends wrong bytes midway, and say so', async () => {
    use(big)
    const [honest, liar] = [peers.add('honest'), peers.add('liar', { rate: 9 * MIB })]
    await known('honest', 10 * MIB)
    await known('liar', 9 * MIB)
    liar.wrong = () => liar.sent.length > 5
    const report = await get(big)
    assert.deepEqual(told(report.attempts), ['liar corrupt', 'honest ok'])
    assert.deepEqual(standing.reports, [['liar', 'wrong-bytes']])
    assert.equal(honest.sent.length >= 58, true)
  })

  it('go on when the first one sends wrong bytes midway', async () => {
    use(big)
    const liar = peers.add('liar')
    peers.add('honest', { rate: 9 * MIB })
    await known('liar', 10 * MIB)
    await known('honest', 9 * MIB)
    liar.wrong = () => liar.sent.length > 5
    const report = await get(big)
    assert.deepEqual([told(report.attempts).at(-1), report.source.peer], ['honest ok', 'honest'])
    assert.equal(told(report.attempts).includes('liar corrupt'), true)
  })

  it('make up for each other’s gaps', async () => {
    use(big)
    peers.add('even', { lacks: index => index % 2 === 1 })
    peers.add('odd', { lacks: index => index % 2 === 0 })
    peers.add('whole', { rate: MIB })
    const report = await get(big)
    assert.equal(report.bytes.peer >= 64 * MIB, true)
  })

  it('are asked one at a time if that is what is wanted', async () => {
    for (const routing of [{ maxParallelPeers: 1 }, { strict: true }]) {
      library = memoryLibrary()
      use(big)
      for (const name of ['a', 'b', 'c']) peers.add(name, { rate: MIB })
      await get(big, routing)
      assert.deepEqual([peers.atOnceMax, sentTwice()], [1, 0])
    }
  })

  it('are at most as many at once as the configuration says', async () => {
    use(big)
    for (const name of ['a', 'b', 'c', 'd', 'e']) peers.add(name, { rate: MIB })
    await get(big, { maxParallelPeers: 3 })
    assert.equal(peers.atOnceMax, 3)
  })

  it('are trusted ones only for what is not public, and only who says it has it or is trusted for what is', async () => {
    use(big)
    peers.add('friend', { rate: MIB }, { claim: 'unknown' })
    peers.add('brother', { rate: MIB }, { claim: 'unknown' })
    peers.add('claims', { rate: MIB })
    peers.add('stranger', { rate: MIB }, { claim: 'unknown' })
    standing.set('friend', 5)
    standing.set('brother', 5)
    await get(big, {}, { class: 'private' })
    assert.deepEqual(peers.peers.askedForContent.toSorted(), ['brother', 'friend'])
    library = memoryLibrary()
    await get(big, { maxParallelPeers: 5 })
    assert.deepEqual(peers.peers.askedForContent.toSorted(), ['brother', 'claims', 'friend'])
  })

  it('hedge the last leaves of a slow one within the budget only', async () => {
    use(small)
    let hedged = 0
    for (let i = 0; i < 12; i++) {
      library = memoryLibrary()
      const before = peers.peers.asked.length
      peers.add('a', { rate: MIB })
      peers.add('b', { rate: 12 * MIB })
      const report = await get(small)
      hedged += Math.max(0, peers.peers.asked.length - before - 2)
      assert.equal(report.bytes.peer <= 4 * MIB, true)
    }
    assert.equal(hedged <= 12, true, `${hedged} requests more`)
  })
})
