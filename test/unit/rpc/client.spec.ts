import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { putStream } from '../../../src/rpc/client-http.ts'
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

  it('tells all that a search took once the last byte has come', async () => {
    await using fixture = await rpcFixture()
    const { content } = fixture.services
    const open = content.open.bind(content)
    const attempt = {
      stage: 'gateway' as const,
      url: 'https://gateway.example',
      outcome: 'ok' as const,
      ms: 5,
      bytes: 5,
      reason: 'x'.repeat(400)
    }
    const attempts = Array.from({ length: 200 }, () => attempt)
    Object.assign(content, {
      open: async (...asked: Parameters<typeof open>): ReturnType<typeof open> => {
        const opened = await open(...asked)
        const first = opened.report?.()
        let isRead = false
        return {
          ...opened,
          ...(first === undefined ? {} : { report: () => (isRead ? { ...first, attempts } : { ...first, attempts: [] }) }),
          async *read(range, options) {
            yield* opened.read(range, options)
            isRead = true
          }
        }
      }
    })
    const client = await connect({ socket: fixture.socketPath })
    const { cid } = await client.put(parts(randomBytes(500_000)))
    const stream = await client.get(cid)
    assert.deepEqual([stream.length, stream.report?.attempts], [500_000, []])
    await collect(stream.body)
    assert.deepEqual([stream.report?.sha256?.length, stream.report?.attempts], [64, attempts])
    client.close()
  })

  it('hears a refusal that closes the connection in the middle of its body', async () => {
    await using home = await temporaryDirectory()
    const socketPath = join(home.path, 'api.sock')
    const body = JSON.stringify({ error: { code: -32003, message: 'not for you', data: { code: 'UNAUTHORIZED' } } })
    const gone = Promise.withResolvers<void>()
    await using server = createServer(socket => {
      socket.on('close', () => gone.resolve()).on('error', () => {})
      socket.once('data', () => {
        socket.write(`HTTP/1.1 403 Forbidden\r\ncontent-length: ${body.length}\r\n\r\n${body}`, () => socket.destroy())
      })
    })
    server.listen(socketPath)
    await once(server, 'listening')
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(10)
      await gone.promise
      for (;;) yield Buffer.alloc(65_536)
    }
    await assert.rejects(putStream({ socketPath, token: undefined }, endless(), {}, {}), { code: 'UNAUTHORIZED', message: 'not for you' })
  })

  it('says that the connection broke when it was closed without an answer', async () => {
    await using home = await temporaryDirectory()
    const socketPath = join(home.path, 'api.sock')
    await using server = createServer(socket => socket.on('error', () => {}).once('data', () => socket.destroy()))
    server.listen(socketPath)
    await once(server, 'listening')
    await assert.rejects(putStream({ socketPath, token: undefined }, parts(Buffer.alloc(5_000_000)), {}, {}), { code: 'UNAVAILABLE' })
  })

  it('never ends a broken transfer as if it were whole', async () => {
    await using fixture = await rpcFixture()
    const client = await connect({ socket: fixture.socketPath })
    const { cid } = await client.put(parts(randomBytes(1_000_000)))
    fixture.services.faults.failAfter = 300_000
    const { body } = await client.get(cid)
    await assert.rejects(collect(body), {
      code: 'INTEGRITY',
      message: /^the transfer broke off after 3\d{5} bytes: the source sent wrong bytes/
    })
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
