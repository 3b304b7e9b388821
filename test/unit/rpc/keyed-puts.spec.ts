import assert from 'node:assert/strict'
import { KithError } from '../../../src/errors.ts'
import { KeyedPuts } from '../../../src/rpc/keyed-puts.ts'
import type { PutResult, StatResult } from '../../../src/rpc/services.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { digestOf, RawLines, rpcFixture } from './support.ts'

const DAY = 24 * 3_600_000
const HELLO = Buffer.from('hello').toString('base64')

function resultOf(cid: string): PutResult {
  return { cid, uri: `kith://${cid}`, size: 1, blocks: 1, newBlocks: 1, privacy: 'private', pinned: true }
}

function statOf(cid: string): StatResult {
  const at = '2026-01-01T00:00:00.000Z'
  return { ...resultOf(cid), privacy: 'private', localBlocks: 1, createdAt: at, lastAccess: at }
}

describe('an idempotencyKey', () => {
  it('answers the first answer again, on other connections too', async () => {
    await using fixture = await rpcFixture()
    const params = { data: HELLO, name: 'a', idempotencyKey: 'k1' }
    using first = await RawLines.open(fixture.socketPath)
    const { result } = await first.ask('content.put', params)
    assert.equal(result?.['newBlocks'], 1)
    first.socket.destroy()
    using second = await RawLines.open(fixture.socketPath)
    assert.deepEqual((await second.ask('content.put', { idempotencyKey: 'k1', name: 'a', data: HELLO })).result, result)
    assert.deepEqual(fixture.services.calls, ['put'])
  })

  it('is a CONFLICT with other parameters, and nothing is put', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    await lines.ask('content.put', { data: HELLO, idempotencyKey: 'k1' })
    for (const other of [{ data: 'aGk=' }, { data: HELLO, name: 'b' }, { data: HELLO, privacy: 'public' }, { path: '/x' }])
      assert.equal((await lines.ask('content.put', { ...other, idempotencyKey: 'k1' })).error?.code, -32010)
    assert.deepEqual(fixture.services.calls, ['put'])
    assert.equal((await lines.ask('content.put', { data: 'aGk=', idempotencyKey: 'k2' })).error, undefined)
  })

  it('belongs to its caller', async () => {
    const tokens = ['a', 'b'].map(name => ({ name, sha256: digestOf(name), scopes: ['write' as const] }))
    await using fixture = await rpcFixture({ tokens })
    for (const [token, data] of [
      ['a', HELLO],
      ['b', 'aGk=']
    ] as const) {
      using lines = await RawLines.open(fixture.socketPath)
      await lines.ask('auth.login', { token })
      assert.equal((await lines.ask('content.put', { data, idempotencyKey: 'k1' })).error, undefined)
    }
    assert.deepEqual(fixture.services.calls, ['put', 'put'])
  })
})

