/** Who delivers first keeps the others out only as long as that is quick enough. */
import assert from 'node:assert/strict'
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import type { Library } from '../../../src/content/library.ts'
import { MeasuredEstimates } from '../../../src/ranking/estimates.ts'
import { ExpectedTime } from '../../../src/ranking/expected-time.ts'
import type { RetrievalReport } from '../../../src/retrieval/retrieval.ts'
import type { RetrievalRequest } from '../../../src/retrieval/retriever.ts'
import type { RetrievalConfig } from '../../../src/services/build-retrieval.ts'
import { distinctBytes, fileDag, memoryLibrary, treeDag, type MadeDag } from '../../support/dag-builder.ts'
import { FakeStanding } from '../../support/fake-standing.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { PacedPeers } from './paced-peers.ts'
import { PacedSource, SharedLine } from './paced-source.ts'
import { makeRetriever, requestFor } from './retriever-support.ts'

const KIB = 1024
const MIB = 1_048_576
/** A leaf of 1 MiB every 20 s. */
const DRIBBLE = MIB / 20

describe('A slow source that delivers first', () => {
  let file: MadeDag
  let big: MadeDag
  let clock: VirtualClock
  let library: Library
  let standing: FakeStanding
  let estimates: MeasuredEstimates
  let peers: PacedPeers
  before(async () => {
    file = await fileDag(distinctBytes(8 * MIB))
    big = await fileDag(distinctBytes(64 * MIB, 3))
  })
  beforeEach(() => {
    clock = new VirtualClock()
    library = memoryLibrary()
    standing = new FakeStanding()
    estimates = new MeasuredEstimates({ clock, state: memoryState(), isTrusted: () => false })
    peers = new PacedPeers(clock, file)
  })

  const get = async (
    dag: MadeDag,
    { ipfs, gateways = [] }: { readonly ipfs?: PacedSource; readonly gateways?: readonly PacedSource[] },
    { routing = {}, ...request }: Partial<RetrievalRequest> & { readonly routing?: Partial<RetrievalConfig['routing']> } = {}
  ): Promise<RetrievalReport> => {
    const { network, directory, reach } = peers.peers
    const ranking = new ExpectedTime({ tieBreak: (a, b) => a.localeCompare(b) })
    const { exchange } = peers
    const made = makeRetriever({
      library,
      clock,
      standing,
      estimates,
      ranking,
      network,
      exchange,
      directory,
      reach,
      routing,
      ipfs,
      gateways
    })
    const { report } = await made.start(requestFor(dag.root, { ttl: 300, ...request }), {})
    const ended = { is: false }
    void report.then(
      () => (ended.is = true),
      () => (ended.is = true)
    )
    for (let i = 0; i < 20_000 && !ended.is; i++) await clock.advance(100)
    const told = await report
    assert.equal(clock.pending, 0)
    return told
  }
  const received = ({ bytes }: RetrievalReport): number => bytes.peer + bytes.ipfs + bytes.gateway
  const told = ({ attempts }: RetrievalReport): string[] =>
    attempts
      .filter(({ outcome, bytes }) => outcome !== 'skipped' && (bytes > 0 || outcome !== 'cancelled'))
      .map(({ stage, outcome }) => `${stage} ${outcome}`)
      .toSorted()

  it('does not keep a gateway out: a stranger that sends a block every 20 s', async () => {
    const stranger = peers.add('stranger', { rate: DRIBBLE })
    const gateway = new PacedSource(clock, file, 'gateway')
    const report = await get(file, { gateways: [gateway] })
    assert.equal(report.ms < 10_000, true, `${report.ms} ms`)
    assert.equal(report.bytes.gateway >= 7 * MIB, true, `${report.bytes.gateway} bytes`)
    assert.equal(received(report) < 9.1 * MIB, true, `${received(report)} bytes`)
    assert.deepEqual([report.source.peer, told(report)], ['stranger', ['gateway ok', 'peer ok']])
    assert.equal(stranger.requests, 1)
    assert.deepEqual(standing.reports, [])
  })

  it('does not keep it out by sending nodes slowly either', async () => {
    const tree = await treeDag(
      Array.from({ length: 40 }, (_, at) => ({ path: `d/${at}/f`, content: [distinctBytes(300_000, 100 + at)] })),
      {}
    )
    peers = new PacedPeers(clock, tree)
    peers.add('stranger', { nodeMs: 20_000 })
    const report = await get(tree, { gateways: [new PacedSource(clock, tree, 'gateway')] })
    assert.equal(report.ms < 30_000, true, `${report.ms} ms`)
    assert.equal(received(report) < 13 * MIB, true, `${received(report)} bytes`)
  })

  it('is passed on IPFS that says nothing, too: then the gateway has its turn', async () => {
    peers.add('stranger', { rate: DRIBBLE })
    const ipfs = new PacedSource(clock, file, 'ipfs')
    const gateway = new PacedSource(clock, file, 'gateway')
    ipfs.isSilent = true
    const report = await get(file, { ipfs, gateways: [gateway] })
    assert.equal(report.ms < 15_000, true, `${report.ms} ms`)
    assert.equal(report.bytes.gateway >= 7 * MIB, true)
  })

  it('is joined at once by the next stage when the first one has nothing', async () => {
    peers.add('stranger', { rate: DRIBBLE })
    const nothing = { root: file.root, blocks: new Map() }
    const gateways = [new PacedSource(clock, nothing, 'gateway', { url: 'https://a.example' }), new PacedSource(clock, file, 'gateway')]
    const report = await get(file, { ipfs: new PacedSource(clock, nothing, 'ipfs'), gateways })
    assert.equal(report.ms < 10_000, true, `${report.ms} ms`)
    assert.deepEqual(told(report), ['gateway not-found', 'gateway ok', 'ipfs not-found', 'peer ok'])
  })

  it('goes on beside the gateway when it is a friend: both deliver, and nothing comes twice but what was on its way', async () => {
    peers = new PacedPeers(clock, big)
    standing.set('friend', 5)
    peers.add('friend', { rate: 125_000 })
    const gateway = new PacedSource(clock, big, 'gateway', { rate: MIB / 4 }) // for each of eight blocks
    const report = await get(big, { gateways: [gateway] })
    assert.equal(report.ms < 60_000, true, `${report.ms} ms`)
    assert.equal(report.bytes.peer >= 2 * MIB, true, `${report.bytes.peer} bytes`)
    assert.equal(received(report) < 66.1 * MIB, true, `${received(report)} bytes`)
    assert.deepEqual(told(report), ['gateway ok', 'peer ok'])
    assert.equal(estimates.of('gateway').rate !== null, true)
  })

  it('keeps the others out as before when it is quick enough, or has little left', async () => {
    for (const [dag, rate] of [
      [big, 1.5 * MIB],
      [file, 900 * KIB]
    ] as const) {
      library = memoryLibrary()
      peers = new PacedPeers(clock, dag)
      peers.add('stranger', { rate })
      const gateway = new PacedSource(clock, dag, 'gateway')
      const ipfs = new PacedSource(clock, dag, 'ipfs')
      const report = await get(dag, { ipfs, gateways: [gateway] })
      assert.deepEqual([gateway.asked, ipfs.asked, told(report)], [0, 0, ['peer ok']])
    }
  })

  it('keeps out a gateway that was measured to be slower still', async () => {
    for (let i = 0; i < 5; i++) {
      const measurement = estimates.begin('https://slow.example')
      await clock.advance(20)
      measurement.firstByte(100)
      await clock.advance(20_000)
      measurement.end('ok', MIB / 2)
    }
    peers.add('stranger', { rate: DRIBBLE })
    const gateway = new PacedSource(clock, file, 'gateway', { url: 'https://slow.example' })
    const report = await get(file, { gateways: [gateway] })
    assert.deepEqual([gateway.asked, told(report)], [0, ['peer ok']])
  })

  it('keeps everybody out of what is not public, of what was asked of peers only, and where the ladder is strict', async () => {
    for (const request of [{ class: 'private' }, { preferredSources: ['peer'] }, { routing: { strict: true } }] as const) {
      library = memoryLibrary()
      standing.set('friend', 5)
      peers = new PacedPeers(clock, file)
      peers.add('friend', { rate: DRIBBLE })
      const gateway = new PacedSource(clock, file, 'gateway')
      const ipfs = new PacedSource(clock, file, 'ipfs')
      await get(file, { ipfs, gateways: [gateway] }, request)
      assert.deepEqual([gateway.asked, ipfs.asked], [0, 0])
    }
  })

  it('may be IPFS, or a gateway that sends the whole: others take the rest of it', async () => {
    for (const hasWhole of [false, true]) {
      library = memoryLibrary()
      const slow = new PacedSource(clock, big, hasWhole ? 'gateway' : 'ipfs', {
        rate: hasWhole ? 100_000 : 20_000,
        url: 'https://a.example'
      })
      slow.hasWhole = hasWhole
      const quick = new PacedSource(clock, big, 'gateway', { url: 'https://b.example' })
      const report = await get(big, hasWhole ? { gateways: [slow, quick] } : { ipfs: slow, gateways: [quick] }, {
        routing: { gatewayDelay: 60_000 }
      })
      assert.equal(report.ms < 60_000, true, `${report.ms} ms`)
      assert.equal(received(report) < 68 * MIB, true, `${received(report)} bytes`)
    }
  })

  it('may be slow because this node’s own line is: nobody is given up or blamed for it', async () => {
    const line = new SharedLine(clock, 40_000)
    peers.add('stranger', { shared: line })
    const report = await get(file, {
      ipfs: new PacedSource(clock, file, 'ipfs', { line }),
      gateways: [new PacedSource(clock, file, 'gateway', { line })]
    })
    assert.equal(report.ms < 300_000, true, `${report.ms} ms, 210 s at best`)
    assert.deepEqual([standing.reports, told(report).filter(each => !each.endsWith(' ok'))], [[], []])
  })

  it('may be IPFS: a peer that was slower with its first byte joins it, with nodes or without', async () => {
    const tree = await treeDag(
      Array.from({ length: 40 }, (_, at) => ({ path: `d/${at}/f`, content: [distinctBytes(300_000, 100 + at)] })),
      {}
    )
    for (const dag of [file, tree]) {
      library = memoryLibrary()
      peers = new PacedPeers(clock, dag)
      peers.add('late', { latency: 400 })
      const report = await get(dag, { ipfs: new PacedSource(clock, dag, 'ipfs', { rate: 5_000 }) })
      assert.equal(report.source.stage, 'ipfs')
      assert.equal(report.ms < 20_000, true, `${report.ms} ms`)
      assert.equal(report.bytes.peer > 7 * MIB, true, `${report.bytes.peer} bytes`)
    }
  })

  it('does not keep out another stranger either, of whom nothing is known', async () => {
    peers.add('a', { rate: DRIBBLE })
    peers.add('b')
    const report = await get(file, {})
    assert.equal(report.ms < 15_000, true, `${report.ms} ms`)
    assert.deepEqual(standing.reports, [])
  })

  it('may be slow because this node’s own line is, with several peers that share it', async () => {
    const line = new SharedLine(clock, 40_000)
    for (const name of ['a', 'b', 'c', 'd']) peers.add(name, { shared: line })
    const report = await get(file, {})
    assert.equal(report.ms < 300_000, true, `${report.ms} ms`)
    assert.deepEqual([standing.reports, received(report) < 9.1 * MIB], [[], true])
  })
})
