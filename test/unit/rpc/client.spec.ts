import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { connect, socketPathOf } from '../../../src/rpc/client.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { rpcFixture } from './support.ts'

const EMPTY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

async function* parts(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('kith/client', () => {
  it('calls methods with their types', async () => {
    await using fixture = await rpcFixture()
    const client = await connect({ home: fixture.home })
    const { cid } = await client.call('content.put', { data: Buffer.from('hi').toString('base64'), privacy: 'public' })
    const { data, source } = await client.call('content.get', { content: cid, preferredSources: ['peer'] })
    assert.deepEqual([Buffer.from(data ?? '', 'base64').toString(), source.stage], ['hi', 'local'])
    client.close()
  })

  it('rejects with the code, message and data of the daemon', async () => {
    await using fixture = await rpcFixture()
    const client = await connect({ socket: fixture.socketPath })
    await assert.rejects(
      client.call('content.get', { content: EMPTY }),
      error => error instanceof Error && 'code' in error && error.code === 'NOT_FOUND' && 'data' in error
    )
    client.close()
  })

  it('streams content in and out, whole and in part', async () => {
    await using fixture = await rpcFixture()
    const client = await connect({ socket: fixture.socketPath })
    const bytes = randomBytes(1_000_000)
    const { cid } = await client.put(parts(bytes), { name: 'ü.bin', contentType: 'application/x-test', pin: false })
    const whole = await client.get(cid)
    assert.deepEqual(
      [whole.cid, whole.length, whole.name, whole.contentType, whole.report?.source.stage],
      [cid, bytes.length, 'ü.bin', 'application/x-test', 'local']
    )
    assert.ok((await collect(whole.body)).equals(bytes))
    const part = await client.get(cid, { offset: 10, length: 5 })
    assert.ok((await collect(part.body)).equals(bytes.subarray(10, 15)))
    client.close()
  })

  it('never ends a broken transfer as if it were whole', async () => {
    await using fixture = await rpcFixture()
    const client = await connect({ socket: fixture.socketPath })
    const { cid } = await client.put(parts(randomBytes(1_000_000)))
    fixture.services.faults.failAfter = 300_000
    const { body } = await client.get(cid)
    await assert.rejects(collect(body), { code: 'UNAVAILABLE' })
    client.close()
  })

  it('cancels by signal, here and in the daemon', async () => {
    await using fixture = await rpcFixture()
    const { services } = fixture
    const client = await connect({ socket: fixture.socketPath })
    services.faults.hang = EMPTY
    const [hanging, abortion] = [services.hanging(), services.abortion()]
    const controller = new AbortController()
    const call = client.call('content.get', { content: EMPTY }, { signal: controller.signal })
    await hanging
    controller.abort()
    await assert.rejects(call, { code: 'CANCELLED' })
    await abortion
    client.close()
  })

  it('iterates over events until the loop is left', async () => {
    await using fixture = await rpcFixture()
    const { events } = fixture.services
    for (let number = 1; number <= 2000; number++) events.emit('gc.done', { number })
    const client = await connect({ socket: fixture.socketPath })
    const seen: number[] = []
    for await (const { seq } of client.events({ since: 0 })) {
      seen.push(seq)
      if (seen.length === 2000) break
    }
    assert.equal(seen.at(-1), 2000)
    const controller = new AbortController()
    const rest: number[] = []
    for await (const { seq } of client.events({ since: 1999 }, { signal: controller.signal })) {
      rest.push(seq)
      controller.abort()
    }
    assert.deepEqual(rest, [2000])
    client.close()
  })

  it('says when no daemon runs', async () => {
    await using home = await temporaryDirectory()
    await assert.rejects(
      connect({ home: home.path }),
      error =>
        error instanceof Error && 'data' in error && typeof error.data === 'object' && error.data !== null && 'notRunning' in error.data
    )
  })

  it('rejects what is pending when the daemon goes away', async () => {
    await using fixture = await rpcFixture()
    const { services } = fixture
    const client = await connect({ socket: fixture.socketPath })
    services.faults.hang = EMPTY
    const hanging = services.hanging()
    const call = client.call('content.get', { content: EMPTY })
    await hanging
    const rejected = assert.rejects(call, { code: 'UNAVAILABLE' })
    await fixture.server.stop({ signal: AbortSignal.abort() })
    await rejected
  })

  it('finds the socket in the home', () => {
    assert.equal(socketPathOf({ home: '/h' }, {}), join('/h', 'api.sock'))
    assert.equal(socketPathOf({}, { KITH_HOME: '/k' }), join('/k', 'api.sock'))
    assert.equal(socketPathOf({ socket: '/s', home: '/h' }, {}), '/s')
  })
})
