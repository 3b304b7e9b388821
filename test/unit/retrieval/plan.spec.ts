/** What `get` does is what `explain` said: the same sources, in the same order, and nobody else. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Library } from '../../../src/content/library.ts'
import { PREFERRED_SOURCES } from '../../../src/model/source.ts'
import { SourceError, type BlockSource } from '../../../src/ports/block-source.ts'
import { makeRanking } from '../../../src/ranking/make-ranking.ts'
import { Classifier } from '../../../src/retrieval/classify.ts'
import type { Retriever } from '../../../src/retrieval/retriever.ts'
import type { RouteServices } from '../../../src/rpc/services-people.ts'
import { ContentAccess } from '../../../src/services/content-access.ts'
import { routeServices } from '../../../src/services/route-services.ts'
import { distinctBytes, fileDag, memoryLibrary, type MadeDag } from '../../support/dag-builder.ts'
import { FakeStanding } from '../../support/fake-standing.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { FakePeers } from './fake-peers.ts'
import { makeRetriever } from './retriever-support.ts'

/** Two seconds of questions, ten of silence for each peer at most. */
const LONG_MS = 200_000

const STAGES = ['peer', 'ipfs', 'proxy', 'gateway']
const byStage = (a: string, b: string): number => STAGES.indexOf(a.split(' ')[0] ?? '') - STAGES.indexOf(b.split(' ')[0] ?? '')

interface World {
  readonly peers: FakePeers
  readonly route: RouteServices
  readonly get: (params: { preferredSources?: (typeof PREFERRED_SOURCES)[number][]; hops?: 0 | 1 }, content: string) => Promise<string[]>
}

