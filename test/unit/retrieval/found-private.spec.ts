/** What a trusted peer has as private is private here, whatever the address or the request says, and whenever it says so. */
import assert from 'node:assert/strict'
import type { Library } from '../../../src/content/library.ts'
import { KithError } from '../../../src/errors.ts'
import { hex } from '../../../src/model/content-id.ts'
import { sha256 } from '../../../src/model/sha256.ts'
import type { Attempt } from '../../../src/model/source.ts'
import { Classifier, type ClassifierInit } from '../../../src/retrieval/classify.ts'
import { ContentAccess, readOpened } from '../../../src/services/content-access.ts'
import type { GetParams } from '../../../src/rpc/services.ts'
import { distinctBytes, fileDag, memoryLibrary, treeDag, type MadeDag } from '../../support/dag-builder.ts'
import { FakeStanding } from '../../support/fake-standing.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { FakePeers, type FakePeer } from './fake-peers.ts'
import { FakeSource, makeRetriever } from './retriever-support.ts'

const MIB = 1_048_576

describe('Content that a trusted peer has as private', () => {
  const bytes = distinctBytes(2 * MIB + 1)
  let dag: MadeDag
  let clock: VirtualClock
  let library: Library
  let peers: FakePeers
  let standing: FakeStanding
  let ipfs: FakeSource
  before(async () => {
    dag = await fileDag(bytes)
  })
  beforeEach(() => {
    clock = new VirtualClock()
    library = memoryLibrary()
    peers = new FakePeers()
    standing = new FakeStanding()
    ipfs = new FakeSource('ipfs')
  })

  const owner = (settings: Partial<FakePeer> = {}): FakePeer => {
    standing.set('owner', 5)
    return peers.add('owner', { blocks: dag.blocks, class: 'private', hasIpfs: true, claim: 'no', ...settings })
  }
  const makeAccess = (unknownCid: ClassifierInit['unknownCid'] = 'peers-first'): { access: ContentAccess; classifier: Classifier } => {
    const { network, exchange, directory, reach } = peers
    const retriever = makeRetriever({ library, clock, ipfs, standing, network, exchange, directory, reach })
    const classifier = new Classifier({ library }, { unknown: 'private', unknownCid })
    return { access: new ContentAccess({ library, retriever, classifier, clock }, { unconfirmedBytes: MIB, maxFileSize: 0 }), classifier }
  }
  const get = async (params: GetParams, access: ContentAccess): Promise<Buffer> => {
    const opened = await access.open(params, { kind: 'all' }, {})
    await opened.report
    return Buffer.concat(await Array.fromAsync(readOpened(opened, { offset: 0 }, {})))
  }
  const assertPrivate = async (): Promise<void> => {
    const { own, cache, public: open } = library.realms
    assert.deepEqual([own.records.count(), cache.records.count(), open.records.count()], [1, 0, 0])
    assert.deepEqual([cache.blocks.usage().blocks, open.blocks.usage().blocks], [0, 0])
    assert.equal(library.wasPrivate(dag.root.multihash.bytes), true)
    assert.equal(
      peers.asked.some(each => each.startsWith('proxy')),
      false
    )
    assert.deepEqual(ipfs.asked, [])
  }

  for (const claim of ['yes', 'no', 'unknown'] as const) {
    for (const [what, params, unknownCid] of [
      ['by ipfs://', (cid: string) => ({ content: `ipfs://${cid}` }), 'peers-first'],
      ['said to be public', (cid: string) => ({ content: cid, metadata: { privacy: 'public' } }), 'peers-first'],
      ['by a bare address where those are public', (cid: string) => ({ content: cid }), 'public'],
      ['without hops, of peers alone', (cid: string) => ({ content: `ipfs://${cid}`, hops: 0, preferredSources: ['peer'] }), 'peers-first']
    ] as const satisfies [string, (cid: string) => GetParams, ClassifierInit['unknownCid']][]) {
      it(`is fetched and kept as private when asked for ${what} (its advert says ${claim})`, async () => {
        owner({ claim })
        const { access, classifier } = makeAccess(unknownCid)
        const asked = params(dag.root.toString())
        assert.deepEqual(await get(asked, access), Buffer.from(bytes))
        await assertPrivate()
        assert.equal((await classifier.classify({ form: 'ipfs', cid: dag.root, sha256: null, path: [] })).public, false)
      })
    }
  }

  it('is private by its hash too, though the request says it is public', async () => {
    const small = distinctBytes(1000)
    owner({ blocks: (await fileDag(small)).blocks, claim: 'no' })
    const { access } = makeAccess()
    assert.deepEqual(await get({ content: `sha256:${hex(sha256(small))}`, metadata: { privacy: 'public' } }, access), Buffer.from(small))
    const { own, cache } = library.realms
    assert.deepEqual([own.records.count(), cache.records.count(), cache.blocks.usage().blocks, ipfs.asked], [1, 0, 0, []])
  })

  it('is private once its owner answers again, though public ways were open by then', async () => {
    const peer = owner({ behave: 'silent' })
    ipfs.behave = 'silent'
    const { access } = makeAccess()
    const getting = get({ content: dag.root.toString() }, access)
    await clock.advance(2_500)
    assert.notDeepEqual(ipfs.asked, [], 'two seconds were over')
    ipfs.asked.length = 0
    peer.behave = 'honest'
    peers.resume('owner')
    assert.deepEqual(await getting, Buffer.from(bytes))
    await assertPrivate()
  })

  it('moves what had come from a public way where private content is kept, and goes on from there', async () => {
    const peer = owner({ behave: 'silent', claim: 'unknown' })
    const [leaf] = dag.blocks.values()
    ipfs = new FakeSource(
      'ipfs',
      [...dag.blocks.values()].filter(block => block !== leaf)
    )
    const { access } = makeAccess('public')
    const getting = get({ content: dag.root.toString() }, access)
    await clock.advance(150)
    assert.notEqual(library.realms.cache.blocks.usage().blocks, 0)
    peer.behave = 'honest'
    await clock.advance(12_000)
    ipfs.asked.length = 0
    assert.deepEqual(await getting, Buffer.from(bytes))
    await assertPrivate()
  })

  it('stays private when its owner goes before the first byte', async () => {
    owner({ behave: 'refusing' })
    const { access, classifier } = makeAccess()
    const error = await get({ content: `ipfs://${dag.root.toString()}` }, access).then(
      () => undefined,
      (failure: unknown) => failure
    )
    assert.equal(error instanceof KithError && error.code, 'NOT_FOUND')
    const attempts = error instanceof KithError ? (error.data['attempts'] as Attempt[]) : []
    assert.equal(
      attempts.some(({ peer }) => peer === 'owner'),
      true,
      'it is told who was asked'
    )
    assert.deepEqual(ipfs.asked, [])
    assert.equal((await classifier.classify({ form: 'ipfs', cid: dag.root, sha256: null, path: [] })).reason, 'local-record')
  })

  it('is not fetched by a proxy that has it as private, though that is not trusted', async () => {
    peers.add('helper', { blocks: dag.blocks, class: 'private', hasIpfs: true, claim: 'no' })
    standing.set('helper', 5)
    standing.isTrusted = () => false
    ipfs = new FakeSource('ipfs')
    const { access } = makeAccess()
    await assert.rejects(get({ content: `ipfs://${dag.root.toString()}` }, access), { code: 'NOT_FOUND' })
    assert.equal(peers.asked.includes('proxy helper'), false)
  })

  it('below a folder is private with it', async () => {
    const tree = await treeDag([{ path: 'top/inner/file', content: [bytes] }])
    owner({ blocks: new Map([...tree.blocks, ...dag.blocks]) })
    const { access } = makeAccess()
    assert.deepEqual(await get({ content: `ipfs://${tree.root.toString()}/inner/file` }, access), Buffer.from(bytes))
    assert.equal(library.realms.cache.blocks.usage().blocks, 0)
    assert.equal(library.wasPrivate(tree.root.multihash.bytes), true)
  })

  it('is still taken as public from who has it in public', async () => {
    owner({ class: 'public' })
    const { access } = makeAccess()
    assert.deepEqual(await get({ content: `ipfs://${dag.root.toString()}` }, access), Buffer.from(bytes))
    assert.deepEqual([library.realms.cache.records.count(), library.realms.own.records.count()], [1, 0])
  })
})
