/** Servers that lie and clients that misbehave: each is told apart, named, and costs nothing. */
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { encode } from 'cborg'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import { encodeEnd, encodeHave, encodeHead, encodeRequest } from '../../src/exchange/codec.ts'
import { frameParts, FrameReader, indexedParts, type Frame, type OffenceName } from '../../src/exchange/frames.ts'
import { EXCHANGE_PROTOCOL, FRAME } from '../../src/exchange/protocol.ts'
import { BLOCK_BYTES_MAX } from '../../src/model/block.ts'
import { rawCid } from '../../src/model/content-id.ts'
import type { PeerStream } from '../../src/ports/network.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { addressOf, clientOf, Collector, dagRequest, neverRead, patterned, startExchange, startTestHost } from './exchange-support.ts'

const cid = rawCid(new Uint8Array(32))
const head = frameParts(FRAME.HEAD, encodeHead({ cid }))
const ok = frameParts(FRAME.END, encodeEnd({ status: 'ok' }))
const small = new Uint8Array(10)
const request = (more: Record<string, unknown> = {}): Uint8Array[] =>
  frameParts(
    FRAME.REQUEST,
    encode({ k: 'dag', requesterId: 'did:key:z', requestId: new Uint8Array(16), ttl: 30, hops: 0, cid: cid.bytes, ...more })
  )
const headerOf = (length: number, type: number): Uint8Array => {
  const bytes = new Uint8Array(5)
  new DataView(bytes.buffer).setUint32(0, length)
  bytes[4] = type
  return bytes
}

/** The next frame a raw stream receives; null at its end. */
async function readFrame(stream: PeerStream, reader: FrameReader): Promise<Frame | null> {
  for (;;) {
    const frame = reader.next()
    if (frame !== undefined) return frame
    const chunk = await stream.read()
    if (chunk === null) return null
    reader.push(chunk)
  }
}

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
    signal = AbortSignal.timeout(50_000)
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

describe('exchange server against hostile clients', () => {
  const offences: [string, OffenceName, Uint8Array[]][] = [
    ['a request that is no CBOR', 'malformed-request', frameParts(FRAME.REQUEST, new Uint8Array([0xff, 1, 2]))],
    ['deeply nested CBOR', 'malformed-request', frameParts(FRAME.REQUEST, new Uint8Array(60_000).fill(0x81))],
    ['a request without an id', 'malformed-request', request({ requestId: 1 })],
    ['a question that is no multihash', 'malformed-request', request({ k: 'have', hashes: [new Uint8Array([1, 2, 3])] })],
    ['65 questions at once', 'malformed-request', request({ k: 'have', hashes: Array.from({ length: 65 }, () => cid.multihash.bytes) })],
    ['a request of 2 GiB', 'oversized-frame', [headerOf(0x80000000, FRAME.REQUEST)]],
    ['a leaf instead of a request', 'unexpected-frame', indexedParts(FRAME.LEAF, 0, small)],
    ['two requests at once', 'unexpected-frame', [...request(), ...request()]]
  ]
  for (const [name, offence, parts] of offences) {
    it(`resets the stream and reports ${offence} for ${name}`, async () => {
      const seen = Promise.withResolvers<[string, OffenceName]>()
      const exchange = await startExchange({
        onOffence: (peer, what) => {
          seen.resolve([peer, what])
        }
      })
      try {
        const stream = await exchange.client.open(exchange.server.self, EXCHANGE_PROTOCOL)
        await stream.write(parts)
        assert.deepEqual(await seen.promise, [exchange.client.self, offence])
        await assert.rejects(readFrame(stream, new FrameReader(() => 100_000)))
        assert.deepEqual(await exchange.ask.have(exchange.server.self, [cid.multihash.bytes], {}), [{ have: false }])
      } finally {
        await exchange.stop()
      }
    })
  }

  it('refuses kinds it does not know and those not built yet, and keeps the stream', async () => {
    const exchange = await startExchange()
    try {
      const stream = await exchange.client.open(exchange.server.self, EXCHANGE_PROTOCOL)
      const reader = new FrameReader(() => 100_000)
      for (const [kind, reason] of [
        ['sing', 'unknown-kind'],
        ['capabilities', 'not-built']
      ] as const) {
        await stream.write(request({ k: kind }))
        const frame = await readFrame(stream, reader)
        assert.equal(frame?.type, FRAME.END)
        assert.deepEqual(frame.payload, encodeEnd({ status: 'refused', reason }))
      }
      await stream.write(
        frameParts(
          FRAME.REQUEST,
          encodeRequest({ kind: 'have', requesterId: '', requestId: new Uint8Array(16), ttl: 1, hops: 0, multihashes: [] })
        )
      )
      assert.equal((await readFrame(stream, reader))?.type, FRAME.HAVE)
      stream.abort(new Error('done'))
    } finally {
      await exchange.stop()
    }
  })

  it('closes a stream on which nothing whole arrives for two minutes', async () => {
    const clock = new VirtualClock()
    const exchange = await startExchange({}, clock)
    try {
      const stream = await exchange.client.open(exchange.server.self, EXCHANGE_PROTOCOL)
      const reader = new FrameReader(() => 100_000)
      await stream.write(request())
      assert.equal((await readFrame(stream, reader))?.type, FRAME.END)
      while (clock.pending === 0) await turn()
      await clock.advance(121_000)
      assert.equal(await readFrame(stream, reader), null)
    } finally {
      await exchange.stop()
    }
  })

  it('gives the place of a peer that does not read to the next one, after 3 s', async () => {
    const clock = new VirtualClock()
    const exchange = await startExchange({ answersMax: 1 }, clock)
    try {
      const { large } = await neverRead(exchange, root => request({ cid: root }))
      const ask = async (): Promise<string> => {
        const asking = { isOver: false }
        const asked = exchange.ask.dag(exchange.server.self, dagRequest({ cid: large, leaves: [[0, 1]] }), new Collector(), {})
        const over = asked.finally(() => {
          asking.isOver = true
        })
        // Who does not take its turn to send gives it back by the clock.
        while (!asking.isOver) await clock.advance(1)
        return await over
      }
      assert.equal(await ask(), 'refused')
      await clock.advance(3000)
      assert.equal(await ask(), 'ok')
    } finally {
      await exchange.stop()
    }
  })

  it('gives up on a peer that asks and never reads, and frees its place', async () => {
    const clock = new VirtualClock()
    const exchange = await startExchange({ answersMax: 1 }, clock)
    try {
      const { large, reads } = await neverRead(exchange, root => request({ cid: root }))
      assert.ok(reads > 0 && reads < 30, `${reads} reads`)
      await clock.advance(31_000)
      const sink = new Collector()
      assert.equal(await exchange.ask.dag(exchange.server.self, dagRequest({ cid: large, leaves: [[0, 1]] }), sink, {}), 'ok')
    } finally {
      await exchange.stop()
    }
  })
})