describe('Plan', () => {
  let dag: MadeDag
  let clock: VirtualClock
  let library: Library
  let standing: FakeStanding
  before(async () => {
    dag = await fileDag(distinctBytes(1000))
  })

  const make = (
    peers: FakePeers,
    {
      outside = [],
      strict = false,
      maxParallelPeers = 3
    }: { outside?: ('ipfs' | 'gateway')[]; strict?: boolean; maxParallelPeers?: number } = {}
  ): World => {
    clock = new VirtualClock()
    library = memoryLibrary()
    const source = (stage: 'ipfs' | 'gateway'): BlockSource => ({
      stage,
      concurrency: 1,
      unavailable: () => undefined,
      open: () => ({
        close: () => {},
        get: async () => {
          peers.asked.push(`${stage} ${stage}`)
          throw new SourceError('not-found', 'nothing')
        }
      })
    })
    const retriever: Retriever = makeRetriever({
      library,
      clock,
      standing,
      ipfs: outside.includes('ipfs') ? source('ipfs') : undefined,
      gateways: outside.includes('gateway') ? [source('gateway')] : [],
      network: peers.network,
      exchange: peers.exchange,
      directory: peers.directory,
      reach: peers.reach,
      ranking: makeRanking('expected-time', { random: { bytes: length => new Uint8Array(length), number: () => 0.5 } }),
      routing: { strict, maxParallelPeers }
    })
    const classifier = new Classifier({ library }, { unknown: 'private', unknownCid: 'peers-first' })
    const access = new ContentAccess({ library, retriever, classifier, clock }, { unconfirmedBytes: 1, maxFileSize: 0 })
    return {
      peers,
      route: routeServices({ library, classifier, retriever, clock }),
      get: async (params, content) => {
        const done = access.open({ content, ttl: 200, ...params }, { kind: 'all' }, {}).then(
          async opened => await opened.report,
          () => {}
        )
        await clock.advance(LONG_MS)
        await done
        return peers.asked
      }
    }
  }

  const peerArbitrary = fc.record({
    isConnected: fc.boolean(),
    isAsleep: fc.boolean(),
    isNew: fc.boolean(),
    claim: fc.constantFrom('yes' as const, 'no' as const, 'unknown' as const),
    access: fc.constantFrom(0, 3, 5, 9),
    isShunned: fc.nat(9).map(n => n === 0),
    hasIpfs: fc.boolean(),
    behave: fc.constantFrom('honest' as const, 'faulty' as const, 'refusing' as const, 'silent' as const)
  })

  it('is carried out by get exactly as explain shows it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(peerArbitrary, { maxLength: 6 }),
        fc.constantFrom('ipfs', 'kith'),
        fc.subarray(['ipfs', 'gateway'] as ('ipfs' | 'gateway')[]),
        fc.shuffledSubarray([...PREFERRED_SOURCES]),
        fc.boolean(),
        fc.constantFrom(1, 3),
        async (people, form, outside, preferredSources, strict, maxParallelPeers) => {
          const peers = new FakePeers()
          standing = new FakeStanding()
          for (const [index, { access, isShunned, ...settings }] of people.entries()) {
            peers.add(`p${index}`, settings)
            standing.set(`p${index}`, access)
            if (isShunned) standing.shun(`p${index}`)
          }
          const world = make(peers, { outside, strict, maxParallelPeers })
          const content = `${form}://${dag.root.toString()}`
          const plan = await world.route.explain({ content, preferredSources }, {})
          assert.deepEqual(peers.asked, [], 'explain asks nobody')
          const best = await world.route.best({ content, preferredSources }, {})
          const eligible = plan.candidates.filter(each => each.eligible)
          assert.deepEqual(best, eligible[0] ?? null)
          const asked = await world.get({ preferredSources }, content)
          const contentAsks = asked.filter(each => !each.startsWith('have')).map(each => each.replace(/^(dial|dag|blocks)/, 'peer'))
          // Who does not even say whether it has the content itself is not asked to fetch it.
          const isMute = (peer = ''): boolean => ['silent', 'faulty'].includes(people[Number(peer.slice(1))]?.behave ?? '')
          const planned = eligible.flatMap(({ stage, peer, reason }) =>
            reason === 'have-round' || (stage === 'proxy' && isMute(peer)) ? [] : [`${stage} ${peer ?? stage}`]
          )
          // A later stage may begin while a silent peer is waited for; within a stage the order is the plan's, always.
          const inStages = (all: string[]): string[] =>
            people.some(({ behave }) => behave === 'silent') && !strict ? all.toSorted(byStage) : all
          assert.deepEqual(inStages([...new Set(contentAsks)]), inStages(planned))
          const round = plan.candidates.filter(({ reason }) => reason === 'have-round').map(({ peer }) => `have ${peer ?? ''}`)
          // A trusted peer that is asked for the content is asked besides whether it has it as private; so is a proxy.
          const besides = eligible.filter(({ peer, access }) => peer !== undefined && access >= 5).map(({ peer }) => `have ${peer ?? ''}`)
          const haves = new Set(asked.filter(each => each.startsWith('have')))
          for (const each of round) assert.equal(haves.delete(each) || besides.includes(each), true, each)
          assert.deepEqual(
            [...haves].filter(each => !besides.includes(each)),
            []
          )
        }
      ),
      { numRuns: 150 }
    )
  })

  it('puts claimants first, then who may have it, and leaves out who is known not to, with the reasons', async () => {
    standing = new FakeStanding()
    const peers = new FakePeers()
    peers.add('denies', { claim: 'no' })
    peers.add('silent', { claim: 'unknown' })
    peers.add('claims', { claim: 'yes' })
    peers.add('away', { claim: 'yes', isConnected: false })
    peers.add('liar', { claim: 'yes' })
    standing.shun('liar')
    const { route } = make(peers, { outside: ['ipfs'] })
    const { candidates, stages } = await route.explain({ content: `ipfs://${dag.root.toString()}` }, {})
    assert.deepEqual(
      candidates.map(({ peer, stage, eligible, reason }) => `${peer ?? stage} ${eligible ? 'asked' : (reason ?? '')}`),
      ['claims asked', 'away asked', 'silent asked', 'ipfs asked', 'denies have-round', 'liar shunned']
    )
    assert.deepEqual(
      stages.map(({ stage, startsAfterMs, reason }) => [stage, startsAfterMs, reason]),
      [
        ['local', 0, undefined],
        ['peer', 0, undefined],
        ['ipfs', 150, undefined],
        ['proxy', null, 'no-ipfs'],
        ['gateway', null, 'off']
      ]
    )
  })

  it('asks trusted peers with an IPFS node to fetch for this one, after the own IPFS, and never for what is private', async () => {
    standing = new FakeStanding()
    const peers = new FakePeers()
    peers.add('helper', { claim: 'no', hasIpfs: true })
    peers.add('stranger', { claim: 'no', hasIpfs: true })
    standing.set('helper', 5)
    const world = make(peers, { outside: ['ipfs', 'gateway'] })
    const { root } = dag
    const asked = await world.get({}, `ipfs://${root.toString()}`)
    assert.deepEqual(
      asked.filter(each => !each.startsWith('have')),
      ['ipfs ipfs', 'proxy helper', 'gateway gateway']
    )
    const plain = await make(new FakePeers()).route.explain({ content: `kith://${root.toString()}` }, {})
    assert.equal(plain.stages.find(({ stage }) => stage === 'proxy')?.reason, 'not-public')
    peers.asked.length = 0
    const withoutHops = await make(peers, { outside: ['ipfs'] }).get({ hops: 0 }, `ipfs://${root.toString()}`)
    assert.equal(
      withoutHops.some(each => each.startsWith('proxy')),
      false
    )
    peers.asked.length = 0
    const byPeers = await make(peers).get({ preferredSources: ['peer'] }, `ipfs://${root.toString()}`)
    assert.equal(byPeers.at(-1), 'proxy helper', 'it belongs to the peers')
  })

  it('of what is here names the local copy', async () => {
    standing = new FakeStanding()
    const peers = new FakePeers()
    peers.add('claims', { claim: 'yes' })
    const { route } = make(peers, { outside: ['ipfs'] })
    const now = clock.now()
    const record = { root: dag.root, kind: 'file' as const, size: 1000, blocks: 1, createdAt: now, lastAccess: now, pinned: true }
    await library.realms.public.records.put(record)
    const { stages, candidates, classes } = await route.explain({ content: dag.root.toString() }, {})
    assert.deepEqual(
      stages.map(({ stage, reason }) => [stage, reason]),
      [
        ['local', undefined],
        ['peer', 'local'],
        ['ipfs', 'local'],
        ['proxy', 'local'],
        ['gateway', 'local']
      ]
    )
    assert.deepEqual(
      candidates.filter(({ eligible }) => eligible).map(({ stage }) => stage),
      ['local']
    )
    assert.deepEqual(classes, ['recent', 'small', 'public'])
  })

  it('asks at most sixteen strangers that claim nothing', async () => {
    standing = new FakeStanding()
    const peers = new FakePeers()
    for (let index = 0; index < 40; index++) peers.add(`p${index}`, { claim: index % 2 === 0 ? 'no' : 'unknown' })
    const asked = await make(peers).get({}, `ipfs://${dag.root.toString()}`)
    assert.deepEqual([asked.filter(each => each.startsWith('have')).length, asked.filter(each => each.startsWith('dag')).length], [16, 16])
  })
})
