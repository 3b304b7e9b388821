import assert from 'node:assert/strict'
import { settle } from '../../support/virtual-clock.ts'
import { RawLines, rpcFixture } from './support.ts'

const EMPTY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
const MIB = 2 ** 20

describe('a line connection', () => {
  it('refuses a line of 20 MiB with TOO_LARGE and closes, while others go on', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    using other = await RawLines.open(fixture.socketPath)
    lines.write(`{"jsonrpc":"2.0","id":1,"method":"${'x'.repeat(20 * MIB)}"}\n`)
    const { id, error } = await lines.next()
    assert.deepEqual([id, error?.code, error?.data['code']], [null, -32004, 'TOO_LARGE'])
    assert.equal(await lines.line(), undefined)
    other.call('daemon.version')
    assert.equal((await other.next()).id, 1)
  })

  it('cancels a call: it answers CANCELLED at once and its work is aborted', async () => {
    await using fixture = await rpcFixture()
    const { services } = fixture
    using lines = await RawLines.open(fixture.socketPath)
    services.faults.hang = EMPTY
    const hanging = services.hanging()
    lines.call('content.get', { content: EMPTY }, 7)
    await hanging
    lines.call('call.cancel', { id: 7 }, 8)
    const [cancelled, answer] = [await lines.next(), await lines.next()]
    assert.deepEqual([cancelled.id, cancelled.error?.code, cancelled.error?.data['code']], [7, -32011, 'CANCELLED'])
    assert.deepEqual([answer.id, answer.result], [8, { cancelled: true }])
    assert.deepEqual(services.aborted, ['get'])
  })

  it('cannot cancel the call of another connection', async () => {
    await using fixture = await rpcFixture()
    const { services } = fixture
    using lines = await RawLines.open(fixture.socketPath)
    using other = await RawLines.open(fixture.socketPath)
    services.faults.hang = EMPTY
    const hanging = services.hanging()
    lines.call('content.get', { content: EMPTY }, 7)
    await hanging
    other.call('call.cancel', { id: 7 }, 8)
    assert.deepEqual((await other.next()).result, { cancelled: false })
    assert.deepEqual(services.aborted, [])
  })

  it('aborts the calls of a client that goes away', async () => {
    await using fixture = await rpcFixture()
    const { services } = fixture
    using lines = await RawLines.open(fixture.socketPath)
    services.faults.hang = EMPTY
    const [hanging, abortion] = [services.hanging(), services.abortion()]
    lines.call('content.get', { content: EMPTY })
    await hanging
    lines.socket.destroy()
    await abortion
    assert.deepEqual(services.aborted, ['get'])
  })

  it('lets the calls of a client go on that only closed its half, until it is gone', async () => {
    await using fixture = await rpcFixture()
    const { services, clock } = fixture
    using lines = await RawLines.open(fixture.socketPath, { allowHalfOpen: true })
    services.faults.hang = EMPTY
    const [hanging, abortion] = [services.hanging(), services.abortion()]
    lines.call('content.get', { content: EMPTY })
    await hanging
    lines.socket.end()
    await settle()
    await clock.advance(500)
    assert.deepEqual(services.aborted, [])
    lines.socket.destroy()
    await settle()
    await clock.advance(2000)
    await abortion
  })

  it('answers everything to a client that first writes all its calls and only then reads', async () => {
    await using fixture = await rpcFixture()
    const { services } = fixture
    using lines = await RawLines.open(fixture.socketPath)
    lines.call('content.put', { data: Buffer.alloc(MIB, 1).toString('base64') })
    const content = (await lines.next()).result?.['cid']
    lines.socket.pause()
    const calls = 80
    for (let id = 0; id < calls; id++) lines.call('content.get', { content, length: 200_000 }, id)
    for (let turn = 0; turn < 10; turn++) await settle()
    const whileBlocked = services.calls.filter(call => call === 'get').length
    assert.ok(whileBlocked <= 64, `${whileBlocked} large answers were under way`)
    lines.socket.resume()
    const ids = new Set<unknown>()
    for (let id = 0; id < calls; id++) ids.add((await lines.next()).id)
    assert.equal(ids.size, calls)
  })

  it('tells the caller of a long call how it goes on, at most five times a second', async () => {
    await using fixture = await rpcFixture()
    const { services, clock } = fixture
    using lines = await RawLines.open(fixture.socketPath)
    services.faults.hang = EMPTY
    const tick = clock.monotonic.bind(clock)
    let reads = 0
    clock.monotonic = () => tick() + 100 * reads++
    services.faults.progress = [10, 20, 30, 40]
    lines.call('content.get', { content: EMPTY }, 'mine')
    const first = await lines.next()
    assert.equal(first.method, 'event')
    const { type, call, bytes, total } = first.params ?? {}
    assert.deepEqual({ type, call, bytes, total }, { type: 'content.progress', call: 'mine', bytes: 20, total: 100 })
    assert.equal((await lines.next()).params?.['bytes'], 40)
  })

  it('survives clients that vanish while they are being answered', async () => {
    await using fixture = await rpcFixture()
    const { socketPath } = fixture
    using keeper = await RawLines.open(socketPath)
    keeper.call('content.put', { data: Buffer.alloc(2 * MIB).toString('base64') })
    const content = (await keeper.next()).result?.['cid']
    for (let round = 0; round < 10; round++) {
      using lines = await RawLines.open(socketPath)
      for (let id = 0; id < 5; id++) lines.call('content.get', { content }, id)
      await settle()
    }
    keeper.call('daemon.version', {}, 'alive')
    assert.equal((await keeper.next()).id, 'alive')
  })
})
