/** The Kubo adapter against a server that misbehaves; the real Kubo is in test/interop. */
import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { createKuboSource, type KuboSource, type KuboSourceInit } from '../../../../src/adapters/kubo/kubo-source.ts'
import { verifyBlock } from '../../../../src/model/block.ts'
import { rawCid } from '../../../../src/model/content-id.ts'
import { sha256 } from '../../../../src/model/sha256.ts'
import { SourceError } from '../../../../src/ports/block-source.ts'
import { startFakeKubo, type FakeKubo } from '../../../support/fake-kubo.ts'
import { freePort } from '../../../support/free-port.ts'
import { silentLog } from '../../../support/silent-log.ts'
import { settle, VirtualClock } from '../../../support/virtual-clock.ts'

const MIB = 1_048_576

function blockOf(value: number, length = 300_000): { cid: CID; bytes: Uint8Array } {
  const bytes = new Uint8Array(length).fill(value)
  return { cid: rawCid(sha256(bytes)), bytes }
}
const ONE = blockOf(1)
const TWO = blockOf(2)
const BOTH = [ONE.cid.toString(), TWO.cid.toString()]

const isOutcome =
  (outcome: string, message = /./) =>
  (error: unknown) =>
    error instanceof SourceError && error.outcome === outcome && message.test(error.message)

