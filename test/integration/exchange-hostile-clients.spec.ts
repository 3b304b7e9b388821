/** Clients that misbehave: each is told apart, named, and costs nothing. */
import assert from 'node:assert/strict'
import { encodeEnd, encodeRequest } from '../../src/exchange/codec.ts'
import { frameParts, FrameReader, indexedParts, type OffenceName } from '../../src/exchange/frames.ts'
import { EXCHANGE_PROTOCOL, FRAME } from '../../src/exchange/protocol.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { Collector, dagRequest, patterned, startExchange } from './exchange-support.ts'

import { cid, headerOf, ok, readFrame, request, small } from './hostile-frames.ts'

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
      while (clock.pending === 0)
        await new Promise(resolve => {
          setImmediate(resolve)
        })
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
      const large = await exchange.content.addFile(patterned(32 * 1024 * 1024))
      const stream = await exchange.client.open(exchange.server.self, EXCHANGE_PROTOCOL)
      await stream.write(request({ cid: large.bytes }))
      let reads = -1
      for (let quiet = 0; quiet < 200; quiet++) {
        if (exchange.content.reads !== reads) quiet = 0
        reads = exchange.content.reads
        await new Promise(resolve => {
          setImmediate(resolve)
        })
      }
      const ask = async (): Promise<string> => {
        let isOver = false
        const asked = exchange.ask.dag(exchange.server.self, dagRequest({ cid: large, leaves: [[0, 1]] }), new Collector(), {})
        const over = asked.finally(() => {
          isOver = true
        })
        // Who does not take its turn to send gives it back by the clock.
        while (!isOver) await clock.advance(1)
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
      const large = await exchange.content.addFile(patterned(32 * 1024 * 1024))
      const stream = await exchange.client.open(exchange.server.self, EXCHANGE_PROTOCOL)
      await stream.write(request({ cid: large.bytes }))
      let reads = -1
      for (let quiet = 0; quiet < 200; quiet++) {
        if (exchange.content.reads !== reads) quiet = 0
        reads = exchange.content.reads
        await new Promise(resolve => {
          setImmediate(resolve)
        })
      }
      assert.ok(reads > 0 && reads < 30, `${reads} reads`)
      await clock.advance(31_000)
      const sink = new Collector()
      assert.equal(await exchange.ask.dag(exchange.server.self, dagRequest({ cid: large, leaves: [[0, 1]] }), sink, {}), 'ok')
    } finally {
      await exchange.stop()
    }
  })
})
