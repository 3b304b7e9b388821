import assert from 'node:assert/strict'
import { once } from 'node:events'
import { IncomingMessage, request } from 'node:http'
import { stat } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { startRpcServer } from '../../../src/rpc/server.ts'
import { fakeServices } from '../../support/fake-services.ts'
import { silentLog } from '../../support/silent-log.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'
import { http, openHttp, RawLines, rpcFixture } from './support.ts'

const EMPTY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

describe('the socket server', () => {
  it('opens the socket for its owner alone and leaves the umask as it was', async () => {
    const before = process.umask()
    await using fixture = await rpcFixture()
    const { mode } = await stat(fixture.socketPath)
    assert.equal(mode & 0o777, 0o600)
    assert.equal(process.umask(), before)
  })

  it('refuses a path that is too long, with its length and the remedy', async () => {
    const clock = new VirtualClock()
    const socketPath = `/tmp/${'x'.repeat(100)}`
    await assert.rejects(
      startRpcServer({ services: fakeServices({ clock }), clock, log: silentLog }, { socketPath }),
      error => error instanceof Error && /105/.test(error.message) && /api\.socket/.test(error.message) && /--socket/.test(error.message)
    )
  })

  it('refuses a path that is taken, and one that cannot be made', async () => {
    await using fixture = await rpcFixture()
    const { clock, services, socketPath } = fixture
    await assert.rejects(startRpcServer({ services, clock, log: silentLog }, { socketPath }), {
      code: 'START_FAILED',
      message: /another process/
    })
    await assert.rejects(startRpcServer({ services, clock, log: silentLog }, { socketPath: join(fixture.home, 'no', 'api.sock') }), {
      code: 'START_FAILED'
    })
  })

  it('stops after the calls that run have been answered, and takes no more', async () => {
    await using fixture = await rpcFixture()
    const { services, server } = fixture
    using lines = await RawLines.open(fixture.socketPath)
    using idle = await RawLines.open(fixture.socketPath)
    services.faults.hang = EMPTY
    const hanging = services.hanging()
    lines.call('content.get', { content: EMPTY }, 'slow')
    await hanging
    const stopped = server.stop({ signal: new AbortController().signal })
    lines.call('daemon.version', {}, 'late')
    assert.equal((await lines.next()).error?.data['code'], 'UNAVAILABLE')
    lines.call('call.cancel', { id: 'slow' }, 'cancel')
    assert.equal((await lines.next()).error?.data['code'], 'CANCELLED')
    assert.deepEqual((await lines.next()).result, { cancelled: true })
    assert.equal(await lines.line(), undefined)
    await stopped
    assert.equal(await idle.line(), undefined)
    assert.equal(server.connections(), 0)
    await assert.rejects(once(createConnection({ path: fixture.socketPath }), 'connect'))
  })

  it('answers what is left when its time is up, and closes', async () => {
    await using fixture = await rpcFixture()
    const { services, server } = fixture
    using lines = await RawLines.open(fixture.socketPath)
    services.faults.hang = EMPTY
    const [hanging, abortion] = [services.hanging(), services.abortion()]
    lines.call('content.get', { content: EMPTY }, 'slow')
    await hanging
    await server.stop({ signal: AbortSignal.abort() })
    await abortion
    assert.equal((await lines.next()).error?.data['code'], 'UNAVAILABLE')
    assert.equal(await lines.line(), undefined)
  })

  it('answers a client that still sends when its time is up, and cuts it if it goes on', async () => {
    await using fixture = await rpcFixture()
    const { socketPath, server, services, clock } = fixture
    using still = await RawLines.open(socketPath)
    still.write('PUT /content HTTP/1.1\r\nHost: kith\r\nContent-Length: 1000000\r\n\r\nthe beginning')
    const sending = request({ socketPath, path: '/content', method: 'PUT', agent: false })
    const broken = once(sending, 'close')
    sending.on('error', () => {})
    sending.write(Buffer.alloc(100_000))
    while (services.calls.length < 2) await settle()
    const stopped = server.stop({ signal: AbortSignal.abort() })
    const [response]: unknown[] = await once(sending, 'response')
    assert.ok(response instanceof IncomingMessage)
    assert.deepEqual([response.statusCode, response.headers['connection']], [503, 'close'])
    const parts: Buffer[] = []
    for await (const part of response) parts.push(part)
    assert.match(Buffer.concat(parts).toString(), /"code":"UNAVAILABLE"/)
    assert.match((await still.line()) ?? '', /^HTTP\/1\.1 503/)
    await clock.advance(1_000)
    await stopped
    await broken
  })

  it('ends event streams at once', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    lines.call('events.subscribe')
    await lines.next()
    const response = await openHttp(fixture.socketPath, '/events')
    await fixture.server.stop({ signal: new AbortController().signal })
    assert.equal(await lines.line(), undefined)
    for await (const _part of response) continue
    assert.equal(response.complete, true)
  })

  it('keeps serving HTTP on a connection, and drops clients that never finish their head', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    lines.write('GET /content/x HTTP/1.1\r\nHost: k\r\n')
    await settle()
    assert.equal(fixture.server.connections(), 1)
    lines.write('\r\n')
    assert.match((await lines.line()) ?? '', /^HTTP\/1\.1 400/)
    assert.equal((await http(fixture.socketPath, '/nothing')).status, 404)
  })
})