describe('KeyedPuts', () => {
  const keyed = (key: string): { caller: string; key: string; params: object } => ({ caller: 'app', key, params: { data: 'x' } })

  it('joins a put that runs, and ends it when the last has left', async () => {
    const puts = new KeyedPuts({ clock: new VirtualClock() })
    const started: AbortSignal[] = []
    const run = async ({ signal }: { signal: AbortSignal }): Promise<PutResult> => {
      started.push(signal)
      return await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    }
    const [one, two] = [new AbortController(), new AbortController()]
    const waiting = [one, two].map(async ({ signal }) => await puts.put(keyed('k'), run, { signal }))
    one.abort(new Error('gone'))
    await assert.rejects(waiting[0] ?? Promise.resolve(), /gone/)
    assert.deepEqual(
      started.map(({ aborted }) => aborted),
      [false]
    )
    two.abort(new Error('gone too'))
    await assert.rejects(waiting[1] ?? Promise.resolve(), /gone too/)
    assert.equal(started[0]?.aborted, true)
  })

  it('lets a put that failed be tried again, with other parameters if need be', async () => {
    const puts = new KeyedPuts({ clock: new VirtualClock() })
    await assert.rejects(
      puts.put(
        keyed('k'),
        async () => {
          throw new Error('disk full')
        },
        {}
      ),
      /disk full/
    )
    const again = await puts.put({ ...keyed('k'), params: { data: 'y' } }, async () => resultOf('a'), {})
    assert.equal(again.cid, 'a')
  })

  it('remembers a second try, begun while the first was still ending', async () => {
    const puts = new KeyedPuts({ clock: new VirtualClock() })
    const leave = new AbortController()
    let end = (): void => {}
    const first = puts.put(
      keyed('k'),
      async () =>
        await new Promise((_resolve, reject) => {
          end = () => reject(new Error('late'))
        }),
      { signal: leave.signal }
    )
    leave.abort(new Error('gone'))
    await assert.rejects(first, /gone/)
    const second = await puts.put(keyed('k'), async () => resultOf('a'), {})
    end()
    const third = await puts.put(keyed('k'), async () => resultOf('b'), {})
    assert.deepEqual([second.cid, third.cid], ['a', 'a'])
  })

  it('never answers one put with another, however many came while the first still ran', async () => {
    const puts = new KeyedPuts({ clock: new VirtualClock() })
    let end = (_result: PutResult): void => {}
    const slow = puts.put(
      keyed('k'),
      async () =>
        await new Promise<PutResult>(resolve => {
          end = resolve
        }),
      {}
    )
    for (let each = 0; each < 10_000; each++) await puts.put(keyed(`more ${each}`), async () => resultOf('m'), {})
    const other = puts.put({ ...keyed('k'), params: { data: 'y' } }, async () => resultOf('b'), {})
    await assert.rejects(other, error => error instanceof KithError && error.code === 'CONFLICT')
    end(resultOf('a'))
    assert.equal((await slow).cid, 'a')
    assert.equal((await puts.put(keyed('k'), async () => resultOf('b'), {})).cid, 'a', 'its time counts from its end')
  })

  it('keeps nothing of a put whose caller had left before', async () => {
    const puts = new KeyedPuts({ clock: new VirtualClock() })
    const left = { signal: AbortSignal.abort(new Error('gone')) }
    await assert.rejects(
      puts.put(keyed('k'), async () => resultOf('a'), left),
      /gone/
    )
    assert.equal((await puts.put({ ...keyed('k'), params: { data: 'y' } }, async () => resultOf('b'), {})).cid, 'b')
  })

  for (const [what, now] of [
    ['was removed', undefined],
    ['is not whole any more', { localBlocks: 0 }],
    ['is not pinned any more', { pinned: false }]
  ] as const)
    it(`puts again what ${what}`, async () => {
      const puts = new KeyedPuts({ clock: new VirtualClock() })
      let stat: StatResult | undefined = statOf('a')
      const content = {
        stat: async (): Promise<StatResult> => {
          if (stat === undefined) throw new KithError('NOT_FOUND', 'it is not here')
          return stat
        }
      }
      let runs = 0
      const put = async (): Promise<unknown> =>
        await puts.put({ ...keyed('k'), content }, async () => ({ ...resultOf('a'), newBlocks: (runs += 1) }), {})
      const first = await put()
      assert.equal(await put(), first)
      stat = now === undefined ? undefined : { ...statOf('a'), ...now }
      const again = await put()
      stat = statOf('a')
      assert.notEqual(again, first)
      assert.equal(await put(), again)
      assert.equal(runs, 2)
    })

  it('forgets after a day, and the oldest beyond ten thousand', async () => {
    const clock = new VirtualClock()
    const puts = new KeyedPuts({ clock })
    const put = async (key: string, cid: string): Promise<string> => (await puts.put(keyed(key), async () => resultOf(cid), {})).cid
    await put('k', 'a')
    await clock.advance(DAY - 1)
    assert.equal(await put('k', 'b'), 'a')
    await clock.advance(1)
    assert.equal(await put('k', 'b'), 'b')
    for (let each = 0; each < 10_000; each++) await put(`more ${each}`, 'm')
    assert.equal(await put('more 9999', 'n'), 'm')
    assert.equal(await put('k', 'c'), 'c')
  })
})
