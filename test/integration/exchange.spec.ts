/** The exchange protocol between two real hosts. */
import assert from 'node:assert/strict'
import { encode as encodeNode, prepare } from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { EXCHANGE_PROTOCOL } from '../../src/exchange/protocol.ts'
import { verifyBlock } from '../../src/model/block.ts'
import { DAG_PB_CODEC, rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import { KIB, MIB } from '../../src/model/units.ts'
import { Collector, dagRequest, patterned, startExchange, type Exchange } from './exchange-support.ts'

describe('exchange between two hosts', () => {
  let signal: AbortSignal
  beforeEach(() => {
    signal = AbortSignal.timeout(50_000)
  })
  let exchange: Exchange
  let peer: string
  before(async () => {
    exchange = await startExchange()
    peer = exchange.server.self
  })
  after(async () => {
    await exchange.stop()
  })

  it('knows who speaks it', () => {
    assert.equal(exchange.ask.speaks(peer), true)
    assert.equal(exchange.ask.speaks('12D3KooWNobody'), false)
  })

  it('streams a file of many leaves: head, skeleton from the root, leaves in order', async () => {
    const bytes = patterned(3 * MIB + 17)
    const cid = await exchange.content.addFile(bytes, 'three.bin')
    const sink = new Collector()
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), sink, { signal }), 'ok')
    assert.deepEqual(
      sink.heads.map(head => ({ ...head, cid: head.cid.toString() })),
      [{ cid: cid.toString(), size: bytes.byteLength, contentType: 'application/octet-stream', name: 'three.bin' }]
    )
    assert.deepEqual(sink.nodeIndexes, [0])
    assert.deepEqual(sink.leafIndexes, [0, 1, 2, 3])
    assert.ok(sink.nodes.every(([, node]) => verifyBlock(cid, node)))
    assert.ok(Buffer.from(bytes).equals(sink.content))
  })

  it('sends a content of one block as one leaf', async () => {
    const bytes = patterned(1000)
    const cid = await exchange.content.addFile(bytes)
    const sink = new Collector()
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), sink, { signal }), 'ok')
    assert.deepEqual([sink.nodeIndexes, sink.leafIndexes], [[], [0]])
    assert.ok(Buffer.from(bytes).equals(sink.content))
  })

  it('finds a content by its hash, with and without a record', async () => {
    const large = patterned(2 * MIB)
    const root = await exchange.content.addFile(large)
    const small = patterned(500)
    exchange.content.put(verifyBlock(rawCid(sha256(small)), small))
    for (const [bytes, cid] of [
      [large, root],
      [small, rawCid(sha256(small))]
    ] as const) {
      const sink = new Collector()
      assert.equal(await exchange.ask.dag(peer, dagRequest({ sha256: sha256(bytes) }), sink, { signal }), 'ok')
      assert.equal(sink.heads[0]?.cid.toString(), cid.toString())
      assert.ok(Buffer.from(bytes).equals(sink.content))
    }
  })

  it('resumes: skips known nodes and sends only the leaves asked for', async () => {
    const cid = await exchange.content.import([{ content: patterned(400 * KIB) }], 256)
    const whole = new Collector()
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), whole, { signal }), 'ok')
    assert.equal(whole.leaves.length, 1600)
    assert.equal(whole.nodes.length, 3)
    for (let round = 0; round < 2; round++) {
      const sink = new Collector()
      const request = dagRequest({
        cid,
        skipNodes: 1,
        leaves: [
          [3, 2],
          [1000, 3],
          [1599, 50]
        ]
      })
      assert.equal(await exchange.ask.dag(peer, request, sink, { signal }), 'ok')
      assert.deepEqual(sink.nodeIndexes, [1, 2])
      assert.deepEqual(sink.leafIndexes, [3, 4, 1000, 1001, 1002, 1599])
      for (const [index, bytes] of sink.leaves) assert.deepEqual(bytes, whole.leaves[index]?.[1])
    }
  })

  it('sends the skeleton alone when no leaves are asked for', async () => {
    const cid = await exchange.content.import([{ content: patterned(8 * KIB) }], 1024)
    const sink = new Collector()
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid, leaves: [] }), sink, { signal }), 'ok')
    assert.deepEqual([sink.nodes.length, sink.leaves.length], [1, 0])
  })

  it('sends directories with all that is below', async () => {
    const cid = await exchange.content.import([
      { path: 'a.txt', content: patterned(10) },
      { path: 'd/b.bin', content: patterned(3000) },
      { path: 'd/e/c.txt', content: patterned(11) }
    ])
    const sink = new Collector()
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), sink, { signal }), 'ok')
    assert.deepEqual([sink.nodes.length, sink.leaves.length], [3, 3])
    assert.equal(sink.heads[0]?.size, undefined)
  })

  it('ends as partial when leaves or nodes are missing here', async () => {
    const cid = await exchange.content.import([{ content: patterned(300 * KIB) }], 128)
    const whole = new Collector()
    await exchange.ask.dag(peer, dagRequest({ cid }), whole, { signal })
    const leaf = whole.leaves[5]?.[1] ?? new Uint8Array(0)
    exchange.content.delete(rawCid(sha256(leaf)))
    const sink = new Collector()
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid, leaves: [[4, 3]] }), sink, { signal }), 'partial')
    assert.deepEqual(sink.leafIndexes, [4, 6])
    const node = whole.nodes[1]?.[1] ?? new Uint8Array(0)
    exchange.content.delete(CID.createV1(DAG_PB_CODEC, createDigest(0x12, sha256(node))))
    const cut = new Collector()
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), cut, { signal }), 'partial')
    assert.deepEqual(cut.nodeIndexes, [0])
  })

  it('ends a bomb of five blocks after five blocks', async () => {
    let cid = rawCid(sha256(new Uint8Array([1])))
    exchange.content.put(verifyBlock(cid, new Uint8Array([1])))
    for (let level = 0; level < 5; level++) {
      const links = Array.from({ length: 174 }, (_, i) => ({ Hash: cid, Name: String(i).padStart(3, '0'), Tsize: 1 }))
      const bytes = encodeNode(prepare({ Data: new Uint8Array([8, 1]), Links: links }))
      cid = CID.createV1(DAG_PB_CODEC, createDigest(0x12, sha256(bytes)))
      exchange.content.put(verifyBlock(cid, bytes))
    }
    const sink = new Collector()
    assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), sink, { signal }), 'ok')
    assert.deepEqual([sink.nodes.length, sink.leaves.length], [5, 1])
  })

  it('answers what it lacks with not-found, and goes on with the same stream', async () => {
    const cid = rawCid(sha256(patterned(77)))
    for (let round = 0; round < 20; round++) {
      assert.equal(await exchange.ask.dag(peer, dagRequest({ cid }), new Collector(), { signal }), 'not-found')
      assert.equal(await exchange.ask.dag(peer, dagRequest({ sha256: new Uint8Array(32) }), new Collector(), { signal }), 'not-found')
    }
    const streams = exchange.client.libp2p
      .getConnections()
      .flatMap(connection => connection.streams)
      .filter(stream => stream.protocol === EXCHANGE_PROTOCOL)
    assert.equal(streams.length, 1)
  })

  it('gives single blocks by their place in the question', async () => {
    const contents = [1, 2, 3].map(n => patterned(n * 100))
    const cids = contents.map(bytes => rawCid(sha256(bytes)))
    for (const [i, bytes] of contents.entries()) exchange.content.put(verifyBlock(cids[i] ?? rawCid(bytes), bytes))
    const absent = rawCid(new Uint8Array(32).fill(9))
    const got = new Map<number, Uint8Array>()
    const sink = (index: number, bytes: Uint8Array): void => {
      got.set(index, bytes)
    }
    const root = cids[0] ?? absent
    assert.equal(await exchange.ask.blocks(peer, { root, cids, ttl: 30 }, sink, { signal }), 'ok')
    assert.deepEqual(
      [...got.values()].map(bytes => bytes.byteLength),
      [100, 200, 300]
    )
    got.clear()
    assert.equal(await exchange.ask.blocks(peer, { root, cids: [absent, ...cids], ttl: 30 }, sink, { signal }), 'partial')
    assert.deepEqual([...got.keys()], [1, 2, 3])
    assert.equal(await exchange.ask.blocks(peer, { root: absent, cids, ttl: 30 }, sink, { signal }), 'not-found')
  })

  it('answers `have` by root, by content hash and by block, in order', async () => {
    const bytes = patterned(2 * MIB + 5)
    const root = await exchange.content.addFile(bytes)
    const gone = await exchange.content.addFile(patterned(333))
    exchange.content.delete(gone)
    const block = rawCid(sha256(patterned(100)))
    const answers = await exchange.ask.have(
      peer,
      [
        root.multihash.bytes,
        createDigest(0x12, sha256(bytes)).bytes,
        gone.multihash.bytes,
        block.multihash.bytes,
        rawCid(new Uint8Array(32)).multihash.bytes
      ],
      { signal }
    )
    assert.deepEqual(
      answers.map(({ have, cid, size }) => [have, cid?.toString(), size]),
      [
        [true, root.toString(), bytes.byteLength],
        [true, root.toString(), bytes.byteLength],
        [false, undefined, undefined],
        [true, undefined, undefined],
        [false, undefined, undefined]
      ]
    )
    assert.equal(answers[0]?.class, 'public')
    assert.deepEqual(await exchange.ask.have(peer, [], { signal }), [])
  })

  it('hands out the current advert, in one frame or several, and null before the first', async () => {
    assert.equal(await exchange.ask.advert(peer, { signal }), null)
    for (const length of [10, 2 * MIB + 100]) {
      exchange.content.currentAdvert = patterned(length)
      assert.ok(Buffer.from(patterned(length)).equals((await exchange.ask.advert(peer, { signal })) ?? new Uint8Array(0)))
    }
  })

  it('serves several requests of one peer at once', async () => {
    const files = [1, 2, 3, 4, 5, 6].map(n => patterned(n * 100 * KIB))
    const cids = await Promise.all(files.map(async bytes => await exchange.content.addFile(bytes)))
    const sinks = cids.map(() => new Collector())
    const ends = await Promise.all(
      cids.map(async (cid, i) => await exchange.ask.dag(peer, dagRequest({ cid }), sinks[i] ?? new Collector(), { signal }))
    )
    assert.ok(ends.every(end => end === 'ok'))
    for (const [i, bytes] of files.entries()) assert.ok(Buffer.from(bytes).equals(sinks[i]?.content ?? new Uint8Array(0)))
  })
})
