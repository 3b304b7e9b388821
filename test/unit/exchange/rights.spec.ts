import assert from 'node:assert/strict'
import { memoryRealmStore } from '../../../src/adapters/memory/memory-realm-store.ts'
import { Library } from '../../../src/content/library.ts'
import { servingPolicy } from '../../../src/content/serving-policy.ts'
import { decodeHave } from '../../../src/exchange/codec.ts'
import { FrameReader } from '../../../src/exchange/frames.ts'
import { answerLimit } from '../../../src/exchange/limits.ts'
import { FRAME } from '../../../src/exchange/protocol.ts'
import { rawCid } from '../../../src/model/content-id.ts'
import type { Realm } from '../../../src/model/privacy.ts'
import { sha256 } from '../../../src/model/sha256.ts'
import { MIB } from '../../../src/model/units.ts'
import type { HaveAnswer } from '../../../src/ports/exchange.ts'
import type { Shares } from '../../../src/ports/serving.ts'
import { countingRealm } from '../../support/counting-realm.ts'
import { distinctBytes, fileDag, treeDag, type MadeDag } from '../../support/dag-builder.ts'
import { FakeStanding } from '../../support/fake-standing.ts'
import { frameTypes, rawExchange, requestBytes, type RawExchange } from '../../support/raw-exchange.ts'

const STRANGER = 'stranger'
const FRIEND = 'friend'
const GUEST = 'guest'

