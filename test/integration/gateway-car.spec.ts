/** Whole DAGs from a gateway as CAR, against a real HTTP server on loopback, honest and hostile. */
import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { createGatewaySource } from '../../src/adapters/gateway/gateway-source.ts'
import type { GatewaySource, GatewaySourceInit } from '../../src/adapters/gateway/gateway-source.ts'
import { Semaphore } from '../../src/lib/semaphore.ts'
import { blockKey } from '../../src/model/content-id.ts'
import { SourceError, type SearchOptions } from '../../src/ports/block-source.ts'
import { distinctBytes, fileDag, type MadeDag } from '../support/dag-builder.ts'
import { silentLog } from '../support/silent-log.ts'
import { startTrustlessGateway, type TrustlessGateway } from '../support/trustless-gateway.ts'
import { settle, VirtualClock } from '../support/virtual-clock.ts'

const MIB = 1_048_576

const isOutcome =
  (outcome: string, message = /./) =>
  (error: unknown) =>
    error instanceof SourceError && error.outcome === outcome && message.test(error.message)

/** Lets real sockets work, without any time passing on the clock, until `happened`. The test's own limit ends it. */
async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await settle()
}

describe('gateway source and whole DAGs', () => {
  let gateway: TrustlessGateway
  let clock: VirtualClock
  let source: GatewaySource
  let dag: MadeDag
  const made: GatewaySource[] = []

  before(async () => {
    dag = await fileDag(distinctBytes(5 * MIB))
  })

  function make(init: Partial<GatewaySourceInit> = {}, sockets?: Semaphore): GatewaySource {
    const components = { clock, log: silentLog, random: { number: () => 0 }, ...(sockets === undefined ? {} : { sockets }) }
    const one = createGatewaySource(components, { url: gateway.url, timeout: 30_000, ...init })
    made.push(one)
    return one
  }

  /** The blocks of one answer. */
  async function getWhole(
    from = source,
    take: (cid: CID) => Promise<void> = async () => {},
    options: SearchOptions = {}
  ): Promise<string[]> {
    const taken: string[] = []
    const session = from.open(dag.root)
    assert.equal('dag' in session, true)
    try {
      await session.dag?.(
        dag.root,
        async cid => {
          taken.push(blockKey(cid))
          await take(cid)
        },
        { signal: AbortSignal.timeout(50_000), ...options }
      )
    } finally {
      session.close()
    }
    return taken
  }

  beforeEach(async () => {
    gateway = await startTrustlessGateway()
    for (const { cid, bytes } of dag.blocks.values()) gateway.put(cid, bytes)
    clock = new VirtualClock()
    source = make()
  })

  afterEach(async () => {
    for (const one of made.splice(0)) await one.stop()
    await gateway[Symbol.asyncDispose]()
    assert.equal(clock.pending, 0, 'a timer was left behind')
  })

  it('come in one answer, the root first, with nothing that tells who asks', async () => {
    const taken = await getWhole()
    assert.deepEqual([taken[0], new Set(taken).size, gateway.requests.length], [blockKey(dag.root), dag.blocks.size, 1])
    const [request] = gateway.requests
    assert.equal(request?.path, `/ipfs/${dag.root.toString()}?format=car&dag-scope=all&car-order=dfs&car-dups=n`)
    assert.deepEqual(Object.keys(request.headers).sort(), ['accept', 'connection', 'host', 'user-agent'])
    assert.equal(request.headers.accept, 'application/vnd.ipld.car; version=1; order=dfs; dups=n')
    assert.equal(source.health().error, undefined)
  })

  it('are asked for by template as well', async () => {
    assert.equal((await getWhole(make({ url: `${gateway.url}/ipfs/{cid}` }))).length, dag.blocks.size)
  })

  for (const [name, behaviour] of [
    ['answers 400', 'raw-only'],
    ['answers 406', { status: 406 }],
    ['answers 501', { status: 501 }],
    ['sends a web page', 'web-page']
  ] as const) {
    it(`are not asked for again for ten minutes from a gateway that ${name}`, async () => {
      gateway.behave(behaviour)
      assert.deepEqual(await getWhole(), [])
      assert.equal('dag' in source.open(dag.root), false)
      assert.deepEqual([source.unavailable(), source.health().healthy], [undefined, true])
      gateway.behave('honest')
      assert.equal((await source.open(dag.root).get(dag.root, {})).byteLength > 0, true)
      await clock.advance(600_000)
      assert.equal((await getWhole()).length, dag.blocks.size)
    })
  }

  it('that the gateway does not have are not-found', async () => {
    for (const status of [404, 410, 451, 504]) {
      gateway.behave({ status })
      await assert.rejects(getWhole(), isOutcome('not-found'))
    }
    assert.equal(source.unavailable(), undefined)
  })

  for (const behaviour of ['garbage', 'long-header', 'long-section', 'zeros'] as const) {
    it(`in a CAR that is none (${behaviour}) are corrupt, and after three of them the gateway rests`, async () => {
      gateway.behave(behaviour)
      for (let round = 0; round < 3; round++) {
        assert.equal(source.unavailable(), undefined)
        await assert.rejects(getWhole(), isOutcome('corrupt', /CAR/))
      }
      assert.equal(source.unavailable(), 'unhealthy')
      assert.ok(gateway.sentBytes() < 64 * MIB, `${gateway.sentBytes()} bytes were sent`)
    })
  }

  it('stop coming when the taker refuses a block, who is heard, and nobody else is to blame', async () => {
    gateway.behave('copies')
    const reason = new Error('no more')
    for (let round = 0; round < 3; round++) {
      let left = 40
      const refuse = async (): Promise<void> => {
        if (--left === 0) throw reason
      }
      await assert.rejects(getWhole(source, refuse), reason)
    }
    assert.deepEqual([source.unavailable(), source.health().error], [undefined, undefined])
    assert.ok(gateway.sentBytes() < 256 * MIB, `${gateway.sentBytes()} bytes were sent`)
  })

  it('that break off are a fault, and what was handed on is not asked for again', async () => {
    const retrying = make({ retry: { attempts: 3, base: 1_000, max: 60_000 } })
    gateway.behave('half-then-close')
    await assert.rejects(getWhole(retrying), isOutcome('fault'))
    assert.equal(gateway.requests.length, 1)
  })

  it('are asked for again after a fault as long as nothing has come', async () => {
    const retrying = make({ retry: { attempts: 3, base: 1_000, max: 60_000 } })
    gateway.behave({ status: 502 })
    const got = getWhole(retrying)
    await until(() => clock.pending === 2)
    gateway.behave('honest')
    await clock.advance(500)
    assert.equal((await got).length, dag.blocks.size)
  })

  it('fail with what happened, not with the rest that follows, when several questions fail at once', async () => {
    const retrying = make({ retry: { attempts: 3, base: 1_000, max: 60_000 } })
    gateway.behave({ status: 502 })
    const session = retrying.open(dag.root)
    const ended = Promise.all(
      Array.from({ length: 4 }, async () => {
        await assert.rejects(session.get(dag.root, {}), isOutcome('fault', /502/))
      })
    )
    await until(() => gateway.requests.length === 4 && retrying.unavailable() === 'unhealthy')
    await clock.advance(500)
    await ended
    session.close()
    assert.equal(gateway.requests.length, 4)
  })

  it('are not asked for again when the search would be over by then', async () => {
    const retrying = make({ retry: { attempts: 3, base: 1_000, max: 60_000 } })
    gateway.behave({ status: 502 })
    await assert.rejects(getWhole(retrying, undefined, { remaining: () => 499 }), isOutcome('fault'))
    assert.equal(gateway.requests.length, 1)
  })

  it('that stall are a timeout', async () => {
    gateway.behave('stalled')
    const half = Math.ceil(dag.blocks.size / 2)
    let taken = 0
    const ended = assert.rejects(
      getWhole(make({ stall: 5_000 }), async () => {
        taken += 1
      }),
      isOutcome('timeout', /nothing for 5000 ms/)
    )
    await until(() => taken === half && clock.pending === 2)
    await clock.advance(5_000)
    await ended
  })

  it('that drip are a timeout when a block takes longer than one may', async () => {
    gateway.behave('drip')
    const ended = assert.rejects(getWhole(make({ stall: 60_000 })), isOutcome('timeout', /30000 ms/))
    await until(() => clock.pending === 2)
    await clock.advance(30_000)
    await ended
  })

  it('may take as long as they like as long as blocks come and are taken', async () => {
    const taken = await getWhole(source, async () => {
      await clock.advance(25_000)
    })
    assert.equal(taken.length, dag.blocks.size)
  })

  it('wait for a pause that was asked for if it is short, and the pause is kept', async () => {
    const retrying = make({ retry: { attempts: 3, base: 1_000, max: 60_000 } })
    gateway.behave({ status: 503, headers: { 'retry-after': '7' } })
    const got = getWhole(retrying)
    await until(() => clock.pending === 2)
    assert.equal(retrying.unavailable(), 'unhealthy')
    gateway.behave('honest')
    await clock.advance(6_999)
    assert.equal(gateway.requests.length, 1)
    await clock.advance(1)
    assert.equal((await got).length, dag.blocks.size)
  })

  it('end with the caller, who blames nobody', async () => {
    gateway.behave('stalled')
    const controller = new AbortController()
    const reason = new Error('no longer wanted')
    let taken = 0
    const ended = assert.rejects(
      getWhole(
        source,
        async () => {
          taken += 1
        },
        { signal: controller.signal }
      ),
      reason
    )
    await until(() => taken > 1)
    controller.abort(reason)
    await ended
    assert.deepEqual([source.unavailable(), source.health().error], [undefined, undefined])
  })

  it('of all gateways share the sockets there are', async () => {
    const sockets = new Semaphore({ limit: 1, waitingMax: 10, name: 'sockets' })
    await using other = await startTrustlessGateway()
    for (const { cid, bytes } of dag.blocks.values()) other.put(cid, bytes)
    const [first, second] = [make({}, sockets), make({ url: other.url }, sockets)]
    gateway.behave('silent')
    const arrived = gateway.nextRequest()
    const ended = assert.rejects(getWhole(first), isOutcome('refused'))
    await arrived
    const got = getWhole(second)
    await until(() => sockets.waiting === 1)
    assert.equal(other.requests.length, 0)
    await first.stop()
    await ended
    assert.equal((await got).length, dag.blocks.size)
  })
})
