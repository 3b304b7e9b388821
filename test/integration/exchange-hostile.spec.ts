/** Servers that lie: each lie is told apart, and costs nothing. */
import assert from 'node:assert/strict'
import { encode } from 'cborg'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import { encodeEnd, encodeHave, encodeHead } from '../../src/exchange/codec.ts'
import { frameParts, FrameReader, indexedParts } from '../../src/exchange/frames.ts'
import { EXCHANGE_PROTOCOL, FRAME } from '../../src/exchange/protocol.ts'
import { BLOCK_BYTES_MAX } from '../../src/model/block.ts'
import { rawCid } from '../../src/model/content-id.ts'
import type { PeerStream } from '../../src/ports/network.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { addressOf, clientOf, Collector, dagRequest, patterned, startTestHost } from './exchange-support.ts'

import { cid, head, headerOf, ok, readFrame, request, small } from './hostile-frames.ts'

describe('exchange client against hostile servers', () => {
  let client: Host
  let server: Host
  let behave: (stream: PeerStream) => Promise<void>
  let signal: AbortSignal
  before(async () => {
    ;[client, server] = await Promise.all([startTestHost(), startTestHost()])
    await server.handle(EXCHANGE_PROTOCOL, async stream => {
      await readFrame(stream, new FrameReader(() => 100_000))
      await behave(stream)
    })
    await client.connect(addressOf(server))
  })
  after(async () => {
    await Promise.all([client.stop(), server.stop()])
  })
  beforeEach(() => {
    signal = AbortSignal.timeout(20_000)
  })

  /** The server answers with these bytes and keeps the stream open. */
  function answerWith(parts: readonly Uint8Array[]): void {
    behave = async stream => {
      await stream.write(parts)
      await stream.read().catch(() => null)
    }
  }

  const node = (index: number): Uint8Array[] => indexedParts(FRAME.NODE, index, small)
  const leaf = (index: number): Uint8Array[] => indexedParts(FRAME.LEAF, index, small)
  const faults: [string, Uint8Array[]][] = [
    ['a node before the head', node(0)],
    ['two heads', [...head, ...head]],
    ['a head for another root', frameParts(FRAME.HEAD, encodeHead({ cid: rawCid(new Uint8Array(32).fill(1)) }))],
    ['a head with a name that leaves its folder', frameParts(FRAME.HEAD, encode({ cid: cid.bytes, name: '../x' }))],
    ['nodes out of order', [...head, ...node(1)]],
    ['a node after a leaf', [...head, ...leaf(1), ...node(0)]],
    ['leaves out of order', [...head, ...leaf(2), ...leaf(1)]],
    ['the same leaf twice', [...head, ...leaf(2), ...leaf(2)]],
    ['a leaf nobody asked for', [...head, ...leaf(9)]],
    ['a leaf without room for its index', [...head, ...frameParts(FRAME.LEAF, new Uint8Array(3))]],
    ['a leaf above the largest block', [...head, ...indexedParts(FRAME.LEAF, 1, new Uint8Array(BLOCK_BYTES_MAX + 1))]],
    ['a frame of 2 GiB', [...head, headerOf(0x80000000, FRAME.LEAF)]],
    ['a frame of 4 GiB that may be skipped', [...head, headerOf(0xffffffff, 0x80)]],
    ['a request as an answer', [...request()]],
    ['a frame type that is not known', [...head, ...frameParts(0x42, small)]],
    ['an answer to another kind of question', [...head, ...frameParts(FRAME.HAVE, encodeHave([]))]],
    ['an end without a head', ok],
    ['not-found after a head', [...head, ...frameParts(FRAME.END, encodeEnd({ status: 'not-found' }))]],
    ['an end that is no CBOR', [...head, ...frameParts(FRAME.END, new Uint8Array([0xff]))]],
    ['bytes after the end', [...head, ...ok, ...leaf(1)]],
    ['a compressed-looking flood of noise', [patterned(70_000)]]
  ]
  for (const [name, parts] of faults) {
    it(`calls ${name} a fault`, async () => {
      answerWith(parts)
      await assert.rejects(clientOf(client).dag(server.self, dagRequest({ cid, leaves: [[0, 5]] }), new Collector(), { signal }), {
        name: 'SourceError',
        outcome: 'fault'
      })
    })
  }

  it('skips frames of later versions', async () => {
    answerWith([...frameParts(0x80, small), ...head, ...frameParts(0xff, small), ...leaf(1), ...ok])
    const sink = new Collector()
    assert.equal(await clientOf(client).dag(server.self, dagRequest({ cid }), sink, { signal }), 'ok')
    assert.deepEqual(sink.leafIndexes, [1])
  })

  it('calls a stream that ends or resets inside an answer a fault, not an end', async () => {
    for (const end of [
      async (stream: PeerStream) => {
        await stream.close()
      },
      async (stream: PeerStream) => {
        stream.abort(new Error('bye'))
      }
    ]) {
      behave = async stream => {
        await stream.write([...head, ...leaf(0)])
        await end(stream)
      }
      await assert.rejects(clientOf(client).dag(server.self, dagRequest({ cid }), new Collector(), { signal }), {
        name: 'SourceError',
        outcome: 'fault'
      })
    }
  })

  it('waits 30 s for a whole frame, whatever dribbles in, and then calls it a timeout', async () => {
    const clock = new VirtualClock()
    const begun = Promise.withResolvers<void>()
    behave = async stream => {
      await stream.write([...head, headerOf(1000, FRAME.LEAF), small])
      begun.resolve()
      await stream.read().catch(() => null)
    }
    const got = Promise.withResolvers<void>()
    const sink = Object.assign(new Collector(), {
      head: () => {
        got.resolve()
      }
    })
    const asking = clientOf(client, clock).dag(server.self, dagRequest({ cid }), sink, { signal })
    const failed = assert.rejects(asking, { name: 'SourceError', outcome: 'timeout' })
    await Promise.all([begun.promise, got.promise])
    await clock.advance(31_000)
    await failed
  })

  it('takes no `have` answer that does not fit the question', async () => {
    for (const answer of [encodeHave([]), encodeHave([{ have: true }, { have: true }]), encode('yes')]) {
      answerWith([...frameParts(FRAME.HAVE, answer), ...ok])
      await assert.rejects(clientOf(client).have(server.self, [cid.multihash.bytes], { signal }), { name: 'SourceError', outcome: 'fault' })
    }
  })

  it('takes no block that was not asked for, and no endless advert', async () => {
    answerWith([...indexedParts(FRAME.BLOCK, 1, small), ...ok])
    await assert.rejects(
      clientOf(client).blocks(server.self, { root: cid, cids: [cid], ttl: 5 }, () => {}, { signal }),
      { outcome: 'fault' }
    )
    const mebibyte = frameParts(FRAME.ADVERT, patterned(1024 * 1024))
    answerWith([...mebibyte, ...mebibyte, ...mebibyte, ...ok])
    await assert.rejects(clientOf(client).advert(server.self, { signal }), { outcome: 'fault' })
  })
})
