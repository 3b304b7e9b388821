/** Private content: only peers one trusts hear of it, and what they give is kept where it stays private. */
import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import type { Library } from '../../../src/content/library.ts'
import { KithError } from '../../../src/errors.ts'
import type { Attempt } from '../../../src/model/source.ts'
import { Classifier } from '../../../src/retrieval/classify.ts'
import { ContentAccess, readOpened } from '../../../src/services/content-access.ts'
import { distinctBytes, fileDag, memoryLibrary, treeDag, type MadeDag } from '../../support/dag-builder.ts'
import { FakeStanding } from '../../support/fake-standing.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { FakePeers } from './fake-peers.ts'
import { FakeSource, isCode, makeRetriever, outcomes, type RetrieverSettings } from './retriever-support.ts'

const MIB = 1_048_576

describe('Private content', () => {
  const bytes = distinctBytes(2 * MIB + 1)
  let dag: MadeDag
  let clock: VirtualClock
  let library: Library
  let peers: FakePeers
  let standing: FakeStanding
  let ipfs: FakeSource
  let gateway: FakeSource

  before(async () => {
    dag = await fileDag(bytes)
  })
  beforeEach(() => {
    clock = new VirtualClock()
    library = memoryLibrary()
    peers = new FakePeers()
    standing = new FakeStanding()
    ;[ipfs, gateway] = [new FakeSource('ipfs', dag.blocks.values()), new FakeSource('gateway', dag.blocks.values())]
  })

  const accessWith = (more: Partial<RetrieverSettings> = {}): ContentAccess => {
    const retriever = makeRetriever({
      library,
      clock,
      ipfs,
      gateways: [gateway],
      standing,
      network: peers.network,
      exchange: peers.exchange,
      directory: peers.directory,
      reach: peers.reach,
      ...more
    })
    const classifier = new Classifier({ library }, { unknown: 'private', unknownCid: 'peers-first' })
    return new ContentAccess({ library, retriever, classifier, clock }, { unconfirmedBytes: MIB, maxFileSize: 0 })
  }
  const get = async (content: string, access = accessWith()): Promise<Buffer> => {
    const opened = await access.open({ content }, { kind: 'all' }, {})
    await opened.report
    return Buffer.concat(await Array.fromAsync(readOpened(opened, { offset: 0 }, {})))
  }
  const kith = (cid: CID): string => `kith://${cid.toString()}`
  const failure = async (promise: Promise<unknown>): Promise<KithError> => {
    try {
      await promise
    } catch (error) {
      if (error instanceof KithError) return error
      throw error
    }
    throw new Error('it was expected to fail')
  }

  it('comes from a trusted peer, and from nobody else however much he claims', async () => {
    peers.add('stranger', { claim: 'yes', blocks: dag.blocks })
    peers.add('friend', { blocks: dag.blocks, class: 'private' })
    standing.set('friend', 5)
    standing.set('stranger', 4.9)
    assert.deepEqual(await get(kith(dag.root)), Buffer.from(bytes))
    assert.deepEqual(peers.askedForContent, ['friend'])
    assert.deepEqual([ipfs.asked, gateway.asked], [[], []])
  })

  it('is asked of nobody when nobody is trusted, and says what to do', async () => {
    peers.add('stranger', { claim: 'yes', blocks: dag.blocks })
    const error = await failure(get(kith(dag.root)))
    assert.deepEqual([error.code, peers.asked, ipfs.asked, gateway.asked], ['NOT_FOUND', [], [], []])
    assert.deepEqual(outcomes(error.data['attempts'] as Attempt[]), [
      'peer skipped not-allowed',
      'ipfs skipped not-public',
      'gateway skipped not-public'
    ])
    assert.match(error.message, /kith join/)
    assert.match(error.message, /as ipfs:\/\/CID/, 'a request cannot loosen what kith:// says')
    assert.doesNotMatch(error.message, /--privacy public/)
  })

  it('that no trusted peer has says how many were asked and how many slept', async () => {
    peers.add('awake')
    peers.add('asleep', { isConnected: false, isAsleep: true })
    standing.set('awake', 5)
    standing.set('asleep', 9)
    const error = await failure(get(kith(dag.root)))
    assert.deepEqual([error.code, error.data['asked'], error.data['unreachable']], ['NOT_FOUND', 1, 1])
    assert.deepEqual(standing.reports, [], 'to sleep is no offence')
    assert.deepEqual([ipfs.asked, gateway.asked], [[], []])
  })

  it('is kept in realm own with a record, remembered, and nowhere in public', async () => {
    peers.add('friend', { blocks: dag.blocks })
    standing.set('friend', 5)
    await get(kith(dag.root))
    const { own, cache, public: open } = library.realms
    assert.equal(own.blocks.usage().blocks, dag.blocks.size)
    assert.equal(cache.blocks.usage().blocks + open.blocks.usage().blocks, 0)
    assert.deepEqual([own.records.count(), own.records.get(dag.root)?.size, own.records.get(dag.root)?.pinned], [1, bytes.length, false])
    assert.equal(library.wasPrivate(dag.root.multihash.bytes), true)
    assert.equal(await library.served(['public', 'cache']).has(dag.root), false)
    const asked = peers.asked.length
    assert.deepEqual(await get(dag.root.toString()), Buffer.from(bytes), 'and read from here the next time, by whatever address')
    assert.equal(peers.asked.length, asked)
  })

  it('that arrived in part is remembered as private before its first byte is stored', async () => {
    const [first] = dag.blocks.values()
    const some = new Map([...dag.blocks].slice(-1)) // the root alone
    peers.add('friend', { blocks: some })
    standing.set('friend', 5)
    const order: string[] = []
    const rememberPrivate = library.rememberPrivate.bind(library)
    library.rememberPrivate = async multihashes => {
      order.push('remembered')
      await rememberPrivate(multihashes)
    }
    const put = library.realms.own.blocks.put.bind(library.realms.own.blocks)
    library.realms.own.blocks.put = async (block, options) => {
      order.push('stored')
      return await put(block, options)
    }
    assert.notEqual((await failure(get(kith(dag.root)))).code, 'BUG')
    assert.deepEqual(order.slice(0, 2), ['remembered', 'stored'])
    assert.equal(first !== undefined && library.realms.own.records.count() === 0, true)
    const error = await failure(get(`ipfs://${dag.root.toString()}`))
    assert.equal(error.code === 'NOT_FOUND' || error.code === 'TIMEOUT', true)
    assert.deepEqual([ipfs.asked, gateway.asked], [[], []], 'its address opens no public way any more')
  })

  it('is asked of whom shared it, though he is not trusted', async () => {
    peers.add('sharer', { blocks: dag.blocks })
    peers.add('stranger', { blocks: dag.blocks })
    const access = accessWith({ sharedBy: root => (root.equals(dag.root) ? ['sharer'] : []) })
    assert.deepEqual(await get(kith(dag.root), access), Buffer.from(bytes))
    assert.deepEqual(peers.askedForContent, ['sharer'])
  })

  it('is asked of a trusted peer that is not connected once it was dialled', async () => {
    peers.add('friend', { isConnected: false, blocks: dag.blocks })
    standing.set('friend', 5)
    assert.deepEqual(await get(kith(dag.root)), Buffer.from(bytes))
    assert.equal(peers.asked[0], 'dial friend')
  })

  it('is asked of a trusted peer that has just connected once it said what it speaks', async () => {
    peers.add('friend', { isNew: true, blocks: dag.blocks })
    standing.set('friend', 100)
    assert.deepEqual(await get(kith(dag.root)), Buffer.from(bytes))
    assert.deepEqual(peers.asked.slice(0, 2), ['dial friend', 'dag friend'])
  })

  it('is asked of no peer that is shunned', async () => {
    peers.add('liar', { blocks: dag.blocks, claim: 'yes' })
    standing.set('liar', 9)
    standing.shun('liar')
    assert.equal((await failure(get(kith(dag.root)))).code, 'NOT_FOUND')
    assert.deepEqual(peers.asked, [])
  })

  it('with wrong bytes is taken from the next trusted peer, and the liar is reported', async () => {
    peers.add('liar', { blocks: dag.blocks, behave: 'wrong', claim: 'yes' })
    peers.add('friend', { blocks: dag.blocks })
    standing.set('liar', 9)
    standing.set('friend', 5)
    assert.deepEqual(await get(kith(dag.root)), Buffer.from(bytes))
    assert.deepEqual(standing.reports, [['liar', 'wrong-bytes']])
  })

  it('below a private folder is private too, and asked for under its root', async () => {
    const tree = await treeDag([{ path: 'top/inner/file', content: [bytes] }])
    const all = new Map([...tree.blocks, ...dag.blocks])
    peers.add('friend', { blocks: all })
    peers.add('stranger', { claim: 'yes', blocks: all })
    standing.set('friend', 5)
    assert.deepEqual(await get(`${kith(tree.root)}/inner/file`), Buffer.from(bytes))
    assert.deepEqual(peers.askedForContent, ['friend'])
    assert.equal(library.wasPrivate(tree.root.multihash.bytes), true)
    assert.deepEqual([ipfs.asked, gateway.asked], [[], []])
  })

  it('that loses a block on disk gets it back from a trusted peer', async () => {
    const friend = peers.add('friend', { blocks: dag.blocks })
    standing.set('friend', 5)
    await get(kith(dag.root))
    const leaf = [...dag.blocks.values()].find(({ cid }) => cid.code === 0x55)
    assert.ok(leaf !== undefined)
    await library.realms.own.blocks.delete(leaf.cid)
    assert.deepEqual(await get(kith(dag.root)), Buffer.from(bytes))
    assert.equal(await library.realms.own.blocks.has(leaf.cid), true)
    await library.realms.own.blocks.delete(leaf.cid)
    friend.isConnected = false
    friend.isAsleep = true
    assert.equal(isCode('INTEGRITY')(await failure(get(kith(dag.root)))), true)
    assert.deepEqual([ipfs.asked, gateway.asked], [[], []])
  })

  it('by content hash is found at a trusted peer', async () => {
    const { root, blocks } = await fileDag(distinctBytes(1000))
    peers.add('friend', { blocks })
    peers.add('stranger', { claim: 'yes', blocks })
    standing.set('friend', 5)
    assert.deepEqual(await get(Buffer.from(root.multihash.digest).toString('hex')), Buffer.from(distinctBytes(1000)))
    assert.deepEqual([...new Set(peers.asked.map(each => each.split(' ')[1]))], ['friend'])
    assert.equal(library.realms.own.records.count(), 1)
  })

  it('that was here in part in public is whole in realm own afterwards', async () => {
    const [some] = [...dag.blocks.values()].filter(({ cid }) => cid.code === 0x55)
    assert.ok(some !== undefined)
    await library.realms.cache.blocks.put(some)
    peers.add('friend', { blocks: dag.blocks })
    standing.set('friend', 5)
    await get(kith(dag.root))
    for (const { cid } of dag.blocks.values()) assert.equal(await library.realms.own.blocks.has(cid), true)
  })
})
