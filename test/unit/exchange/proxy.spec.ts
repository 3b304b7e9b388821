import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { memoryRealmStore } from '../../../src/adapters/memory/memory-realm-store.ts'
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import { Library } from '../../../src/content/library.ts'
import { servingPolicy } from '../../../src/content/serving-policy.ts'
import type { DagAsk } from '../../../src/exchange/codec.ts'
import { FRAME } from '../../../src/exchange/protocol.ts'
import { ProxyQuota } from '../../../src/exchange/proxy-quota.ts'
import { Proxy, type ProxyInit } from '../../../src/exchange/proxy.ts'
import { sha256 } from '../../../src/model/sha256.ts'
import { MIB } from '../../../src/model/units.ts'
import type { StateStore } from '../../../src/ports/state-table.ts'
import { distinctBytes, fileDag, memoryLibrary, treeDag, type MadeDag } from '../../support/dag-builder.ts'
import { FakeIpfs } from '../../support/fake-ipfs.ts'
import { FakeStanding } from '../../support/fake-standing.ts'
import { frameTypes, rawExchange, reasonOf, requestBytes, type RawExchange } from '../../support/raw-exchange.ts'
import { silentLog } from '../../support/silent-log.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const FRIEND = 'friend'
const WHOLE = [FRAME.HEAD, FRAME.NODE, FRAME.LEAF, FRAME.LEAF, FRAME.LEAF, FRAME.END]