describe('Kubo source', () => {
  let clock: SpanClock
  let kubo: FakeKubo
  let other: FakeKubo
  const made: KuboSource[] = []

  function make(init: Partial<KuboSourceInit> = {}): KuboSource {
    const once = { attempts: 1, base: 0, max: 0 }
    const source = createKuboSource(
      { clock, log: silentLog, random: { number: () => 0 } },
      { api: [kubo.url], timeout: 60_000, retry: once, ...init }
    )
    made.push(source)
    return source
  }
  const get = async (source: KuboSource, cid = ONE.cid, signal = AbortSignal.timeout(20_000)): Promise<Uint8Array> =>
    await source.open(cid).get(cid, { signal })

  async function dag(source: KuboSource, take?: (cid: CID, bytes: Uint8Array) => Promise<void>): Promise<string[]> {
    const taken: string[] = []
    const note = async (cid: CID, bytes: Uint8Array): Promise<void> => {
      taken.push(verifyBlock(cid, bytes).cid.toString())
    }
    await source.open(ONE.cid).dag?.(ONE.cid, take ?? note, { signal: AbortSignal.timeout(20_000) })
    return taken
  }

  beforeEach(async () => {
    clock = new SpanClock()
    kubo = await startFakeKubo()
    other = await startFakeKubo()
    for (const each of [kubo, other]) each.put(ONE, TWO)
  })
  afterEach(async () => {
    for (const source of made.splice(0)) await source.stop()
    await kubo[Symbol.asyncDispose]()
    await other[Symbol.asyncDispose]()
    assert.equal(clock.pending, 0, 'a timer was left behind')
  })

  it('asks for a block with its own time as that of the search, and says who it is only if it must', async () => {
    assert.ok(Buffer.from(ONE.bytes).equals(await get(make())))
    const [request] = kubo.requests
    assert.equal(request?.call, `block/get?arg=${ONE.cid.toString()}&timeout=60000ms`)
    assert.equal(request.headers.authorization, undefined)
  })

  it('shows its project to whoever asks for it', async () => {
    await get(make({ auth: { projectId: 'me', projectSecret: 's3cret' } }))
    assert.equal(kubo.requests[0]?.headers.authorization, `Basic ${Buffer.from('me:s3cret').toString('base64')}`)
  })

  it('delivers a whole DAG, one block after the other', async () => {
    assert.deepEqual(await dag(make()), BOTH)
    assert.equal(kubo.requests.length, 1)
  })

  it('takes an empty search as not-found, however often', async () => {
    const source = make()
    for (let round = 0; round < 5; round++) await assert.rejects(get(source, blockOf(9).cid), isOutcome('not-found'))
    assert.equal(source.unavailable(), undefined)
    assert.equal(kubo.requests.length, 5)
  })

  for (const [status, outcome] of [
    [401, 'refused'],
    [403, 'refused'],
    [400, 'refused'],
    [307, 'refused'],
    [404, 'fault'],
    [500, 'fault'],
    [502, 'fault']
  ] as const) {
    it(`takes HTTP ${status} as ${outcome}`, async () => {
      kubo.behave({ status, headers: { location: other.url } })
      await assert.rejects(get(make()), isOutcome(outcome, new RegExp(String(status))))
      await assert.rejects(dag(make()), isOutcome(outcome, new RegExp(String(status))))
      assert.equal(other.requests.length, 0, 'a redirect was followed')
    })
  }

  it('refuses wrong bytes, and asks the next endpoint at once', async () => {
    kubo.behave('wrong')
    await assert.rejects(get(make({ retry: { attempts: 3, base: 1000, max: 60_000 } })), isOutcome('corrupt'))
    assert.equal(kubo.requests.length, 1)
    assert.ok(Buffer.from(ONE.bytes).equals(await get(make({ api: [kubo.url, other.url] }))))
  })

  it('holds wrong blocks of a DAG against the endpoint, and asks the next for the whole', async () => {
    const source = make({ api: [kubo.url, other.url] })
    kubo.put({ cid: ONE.cid, bytes: TWO.bytes })
    assert.deepEqual(await dag(source), BOTH)
    assert.match(source.health()[0]?.error ?? '', /do not hash/)
    assert.equal(source.health()[1]?.error, undefined)
    await assert.rejects(dag(make()), isOutcome('corrupt', /do not hash/))
  })

  it('ends a DAG that breaks off after its first block: what is missing is asked for block by block, elsewhere', async () => {
    const source = make({ api: [kubo.url, other.url], retry: { attempts: 3, base: 1000, max: 60_000 } })
    for (const each of [kubo, other]) each.put(blockOf(3))
    kubo.behave('half')
    const taken: CID[] = []
    await assert.rejects(
      dag(source, async cid => {
        taken.push(cid)
      }),
      isOutcome('fault')
    )
    assert.deepEqual(taken.map(String), [ONE.cid.toString()])
    assert.equal(other.requests.length, 0)
    assert.ok(Buffer.from(TWO.bytes).equals(await get(source, TWO.cid)))
    assert.equal(clock.monotonic(), 0, 'it waited')
  })

  it('does not blame an endpoint for what goes wrong here', async () => {
    const source = make({ api: [kubo.url, other.url] })
    const full = new Error('the disk is full')
    await assert.rejects(
      dag(source, async () => {
        throw full
      }),
      full
    )
    await settle()
    assert.equal(other.requests.length, 0)
    assert.equal(source.health()[0]?.error, undefined)
  })

  for (const call of ['get', 'dag'] as const) {
    it(`cuts off an answer without end (${call})`, async () => {
      kubo.behave('endless')
      await assert.rejects(call === 'get' ? get(make()) : dag(make()), isOutcome('corrupt'))
      assert.ok(kubo.sentBytes() < 32 * MIB, `${kubo.sentBytes()} bytes were sent`)
    })
  }

  it('takes a broken connection and a stream that Kubo says broke off as faults', async () => {
    kubo.behave('half')
    await assert.rejects(get(make()), isOutcome('fault'))
    kubo.behave('trailer')
    await assert.rejects(dag(make()), SourceError)
  })

  it('ends a transfer that has stalled', async () => {
    kubo.behave('stalled')
    const ended = assert.rejects(get(make()), isOutcome('timeout', /30000 ms/))
    await clock.passes(30_000)
    await ended
  })

  it('asks again after faults, ever more slowly', async () => {
    kubo.behave({ status: 500 })
    const source = make({ retry: { attempts: 3, base: 1000, max: 60_000 } })
    const ended = assert.rejects(get(source), isOutcome('fault'))
    await clock.passes(500)
    await clock.passes(1000)
    await ended
    assert.equal(kubo.requests.length, 3)
  })

  it('leaves an endpoint alone for 30 s after three faults in a row', async () => {
    kubo.behave({ status: 500 })
    const source = make()
    for (let fault = 0; fault < 3; fault++) {
      assert.equal(source.unavailable(), undefined)
      await assert.rejects(get(source), isOutcome('fault'))
    }
    assert.equal(source.unavailable(), 'unhealthy')
    await assert.rejects(get(source), isOutcome('refused', /left alone/))
    assert.equal(kubo.requests.length, 3)
    kubo.behave('honest')
    await clock.advance(30_000)
    assert.equal(source.unavailable(), undefined)
    await get(source)
  })

  it('asks the endpoint with fewest requests in flight', async () => {
    const source = make({ api: [kubo.url, other.url] })
    kubo.behave('silent')
    const arrived = kubo.nextRequest()
    const session = source.open(ONE.cid)
    const first = assert.rejects(session.get(ONE.cid, {}), SourceError)
    await arrived
    assert.equal(source.url, other.url)
    await get(source)
    assert.equal(other.count('block/get'), 1)
    session.close()
    await first
  })

  it('goes on with the next endpoint when one is gone, or breaks off before it has delivered', async () => {
    const gone = `http://127.0.0.1:${await freePort()}`
    assert.deepEqual(await dag(make({ api: [gone, other.url] })), BOTH)
    kubo.behave('half')
    assert.ok(Buffer.from(ONE.bytes).equals(await get(make({ api: [kubo.url, other.url] }))))
    assert.equal(clock.monotonic(), 0, 'it waited')
  })

  it('does not wait for an endpoint that hangs', async () => {
    kubo.behave('silent')
    const taken = dag(make({ api: [kubo.url, other.url] }))
    await clock.passes(400)
    assert.deepEqual(await taken, BOTH)
  })

  it('checks its endpoints at the start and every 30 s, and leaves out who does not answer', async () => {
    kubo.behaveWhenChecked({ status: 401 })
    const source = make({ api: [kubo.url, other.url] })
    assert.deepEqual(source.health()[0], { url: kubo.url, type: 'kubo', healthy: true, lastCheck: null, responseTime: null })
    source.start()
    await until(() => source.health().every(({ lastCheck }) => lastCheck !== null))
    const [first, second] = source.health()
    assert.match(first?.error ?? '', /401/)
    assert.deepEqual([first?.healthy, second?.healthy, second?.responseTime], [false, true, 0])
    assert.equal(source.url, other.url)
    kubo.behaveWhenChecked('honest')
    await clock.passes(30_000)
    await until(() => source.health()[0]?.healthy === true)
    assert.equal(source.url, kubo.url)
  })

  it('takes an endpoint whose check hangs, or is not Kubo, as down', async () => {
    const source = make()
    kubo.behaveWhenChecked({ status: 200, body: '<html>' })
    await source.check({})
    assert.match(source.health()[0]?.error ?? '', /not Kubo/)
    kubo.behaveWhenChecked('silent')
    const arrived = kubo.nextRequest()
    const checked = source.check({})
    await arrived
    await clock.passes(5000)
    await checked
    assert.equal(source.unavailable(), 'unhealthy')
    assert.match(source.health()[0]?.error ?? '', /5000 ms/)
  })

  it('is off once stopped', async () => {
    const source = make()
    await source.stop()
    assert.equal(source.unavailable(), 'off')
    await assert.rejects(get(source), isOutcome('refused'))
  })

  it('refuses a configuration without endpoints', () => {
    assert.throws(() => make({ api: [] }), /ipfs\.api/)
  })
})

/** Lets sockets do their work until something has come about. */
async function until(isSo: () => boolean): Promise<void> {
  const late = AbortSignal.timeout(20_000)
  while (!isSo()) {
    late.throwIfAborted()
    await settle()
  }
}

/** Lets a span pass once somebody waits for just that long. */
class SpanClock extends VirtualClock {
  readonly #asked = new Set<number>()

  override after(delay: number, run: () => void): () => void {
    this.#asked.add(delay)
    return super.after(delay, run)
  }

  async passes(span: number): Promise<void> {
    await until(() => this.#asked.has(span))
    this.#asked.delete(span)
    await this.advance(span)
  }
}
