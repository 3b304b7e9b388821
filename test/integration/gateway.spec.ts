/** The gateway adapter against a real HTTP server on loopback, honest and hostile. */
import assert from 'node:assert/strict'
import { createGatewaySource } from '../../src/adapters/gateway/gateway-source.ts'
import type { GatewaySource, GatewaySourceInit } from '../../src/adapters/gateway/gateway-source.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import { SourceError } from '../../src/ports/block-source.ts'
import { blockSourceConformance } from '../conformance/block-source.ts'
import { silentLog } from '../support/silent-log.ts'
import { startTrustlessGateway } from '../support/trustless-gateway.ts'
import type { TrustlessGateway } from '../support/trustless-gateway.ts'
import { VirtualClock, settle } from '../support/virtual-clock.ts'

const MIB = 1_048_576
const BYTES = new Uint8Array(300_000).fill(9)
const BLOCK = rawCid(sha256(BYTES))

const isOutcome =
  (outcome: string, message = /./) =>
  (error: unknown) =>
    error instanceof SourceError && error.outcome === outcome && message.test(error.message)

describe('gateway source', () => {
  let gateway: TrustlessGateway
  let clock: VirtualClock
  let source: GatewaySource
  const made: GatewaySource[] = []

  function make(init: Partial<GatewaySourceInit> = {}): GatewaySource {
    const components = { clock, log: silentLog, random: { number: () => 0 } }
    const one = createGatewaySource(components, { url: gateway.url, timeout: 30_000, ...init })
    made.push(one)
    return one
  }

  async function get(from = source, signal = AbortSignal.timeout(50_000)): Promise<Uint8Array> {
    return await from.open(BLOCK).get(BLOCK, { signal })
  }

  beforeEach(async () => {
    gateway = await startTrustlessGateway()
    gateway.put(BLOCK, BYTES)
    clock = new VirtualClock()
    source = make()
  })

  afterEach(async () => {
    for (const one of made.splice(0)) await one.stop()
    await gateway[Symbol.asyncDispose]()
    assert.equal(clock.pending, 0, 'a timer was left behind')
  })

  it('asks for the raw block, with nothing that tells who asks', async () => {
    assert.ok(Buffer.from(BYTES).equals(await get()))
    const [request] = gateway.requests
    assert.equal(request?.path, `/ipfs/${BLOCK.toString()}?format=raw`)
    assert.deepEqual(Object.keys(request.headers).sort(), ['accept', 'connection', 'host', 'user-agent'])
    assert.equal(request.headers.accept, 'application/vnd.ipld.raw')
  })

  it('reads a template', async () => {
    assert.equal((await get(make({ url: `${gateway.url}/ipfs/{cid}` }))).byteLength, BYTES.byteLength)
  })

  it('keeps health', async () => {
    assert.deepEqual(source.health(), { url: gateway.url, type: 'gateway', healthy: true, lastCheck: null, responseTime: null })
    await get()
    assert.deepEqual(source.health(), { url: gateway.url, type: 'gateway', healthy: true, lastCheck: clock.now(), responseTime: 0 })
  })

  for (const status of [404, 410, 451, 504]) {
    it(`takes ${status} as not-found, however often`, async () => {
      gateway.behave({ status })
      for (let round = 0; round < 5; round++) await assert.rejects(get(), isOutcome('not-found'))
      assert.equal(source.unavailable(), undefined)
      assert.equal(source.health().healthy, true)
      assert.equal(gateway.requests.length, 5)
    })
  }

  it('rests as long as a 429 asks, and does not ask meanwhile', async () => {
    gateway.behave({ status: 429, headers: { 'retry-after': '120' } })
    await assert.rejects(get(), isOutcome('refused', /429/))
    assert.equal(source.unavailable(), 'unhealthy')
    await assert.rejects(get(), isOutcome('refused', /left alone/))
    assert.equal(gateway.requests.length, 1)
    await clock.advance(119_000)
    assert.equal(source.unavailable(), 'unhealthy')
    await clock.advance(1_000)
    gateway.behave('honest')
    await get()
  })

  it('does not let a 429 switch it off for good', async () => {
    gateway.behave({ status: 429, headers: { 'retry-after': '999999999' } })
    await assert.rejects(get(), isOutcome('refused'))
    await clock.advance(600_000)
    assert.equal(source.unavailable(), undefined)
  })

  it('opens the breaker after three faults for 30 s, and again after one more', async () => {
    gateway.behave({ status: 500 })
    for (let round = 0; round < 3; round++) {
      assert.equal(source.unavailable(), undefined)
      await assert.rejects(get(), isOutcome('fault', /500/))
    }
    assert.equal(source.unavailable(), 'unhealthy')
    assert.match(source.health().error ?? '', /500/)
    await assert.rejects(get(), isOutcome('refused'))
    assert.equal(gateway.requests.length, 3)
    await clock.advance(30_000)
    await assert.rejects(get(), isOutcome('fault'))
    assert.equal(source.unavailable(), 'unhealthy')
    await clock.advance(30_000)
    gateway.behave('honest')
    await get()
    assert.equal(source.health().error, undefined)
  })

  it('counts wrong bytes that the caller reports', async () => {
    gateway.behave('wrong-bytes')
    for (let round = 0; round < 3; round++) {
      assert.ok(!Buffer.from(BYTES).equals(await get()))
      source.report('corrupt')
    }
    assert.equal(source.unavailable(), 'unhealthy')
  })

  it('calls a body that breaks off a fault', async () => {
    gateway.behave('half-then-close')
    await assert.rejects(get(), isOutcome('fault'))
  })

  it('calls a closed port a fault', async () => {
    const gone = await startTrustlessGateway()
    await gone[Symbol.asyncDispose]()
    await assert.rejects(get(make({ url: gone.url })), isOutcome('fault'))
  })

  it('stops reading an endless body at the largest block', async () => {
    gateway.behave('endless')
    await assert.rejects(get(), isOutcome('corrupt'))
    // What the sockets of both sides hold comes on top of the 2 MiB.
    assert.ok(gateway.sentBytes() < 16 * MIB, `${gateway.sentBytes()} bytes were sent`)
  })

  it('does not begin to read a body that declares more than the largest block', async () => {
    gateway.behave('oversized-length')
    await assert.rejects(get(), isOutcome('corrupt'))
  })

  it('gives up on a gateway that never answers when the time for a block is over', async () => {
    gateway.behave('silent')
    const arrived = gateway.nextRequest()
    const ended = assert.rejects(get(), isOutcome('timeout', /30000 ms/))
    await arrived
    await clock.advance(30_000)
    await ended
  })

  it('gives up on a body that stalls', async () => {
    gateway.behave('stalled')
    const stalled = make({ stall: 5_000 })
    const ended = assert.rejects(get(stalled), isOutcome('timeout', /nothing for 5000 ms/))
    // Two timers: the block's whole time, and that of the body that has begun.
    await until(() => clock.pending === 2)
    await clock.advance(5_000)
    await ended
  })

  it('does not blame the gateway for a caller who gives up', async () => {
    gateway.behave('silent')
    for (let round = 0; round < 4; round++) {
      const controller = new AbortController()
      const arrived = gateway.nextRequest()
      const ended = assert.rejects(get(source, controller.signal), { name: 'TimeoutError' })
      await arrived
      controller.abort(new DOMException('ttl is over', 'TimeoutError'))
      await ended
    }
    assert.equal(source.unavailable(), undefined)
    assert.equal(source.health().error, undefined)
  })

  it('retries faults with growing pauses when it is told to, but not absence', async () => {
    const retrying = make({ retry: { attempts: 3, base: 1_000, max: 60_000 } })
    gateway.behave({ status: 404 })
    await assert.rejects(get(retrying), isOutcome('not-found'))
    assert.equal(gateway.requests.length, 1)
    gateway.behave({ status: 503 })
    const got = get(retrying)
    for (const pause of [500, 1_000]) {
      // The whole time, and the pause before the next attempt.
      await until(() => clock.pending === 2)
      const seen: number = gateway.requests.length
      if (pause === 1_000) gateway.behave('honest')
      await clock.advance(pause - 1)
      assert.equal(gateway.requests.length, seen)
      await clock.advance(1)
      await until(() => gateway.requests.length > seen)
    }
    assert.equal((await got).byteLength, BYTES.byteLength)
    assert.equal(gateway.requests.length, 4)
  })

  it('ends what is in flight when it stops, and is off then', async () => {
    gateway.behave('silent')
    const arrived = gateway.nextRequest()
    const ended = assert.rejects(get(), isOutcome('refused'))
    await arrived
    await source.stop()
    await ended
    assert.equal(source.unavailable(), 'off')
    await assert.rejects(get(), isOutcome('refused'))
    await source.stop()
  })

  it('leaves no timers behind', async () => {
    await get()
    await settle()
    assert.equal(clock.pending, 0)
  })
})

/** Lets real sockets work, without any time passing on the clock, until `happened`. The test's own limit ends it. */
async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await settle()
}

blockSourceConformance('gateway', async () => {
  const gateway = await startTrustlessGateway()
  const source = createGatewaySource(
    { clock: new VirtualClock(), log: silentLog, random: { number: () => 0.5 } },
    { url: gateway.url, timeout: 30_000 }
  )
  return {
    source,
    put: async (cid, bytes) => {
      gateway.put(cid, bytes)
    },
    stall: cid => {
      gateway.behave('silent', cid)
    },
    close: async () => {
      await source.stop()
      await gateway[Symbol.asyncDispose]()
    }
  }
})