describe('rights before look-up', () => {
  let looks: string[]
  let library: Library
  let standing: FakeStanding
  let given: MadeDag[]
  let exchange: RawExchange
  const shares: Shares = {
    mayHave: (peer, root) => shares.grantsOf(peer).some(granted => granted.equals(root)),
    grantsOf: peer => (peer === GUEST ? given.map(({ root }) => root) : [])
  }

  async function start(serveFetched: 'trusted' | 'anyone' = 'trusted'): Promise<void> {
    looks = []
    given = []
    const realm = (name: Realm) => countingRealm(name, memoryRealmStore(), looks)
    library = new Library({ realms: { public: realm('public'), cache: realm('cache'), own: realm('own') }, keyedDigest: bytes => bytes })
    standing = new FakeStanding()
    standing.set(FRIEND, 5)
    exchange = await rawExchange({
      policy: servingPolicy({ library, standing, shares, advert: () => Uint8Array.of(1) }, { serveFetched }),
      standing
    })
  }
  beforeEach(async () => {
    await start()
  })

  async function add(realm: Realm, bytes: Uint8Array, name = 'secret.bin'): Promise<MadeDag> {
    const dag = await fileDag(bytes)
    await store(realm, dag)
    await library.realms[realm].records.put({
      root: dag.root,
      kind: 'file',
      sha256: sha256(bytes),
      size: bytes.byteLength,
      blocks: dag.blocks.size,
      name,
      createdAt: 1,
      lastAccess: 1,
      pinned: true
    })
    looks.length = 0
    return dag
  }
  async function store(realm: Realm, dag: MadeDag): Promise<void> {
    for (const block of dag.blocks.values()) await library.realms[realm].blocks.put(block)
  }
  async function have(peer: string, ...hashes: Uint8Array[]): Promise<HaveAnswer[]> {
    return readHave(await exchange.ask(peer, { kind: 'have', multihashes: hashes }), hashes.length)
  }
  async function types(peer: string, dag: MadeDag): Promise<number[]> {
    return frameTypes(await exchange.ask(peer, { kind: 'dag', cid: dag.root }))
  }

  it('answers a stranger who asks for what is private exactly as for what does not exist, by the same looks', async () => {
    const bytes = distinctBytes(3 * MIB)
    const { root } = await add('own', bytes)
    const nowhere = distinctBytes(3 * MIB, 2)
    const { root: missing } = await fileDag(nowhere)
    const asks = [
      [
        { kind: 'dag', cid: root },
        { kind: 'dag', cid: missing }
      ],
      [
        { kind: 'dag', sha256: sha256(bytes) },
        { kind: 'dag', sha256: sha256(nowhere) }
      ],
      [
        { kind: 'dag', cid: root, hops: 1 },
        { kind: 'dag', cid: missing, hops: 1 }
      ],
      [
        { kind: 'blocks', root, cids: [root] },
        { kind: 'blocks', root: missing, cids: [missing] }
      ],
      [
        { kind: 'have', multihashes: [root.multihash.bytes, rawCid(sha256(bytes)).multihash.bytes] },
        { kind: 'have', multihashes: [missing.multihash.bytes, rawCid(sha256(nowhere)).multihash.bytes] }
      ]
    ] as const
    for (const [hidden, absent] of asks) {
      looks.length = 0
      const one = await exchange.ask(STRANGER, hidden)
      const looksAtHidden = looks.splice(0)
      const other = await exchange.ask(STRANGER, absent)
      assert.deepEqual(one, other, hidden.kind)
      assert.deepEqual(looksAtHidden, looks, hidden.kind)
      assert.ok(looks.length > 0 && looks.every(look => look.startsWith('public ')), looks.join(', '))
    }
  })

  it('serves strangers what is public, trusted peers also what was fetched and what is their own', async () => {
    const open = await add('public', distinctBytes(10, 1))
    const fetched = await add('cache', distinctBytes(10, 2))
    const own = await add('own', distinctBytes(10, 3))
    const served = [FRAME.HEAD, FRAME.LEAF, FRAME.END]
    for (const [peer, dag, expected] of [
      [STRANGER, open, served],
      [STRANGER, fetched, [FRAME.END]],
      [STRANGER, own, [FRAME.END]],
      [FRIEND, open, served],
      [FRIEND, fetched, served],
      [FRIEND, own, served]
    ] as const)
      assert.deepEqual(await types(peer, dag), expected, `${peer} ${dag.root.toString()}`)
  })

  it('serves what was fetched to anyone if the operator says so', async () => {
    await start('anyone')
    const fetched = await add('cache', distinctBytes(10, 2))
    assert.deepEqual(await types(STRANGER, fetched), [FRAME.HEAD, FRAME.LEAF, FRAME.END])
  })

  it('says with `have` how a content is held: by its record, else by where its block lies', async () => {
    const own = await add('own', distinctBytes(2 * MIB, 3))
    const open = await add('public', distinctBytes(10, 1))
    const bare = await fileDag(distinctBytes(10, 4))
    await store('own', bare)
    const [first, second, third] = await have(FRIEND, ...[own, open, bare].map(({ root }) => root.multihash.bytes))
    assert.deepEqual([first?.class, second?.class, third?.class], ['private', 'public', 'private'])
    assert.equal((await have(STRANGER, own.root.multihash.bytes))[0]?.have, false)
  })

  it('takes a request below a root by the rights for that root, and for no other', async () => {
    const folders = await Promise.all(
      [1, 2].map(async seed => await treeDag([1, 2].map(n => ({ path: `f/${n}`, content: distinctBytes(3 * MIB, 10 * seed + n) }))))
    )
    for (const folder of folders) await store('own', folder)
    const [first, second] = folders
    assert.ok(first !== undefined && second !== undefined)
    const file = [...first.blocks.values()].find(({ cid }) => cid.code === first.root.code && !cid.equals(first.root))?.cid
    assert.ok(file !== undefined)
    const below = async (peer: string, root: MadeDag): Promise<number> =>
      frameTypes(await exchange.ask(peer, { kind: 'dag', cid: file, root: root.root })).length
    given = [first, second]
    assert.deepEqual([await below(GUEST, first), await below(GUEST, second), await below(STRANGER, first)], [6, 1, 1])
    looks.length = 0
    assert.equal(frameTypes(await exchange.ask(GUEST, { kind: 'blocks', root: second.root, cids: [file] })).length, 1)
    given = [second]
    assert.deepEqual([await below(GUEST, first), await below(FRIEND, second)], [1, 6], 'a trusted peer sees all')
  })

  it('gives who is shunned nothing at all, as if it did not exist', async () => {
    const open = await add('public', distinctBytes(10, 1))
    const { root: missing } = await fileDag(distinctBytes(10, 9))
    standing.shun(STRANGER)
    const refused = await exchange.ask(STRANGER, { kind: 'dag', cid: open.root })
    assert.deepEqual(refused, await exchange.ask('another', { kind: 'dag', cid: missing }))
    assert.deepEqual(await have(STRANGER, open.root.multihash.bytes), [{ have: false }])
    assert.deepEqual(frameTypes(await exchange.ask(STRANGER, { kind: 'advert' })), [FRAME.END])
  })

  it('gives a guest the blocks below the root it was given, by root and by hash, and nothing else of that realm', async () => {
    const bytes = distinctBytes(3 * MIB, 5)
    const shared = await add('own', bytes)
    const other = await add('own', distinctBytes(10, 6))
    given = [shared]
    assert.deepEqual(await types(GUEST, shared), [FRAME.HEAD, FRAME.NODE, FRAME.LEAF, FRAME.LEAF, FRAME.LEAF, FRAME.END])
    assert.equal(frameTypes(await exchange.ask(GUEST, { kind: 'dag', sha256: sha256(bytes) })).length, 6)
    assert.deepEqual(await types(GUEST, other), [FRAME.END])
    const cids = [...shared.blocks.values(), ...other.blocks.values()].map(({ cid }) => cid)
    const blocks = frameTypes(await exchange.ask(GUEST, { kind: 'blocks', root: shared.root, cids }))
    assert.deepEqual(blocks, [FRAME.BLOCK, FRAME.BLOCK, FRAME.BLOCK, FRAME.BLOCK, FRAME.END])
    const answers = await have(GUEST, shared.root.multihash.bytes, other.root.multihash.bytes)
    assert.deepEqual(
      answers.map(answer => [answer.have, answer.class]),
      [
        [true, 'private'],
        [false, undefined]
      ]
    )
  })

  it('answers a guest alike for what it was not given and for what does not exist', async () => {
    const shared = await add('own', distinctBytes(3 * MIB, 5))
    const other = await add('own', distinctBytes(3 * MIB, 6))
    const missing = await fileDag(distinctBytes(3 * MIB, 7))
    given = [shared]
    await types(GUEST, shared)
    looks.length = 0
    const hidden = await exchange.ask(GUEST, { kind: 'dag', cid: other.root })
    const looksAtHidden = looks.splice(0)
    assert.deepEqual(hidden, await exchange.ask(GUEST, { kind: 'dag', cid: missing.root }))
    assert.deepEqual(looksAtHidden.filter(look => look.startsWith('own')).length, looks.filter(look => look.startsWith('own')).length)
  })

  it('gives a guest a part below its root, but not the name under which that part is recorded on its own', async () => {
    const part = distinctBytes(10, 8)
    const shared = await treeDag([
      { path: 'folder/a.bin', content: part },
      { path: 'folder/b.bin', content: distinctBytes(2 * MIB, 9) }
    ])
    await store('own', shared)
    const alone = await add('own', part, 'hidden-name.bin')
    given = [shared]
    const answer = await exchange.ask(GUEST, { kind: 'dag', cid: alone.root })
    assert.deepEqual(frameTypes(answer), [FRAME.HEAD, FRAME.LEAF, FRAME.END])
    assert.equal(Buffer.from(answer).includes('hidden-name'), false)
  })

  it('stops giving when a grant ends, in the middle of an answer', async () => {
    const shared = await add('own', distinctBytes(4 * MIB, 5))
    given = [shared]
    const stream = exchange.open(GUEST)
    stream.pace = async () => {
      given = []
    }
    const answered = stream.answer()
    stream.say(requestBytes({ kind: 'dag', cid: shared.root }))
    assert.ok(frameTypes(await answered).filter(type => type === FRAME.LEAF).length < 4)
  })

  it('takes rights anew for each request, and ends an answer under way when they shrink', async () => {
    const own = await add('own', distinctBytes(8 * MIB, 3))
    const stream = exchange.open(FRIEND)
    const taken = Promise.withResolvers<void>()
    stream.pace = async () => {
      await taken.promise
    }
    const answered = stream.answer()
    stream.say(requestBytes({ kind: 'dag', cid: own.root }))
    await stream.change()
    standing.set(FRIEND, 4)
    await assert.rejects(answered)
    assert.match(String(stream.aborted?.message), /rights/)
    assert.deepEqual(standing.reports, [], 'nobody is blamed')
    assert.deepEqual(await types(FRIEND, own), [FRAME.END])
    taken.resolve()
  })

  it('goes on with an answer when rights grow', async () => {
    const open = await add('public', distinctBytes(2 * MIB, 3))
    const stream = exchange.open(STRANGER)
    const answered = stream.answer()
    stream.say(requestBytes({ kind: 'dag', cid: open.root }))
    await stream.change()
    standing.set(STRANGER, 9)
    assert.equal(frameTypes(await answered).at(-1), FRAME.END)
  })

  it('does not let a stranger see by a skeleton that somebody with rights has walked it', async () => {
    const dag = await add('own', distinctBytes(3 * MIB, 3))
    const root = [...dag.blocks.values()].find(({ cid }) => cid.equals(dag.root))
    assert.ok(root !== undefined)
    await library.realms.public.blocks.put(root) // the root happens to be public, its leaves are not
    const before = await exchange.ask(STRANGER, { kind: 'dag', cid: dag.root })
    await types(FRIEND, dag)
    assert.deepEqual(await exchange.ask(STRANGER, { kind: 'dag', cid: dag.root }), before)
  })
})

function readHave(bytes: Uint8Array, count: number): HaveAnswer[] {
  const reader = new FrameReader(answerLimit)
  reader.push(bytes)
  const frame = reader.next()
  assert.equal(frame?.type, FRAME.HAVE)
  return frame === undefined ? [] : decodeHave(frame.payload, count)
}