describe('fetching for others', () => {
  let library: Library
  let ipfs: FakeIpfs
  let standing: FakeStanding
  let state: StateStore
  let clock: VirtualClock
  let exchange: RawExchange
  let dag: MadeDag
  let requests = 0

  async function start(init: Partial<ProxyInit> = {}): Promise<void> {
    const quota = new ProxyQuota({ clock, state })
    await quota.open()
    const cache = library.realms.cache.blocks
    const proxy = new Proxy(
      { clock, log: silentLog, standing, quota, cache, askedAs: async root => await library.askedAs(root) },
      { serveMinTrust: 5, maxBytes: 100 * MIB, quotaBytesPerDay: 1024 * MIB, maxConcurrent: 4, ...init }
    )
    proxy.useIpfs(ipfs)
    const policy = servingPolicy({ library, standing, advert: () => null }, { serveFetched: 'trusted' })
    exchange = await rawExchange({ policy, standing, proxy, clock })
  }
  beforeEach(async () => {
    clock = new VirtualClock()
    library = memoryLibrary()
    ipfs = new FakeIpfs()
    state = memoryState()
    standing = new FakeStanding()
    standing.set(FRIEND, 5)
    dag = await fileDag(distinctBytes(3 * MIB))
    ipfs.add(dag)
    await start()
  })

  function newId(): Uint8Array {
    requests++
    return new Uint8Array(16).fill(requests)
  }
  async function ask(
    peer: string,
    root: CID,
    more: Partial<DagAsk> = {}
  ): Promise<{ types: number[]; bytes: Uint8Array; reason: string | undefined }> {
    const bytes = await exchange.ask(peer, { kind: 'dag', cid: root, hops: 1, requestId: newId(), ...more })
    return { types: frameTypes(bytes), bytes, reason: reasonOf(bytes) }
  }

  it('streams what it finds in IPFS, keeps it in the cache, and gives the next one from there', async () => {
    assert.deepEqual((await ask(FRIEND, dag.root)).types, WHOLE)
    assert.equal(library.realms.cache.blocks.usage().blocks, 4)
    assert.equal(library.realms.public.blocks.usage().blocks, 0)
    assert.deepEqual([ipfs.asked.length, ipfs.closed], [4, 1])
    assert.deepEqual((await ask(FRIEND, dag.root)).types, WHOLE)
    assert.equal(ipfs.asked.length, 4, 'nothing was fetched twice')
  })

  it('fetches one block below a root that is not here, as who follows a path asks for it', async () => {
    const folder = await treeDag([7, 8].map(n => ({ path: `f/${n}`, content: distinctBytes(3 * MIB, n) })))
    ipfs.add(folder)
    const block = async (peer: string, root: CID, cids: CID[]): Promise<Uint8Array> =>
      await exchange.ask(peer, { kind: 'blocks', root, cids, hops: 1, requestId: newId() })
    assert.deepEqual(frameTypes(await block(FRIEND, folder.root, [folder.root])), [FRAME.BLOCK, FRAME.END])
    const file = [...folder.blocks.values()].find(({ cid }) => cid.code === folder.root.code && !cid.equals(folder.root))
    assert.ok(file !== undefined)
    assert.deepEqual(frameTypes(await block(FRIEND, folder.root, [file.cid])), [FRAME.BLOCK, FRAME.END])
    assert.equal(ipfs.asked.length, 2, 'nothing else was fetched')
    assert.equal(reasonOf(await block('stranger', folder.root, [dag.root])), 'proxy.serveMinTrust')
    assert.deepEqual(
      frameTypes(await block(FRIEND, folder.root, [dag.root, folder.root])),
      [FRAME.BLOCK, FRAME.END],
      'several: what is here'
    )
    assert.equal(ipfs.asked.length, 2)
  })

  it('asks IPFS for no block that is known here as private, whatever root it is asked below', async () => {
    const secret = await fileDag(distinctBytes(10, 9))
    for (const block of secret.blocks.values()) await library.realms.own.blocks.put(block)
    await library.rememberPrivate([secret.root.multihash.bytes])
    standing.set(FRIEND, 5)
    await exchange.ask(FRIEND, { kind: 'blocks', root: dag.root, cids: [secret.root], hops: 1, requestId: newId() })
    assert.equal(
      ipfs.asked.some(cid => cid.equals(secret.root)),
      false
    )
  })

  it('asks nobody for a peer that does not say hops 1, or whose sources leave peers out', async () => {
    assert.deepEqual((await ask(FRIEND, dag.root, { hops: 0 })).types, [FRAME.END])
    assert.deepEqual((await ask(FRIEND, dag.root, { preferredSources: ['ipfs', 'gateway'] })).types, [FRAME.END])
    assert.equal(ipfs.opened, 0)
    assert.deepEqual((await ask(FRIEND, dag.root, { preferredSources: ['peer'] })).types, WHOLE)
  })

  it('starts nothing for who has no right to it, and says so alike for all contents', async () => {
    const secret = await fileDag(distinctBytes(3 * MIB, 9))
    for (const block of secret.blocks.values()) await library.realms.own.blocks.put(block)
    const answer = await ask('stranger', dag.root)
    assert.equal(answer.reason, 'proxy.serveMinTrust')
    assert.deepEqual((await ask('stranger', secret.root)).bytes, answer.bytes)
    standing.set('low', 4)
    assert.equal((await ask('low', dag.root)).reason, 'proxy.serveMinTrust')
    standing.set('bad', 9)
    standing.shun('bad')
    assert.equal((await ask('bad', dag.root)).reason, 'proxy.serveMinTrust')
    assert.equal(ipfs.opened, 0)
  })

  it('names the limit when there is no IPFS, or too much is under way', async () => {
    ipfs.reason = 'unhealthy'
    assert.equal((await ask(FRIEND, dag.root)).reason, 'ipfs')
    ipfs.reason = undefined
    await start({ maxConcurrent: 0 })
    assert.equal((await ask(FRIEND, dag.root)).reason, 'proxy.maxConcurrent')
    assert.equal(ipfs.opened, 0)
  })

  it('refuses a file that says it is too large before its second block, and a folder when it has become so', async () => {
    await start({ maxBytes: 2 * MIB })
    const answer = await ask(FRIEND, dag.root)
    assert.deepEqual([answer.types, answer.reason], [[FRAME.END], 'proxy.maxBytes'])
    assert.equal(ipfs.asked.length, 1)
    const folder = await treeDag([1, 2, 3, 4, 5].map(n => ({ path: `f/${n}`, content: distinctBytes(MIB, n) })))
    ipfs.add(folder)
    const part = await ask(FRIEND, folder.root)
    assert.deepEqual([part.types.at(0), part.reason], [FRAME.HEAD, 'proxy.maxBytes'])
    assert.ok(part.types.filter(type => type === FRAME.LEAF).length <= 3)
  })

  it('fetches so much a day for a peer, counts it through a restart, and begins anew the next day', async () => {
    await start({ quotaBytesPerDay: 2 * MIB })
    const answer = await ask(FRIEND, dag.root)
    assert.equal(answer.reason, 'proxy.quotaBytesPerDay')
    assert.equal(answer.types.at(-2), FRAME.LEAF, 'what was within it came')
    await start({ quotaBytesPerDay: 2 * MIB })
    const other = await fileDag(distinctBytes(10, 4))
    ipfs.add(other)
    assert.deepEqual((await ask(FRIEND, other.root)).reason, 'proxy.quotaBytesPerDay')
    standing.set('another', 5)
    assert.deepEqual((await ask('another', other.root)).types, [FRAME.HEAD, FRAME.LEAF, FRAME.END])
    await clock.advance(86_400_000)
    const third = await fileDag(distinctBytes(10, 5))
    ipfs.add(third)
    assert.deepEqual((await ask(FRIEND, third.root)).types, [FRAME.HEAD, FRAME.LEAF, FRAME.END])
  })

  it('counts for the whole reserve after a crash, never for less than was fetched', async () => {
    const quota = new ProxyQuota({ clock, state })
    await quota.book(FRIEND, 5 * MIB)
    const after = new ProxyQuota({ clock, state })
    assert.ok(after.usedToday(FRIEND) >= 5 * MIB)
    quota.settle(FRIEND)
    assert.equal(new ProxyQuota({ clock, state }).usedToday(FRIEND), 5 * MIB)
  })

  it('serves one request once in 300 seconds, so that none goes in circles', async () => {
    const requestId = newId()
    const missing = (await fileDag(distinctBytes(10, 6))).root
    assert.deepEqual((await ask(FRIEND, missing, { requestId })).types, [FRAME.END])
    assert.equal((await ask(FRIEND, missing, { requestId })).reason, 'requestId')
    assert.equal(ipfs.opened, 1)
    await clock.advance(300_000)
    assert.equal((await ask(FRIEND, missing, { requestId })).reason, undefined)
    assert.equal(ipfs.opened, 2)
  })

  it('looks for what is known as private like for what does not exist, and IPFS never hears of it', async () => {
    standing.set('half', 4)
    await start({ serveMinTrust: 3 })
    const bytes = distinctBytes(3 * MIB, 9)
    const secret = await fileDag(bytes)
    ipfs.add(secret) // somebody else made it public
    for (const block of secret.blocks.values()) await library.realms.own.blocks.put(block)
    const gone = await fileDag(distinctBytes(3 * MIB, 10))
    ipfs.add(gone)
    await library.rememberPrivate([gone.root.multihash.bytes])
    const missing = await fileDag(distinctBytes(3 * MIB, 11))
    const absent = await ask('half', missing.root)
    for (const { root } of [secret, gone]) assert.deepEqual((await ask('half', root)).bytes, absent.bytes)
    const heard = ipfs.asked.map(String)
    assert.equal(heard.length, 3, 'each was looked for')
    assert.ok(!heard.includes(String(secret.root)) && !heard.includes(String(gone.root)))
    assert.equal(new Set(heard).size, 3)
  })

  it('gives nothing of what is private here to who asks with hops 1, be it its own: it would be taken for public', async () => {
    const bytes = distinctBytes(3 * MIB, 9)
    const secret = await fileDag(bytes)
    for (const block of secret.blocks.values()) await library.realms.own.blocks.put(block)
    const { root } = secret
    const leaf = [...secret.blocks.values()].find(({ cid }) => !cid.equals(root)) ?? assert.fail()
    const hashed = { cid: null, sha256: sha256(bytes) }
    const facts = { root, sha256: hashed.sha256, size: bytes.byteLength, blocks: 4, createdAt: 1, lastAccess: 1 }
    await library.realms.own.records.put({ ...facts, kind: 'file', pinned: true })
    assert.deepEqual((await ask(FRIEND, root, { hops: 0 })).types, WHOLE, 'who asks this node itself gets it')
    const missing = await fileDag(distinctBytes(3 * MIB, 11))
    assert.deepEqual((await ask(FRIEND, root)).bytes, (await ask(FRIEND, missing.root)).bytes)
    for (const named of [hashed, { preferredSources: ['ipfs' as const] }, { hops: 0 as const, isPublic: true }])
      assert.deepEqual((await ask(FRIEND, root, named)).types, [FRAME.END])
    const blocks = async (...cids: CID[]): Promise<Uint8Array> =>
      await exchange.ask(FRIEND, { kind: 'blocks', root, cids, hops: 1, requestId: newId() })
    for (const cids of [[leaf.cid], [root], [leaf.cid, root]]) assert.deepEqual(frameTypes(await blocks(...cids)), [FRAME.END])
    for (const block of secret.blocks.values()) await library.realms.cache.blocks.put(block)
    assert.deepEqual((await ask(FRIEND, root)).types, [FRAME.END], 'nor when the cache has the same blocks')
  })

  it('does not tell who may not see the cache what is in it', async () => {
    standing.set('half', 4)
    await start({ serveMinTrust: 3 })
    for (const block of dag.blocks.values()) await library.realms.cache.blocks.put(block)
    assert.deepEqual((await ask('half', dag.root)).types, WHOLE)
    assert.equal(ipfs.asked.length, 4, 'it was fetched as if it were not here')
  })

  it('brings what is missing of a content that is here in part', async () => {
    const [root] = [...dag.blocks.values()].filter(({ cid }) => cid.equals(dag.root))
    assert.ok(root !== undefined)
    await library.realms.public.blocks.put(root)
    assert.deepEqual((await ask(FRIEND, dag.root)).types, WHOLE)
    assert.equal(ipfs.asked.length, 3)
  })

  it('passes no wrong byte on, stores none, and tells IPFS', async () => {
    const leaf = [...dag.blocks.values()].find(({ cid }) => !cid.equals(dag.root))
    assert.ok(leaf !== undefined)
    ipfs.replace(leaf.cid, distinctBytes(100, 3))
    const { types } = await ask(FRIEND, dag.root)
    assert.equal(types.filter(type => type === FRAME.LEAF).length, 2)
    assert.deepEqual(ipfs.reports, ['corrupt'])
    assert.equal(await library.realms.cache.blocks.has(leaf.cid), false)
  })

  it('serves on when the cache is full', async () => {
    const { public: open, own } = library.realms
    library = new Library({ realms: { public: open, own, cache: memoryRealmStore({ maxBytes: MIB }) }, keyedDigest: sha256 })
    await start()
    assert.deepEqual((await ask(FRIEND, dag.root)).types, WHOLE)
  })

  it('gives up the search when the time of the request is used up, and frees its place', async () => {
    await start({ maxConcurrent: 1 })
    ipfs.gate = async signal => {
      await new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
    }
    const asking = ask(FRIEND, dag.root, { ttl: 7 })
    await clock.advance(7_000)
    assert.deepEqual((await asking).types, [FRAME.END])
    ipfs.gate = async () => {}
    assert.deepEqual((await ask(FRIEND, dag.root)).types, WHOLE)
  })

  it('stops when the asker leaves: what is fetched is at most a block more than was taken', async () => {
    const large = await fileDag(distinctBytes(24 * MIB, 7))
    ipfs.add(large)
    const stream = exchange.open(FRIEND)
    const left = Promise.withResolvers<never>()
    const enough = Promise.withResolvers<void>()
    let taken = 0
    stream.pace = async bytes => {
      taken += bytes
      if (taken <= 10 * MIB) return
      enough.resolve()
      await left.promise
    }
    stream.say(requestBytes({ kind: 'dag', cid: large.root, hops: 1 }))
    await enough.promise
    left.reject(new Error('gone'))
    stream.abort(new Error('the asker left'))
    const fetched = ipfs.bytes
    await clock.advance(1_000)
    assert.equal(ipfs.bytes, fetched, 'nothing is fetched any more')
    assert.ok(fetched / taken <= 1.2, `${fetched / taken}`)
    assert.equal(ipfs.closed, ipfs.opened)
  })
})
