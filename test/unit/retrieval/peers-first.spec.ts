/** A bare address is put to the peers one trusts before anybody else hears of it. */
import assert from 'node:assert/strict'
import type { Library } from '../../../src/content/library.ts'
import { KithError } from '../../../src/errors.ts'
import { Classifier, type ClassifierInit } from '../../../src/retrieval/classify.ts'
import { ContentAccess, type Opened } from '../../../src/services/content-access.ts'
import { routeServices } from '../../../src/services/route-services.ts'
import { distinctBytes, fileDag, memoryLibrary, type MadeDag } from '../../support/dag-builder.ts'
import { FakeStanding } from '../../support/fake-standing.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { FakePeers } from './fake-peers.ts'
import { FakeSource, makeRetriever } from './retriever-support.ts'

describe('peers-first', () => {
  let dag: MadeDag
  let clock: VirtualClock
  let library: Library
  let peers: FakePeers
  let standing: FakeStanding
  let ipfs: FakeSource
  before(async () => {
    dag = await fileDag(distinctBytes(1000))
  })
  beforeEach(() => {
    clock = new VirtualClock()
    library = memoryLibrary()
    peers = new FakePeers()
    standing = new FakeStanding()
    ipfs = new FakeSource('ipfs', dag.blocks.values())
  })

  const parts = (unknownCid: ClassifierInit['unknownCid'] = 'peers-first') => {
    const { network, exchange, directory, reach } = peers
    const retriever = makeRetriever({ library, clock, ipfs, standing, network, exchange, directory, reach })
    const classifier = new Classifier({ library }, { unknown: 'private', unknownCid })
    return { library, retriever, classifier, clock }
  }
  const open = async (content: string, unknownCid?: ClassifierInit['unknownCid'], ttl = 30): Promise<Opened> =>
    await new ContentAccess(parts(unknownCid), { unconfirmedBytes: 1, maxFileSize: 0 }).open({ content, ttl }, { kind: 'all' }, {})
  const trusted = (name: string, settings: Parameters<FakePeers['add']>[1] = {}): void => {
    peers.add(name, settings)
    standing.set(name, 5)
  }
  const bare = (): string => dag.root.toString()

  it('makes what one of them knows as private private here, and no public way hears of it', async () => {
    trusted('denies')
    trusted('owner', { blocks: dag.blocks, class: 'private' })
    const { report } = await open(bare())
    assert.deepEqual([(await report).source.peer, ipfs.asked], ['owner', []])
    assert.equal(library.realms.own.records.count(), 1)
    assert.equal(library.realms.cache.blocks.usage().blocks, 0)
  })

  it('opens the public ways when all have said no', async () => {
    trusted('denies')
    const opening = open(bare())
    await clock.advance(200)
    const { report } = await opening
    assert.equal((await report).source.stage, 'ipfs')
    assert.deepEqual(peers.asked, ['have denies'], 'who said no is not asked again')
  })

  it('opens them after two seconds whoever is silent, and not earlier', async () => {
    trusted('silent', { behave: 'silent' })
    const opening = open(bare())
    await clock.advance(1_999)
    assert.deepEqual(ipfs.asked, [])
    await clock.advance(1_000)
    const { report } = await opening
    assert.equal((await report).source.stage, 'ipfs')
  })

  const noAnswers = {
    'refuses because it is busy': { behave: 'busy' },
    'hangs up': { behave: 'faulty' },
    'breaks off': { behave: 'cut' },
    'says nothing': { behave: 'silent' },
    'refuses to be dialled': { isConnected: false, isAsleep: true },
    'cannot be dialled': { isConnected: false, isLost: true }
  } as const satisfies Record<string, Parameters<FakePeers['add']>[1]>
  for (const [what, settings] of Object.entries(noAnswers)) {
    it(`waits two seconds for one that ${what}: that is no answer`, async () => {
      trusted('denies')
      trusted('mute', settings)
      const opening = open(bare())
      await clock.advance(1_999)
      assert.deepEqual(ipfs.asked, [])
      await clock.advance(20_000)
      assert.equal((await (await opening).report).source.stage, 'ipfs')
    })
  }

  it('asks one that gave no answer again, and hears that it has the content as private', async () => {
    for (const settings of [{ behave: 'busy' }, { isConnected: false, isAsleep: true }] as const) {
      library = memoryLibrary()
      trusted('owner', { blocks: dag.blocks, class: 'private', ...settings })
      const opening = open(bare())
      await clock.advance(400)
      peers.add('owner', { blocks: dag.blocks, class: 'private' })
      await clock.advance(1_500)
      assert.equal((await (await opening).report).source.peer, 'owner')
      assert.deepEqual([ipfs.asked, library.realms.own.records.count()], [[], 1])
    }
  })

  it('opens them at once when nobody is trusted', async () => {
    peers.add('stranger', { claim: 'no' })
    const opening = open(bare())
    await clock.advance(150)
    assert.equal((await (await opening).report).source.stage, 'ipfs')
  })

  it('dials those that are not connected meanwhile', async () => {
    trusted('away', { isConnected: false, blocks: dag.blocks, class: 'private' })
    assert.equal((await (await open(bare())).report).source.peer, 'away')
    assert.deepEqual([peers.asked.slice(0, 2), ipfs.asked], [['dial away', 'have away'], []])
  })

  it('waits for one that cannot be reached once in 30 s, unless it was connected meanwhile', async () => {
    for (const settings of [{ isLost: true }, { isAsleep: true }]) await waitsOnce(settings)
  })
  const waitsOnce = async (settings: Parameters<FakePeers['add']>[1]): Promise<void> => {
    trusted('lost', { isConnected: false, ...settings })
    ipfs = new FakeSource('ipfs')
    const { retriever } = parts()
    const dials = async (): Promise<number> => {
      peers.asked.length = 0
      const asking = retriever.askPeersFirst(dag.root, {})
      await clock.advance(2_000)
      const { notes, isPrivate } = await asking
      assert.deepEqual([notes.map(({ outcome }) => outcome), isPrivate], [['timeout'], false])
      return Math.min(1, peers.asked.length)
    }
    assert.deepEqual([await dials(), await dials()], [1, 0])
    const { ms } = await retriever.askPeersFirst(dag.root, {})
    assert.equal(ms, 0, 'nothing is waited for')
    await clock.advance(28_000)
    assert.deepEqual([await dials(), await dials()], [1, 0])
    peers.connects('lost')
    assert.equal(await dials(), 1)
  }

  it('takes what one of them has in public from there, into the cache', async () => {
    trusted('friend', { blocks: dag.blocks, class: 'public' })
    assert.equal((await (await open(bare())).report).source.peer, 'friend')
    assert.deepEqual([library.realms.cache.records.count(), library.realms.own.records.count()], [1, 0])
  })

  it('counts as part of the search', async () => {
    trusted('silent', { behave: 'silent' })
    ipfs.behave = 'silent'
    const failed = open(bare(), 'peers-first', 3).then(
      () => undefined,
      (error: unknown) => error
    )
    await clock.advance(2_999)
    assert.equal(ipfs.running, 1)
    await clock.advance(1)
    const error = await failed
    assert.ok(error instanceof KithError && error.code === 'NOT_FOUND')
    assert.match(error.message, /^nobody delivered within 3 s/)
    assert.equal(ipfs.running, 0)
  })

  it('asks nobody for addresses that say what they are, nor when the configuration does', async () => {
    trusted('denies', { claim: 'no' })
    const forms = [[`ipfs://${bare()}`], [bare(), 'public']] as const
    for (const [content, unknownCid] of forms) {
      peers.asked.length = 0
      library = memoryLibrary()
      const opening = open(content, unknownCid)
      const before = peers.asked.filter(each => each.startsWith('have')).length
      await clock.advance(200)
      await (
        await opening
      ).report
      assert.equal(before, 0, content)
    }
    library = memoryLibrary()
    await assert.rejects(open(bare(), 'private'), { code: 'NOT_FOUND' })
  })

  it('is shown by explain as what will be asked', async () => {
    peers.add('stranger', { claim: 'yes' })
    trusted('friend', { claim: 'no' })
    trusted('sleeper', { claim: 'no', isConnected: false })
    const route = routeServices(parts())
    const { privacy, stages, candidates } = await route.explain({ content: bare() }, {})
    const ipfsStage = stages.find(({ stage }) => stage === 'ipfs')
    assert.deepEqual([privacy.reason, ipfsStage?.reason, ipfsStage?.startsAfterMs, peers.asked], ['cid', 'peers-first', 2_150, []])
    assert.deepEqual(
      candidates.map(({ peer, stage, eligible, claim, reason }) => [peer ?? stage, eligible, claim, reason]),
      [
        ['sleeper', true, 'unknown', 'have-first'],
        ['friend', true, 'unknown', 'have-first'],
        ['stranger', true, 'yes', undefined],
        ['ipfs', true, 'unknown', undefined]
      ]
    )
    assert.equal((await route.best({ content: bare() }, {}))?.peer, 'sleeper')
  })

  it('is shown by explain for an address that says it is public too: a trusted peer is asked before the next stage', async () => {
    trusted('friend', { claim: 'no' })
    const route = routeServices(parts())
    const { candidates } = await route.explain({ content: `ipfs://${bare()}` }, {})
    assert.deepEqual(
      candidates.map(({ peer, stage, eligible, claim, reason }) => [peer ?? stage, eligible, claim, reason]),
      [
        ['friend', true, 'unknown', 'have-round'],
        ['ipfs', true, 'unknown', undefined]
      ]
    )
    assert.equal((await route.best({ content: `ipfs://${bare()}` }, {}))?.peer, 'friend')
  })
})
