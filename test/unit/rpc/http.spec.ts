import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import type { GetReport, OpenedContent } from '../../../src/rpc/services.ts'
import { FAKE_DIRECTORY } from '../../support/fake-content.ts'
import type { FakeServices } from '../../support/fake-services.ts'
import { settle } from '../../support/virtual-clock.ts'
import { http, openHttp, rpcFixture } from './support.ts'
import type { HttpAnswer, RpcFixture } from './support.ts'

const EMPTY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

function json({ body }: HttpAnswer): { [field: string]: unknown; error?: { code: number; data: Record<string, unknown> } } {
  return JSON.parse(body.toString())
}

async function stored({ socketPath }: RpcFixture, body: Uint8Array, query = ''): Promise<string> {
  return String(json(await http(socketPath, `/content${query}`, { method: 'PUT', body }))['cid'])
}

/** What is said of a search: nothing at first (or the last of `early` attempts), all of it once the bytes are read. */
function reportAsItGoes({ content }: FakeServices, early = 0): void {
  const open = content.open.bind(content)
  const all = Array.from({ length: 30 }, (_, index): GetReport['attempts'][number] => ({
    stage: 'peer',
    outcome: index === 29 ? 'ok' : 'not-found',
    ms: 1,
    bytes: 0
  }))
  Object.assign(content, {
    open: async (...asked: Parameters<typeof open>): Promise<OpenedContent> => {
      const opened = await open(...asked)
      const report = opened.report?.()
      assert.ok(report !== undefined)
      let attempts = all.slice(all.length - early)
      return {
        ...opened,
        report: () => ({ ...report, attempts }),
        async *read(range, options) {
          yield* opened.read(range, options)
          attempts = all
        }
      }
    }
  })
}

function reportOf(field: string | string[] | undefined): GetReport {
  return JSON.parse(decodeURIComponent(String(field)))
}

describe('PUT /content', () => {
  it('stores a body and answers 201 with the result of content.put', async () => {
    await using fixture = await rpcFixture()
    const answer = await http(fixture.socketPath, '/content?name=a%20b.txt&privacy=public&type=note', {
      method: 'PUT',
      body: 'hello',
      headers: { 'content-type': 'text/plain' }
    })
    assert.equal(answer.status, 201)
    const { cid, uri, size } = json(answer)
    assert.deepEqual({ uri, size }, { uri: `ipfs://${String(cid)}`, size: 5 })
    const stat = await fixture.services.content.stat(String(cid))
    assert.deepEqual([stat.name, stat.contentType, stat.type, stat.privacy], ['a b.txt', 'text/plain', 'note', 'public'])
  })

  for (const [query, code] of [
    ['?naem=x', 'INVALID_PARAMS'],
    ['?privacy=restricted', 'NOT_BUILT'],
    ['?group=g', 'NOT_BUILT'],
    ['?name=a&name=b', 'INVALID_PARAMS'],
    ['?pin=maybe', 'INVALID_PARAMS']
  ] as const) {
    it(`refuses ${query} with ${code} before it stores anything`, async () => {
      await using fixture = await rpcFixture()
      const answer = await http(fixture.socketPath, `/content${query}`, { method: 'PUT', body: randomBytes(3_000_000) })
      assert.equal(answer.status, code === 'NOT_BUILT' ? 503 : 400)
      assert.equal(json(answer).error?.data['code'], code)
      assert.deepEqual(fixture.services.calls, [])
    })
  }

  it('stores nothing of a body that breaks off', async () => {
    await using fixture = await rpcFixture()
    const { services } = fixture
    const sent = request({ socketPath: fixture.socketPath, path: '/content', method: 'PUT', headers: { 'content-length': '1000' } })
    sent.on('error', () => {})
    sent.write('only this')
    const abortion = services.abortion()
    while (services.calls.length === 0) await settle()
    sent.destroy()
    await abortion
    assert.deepEqual(await services.content.list({}), { items: [] })
  })
})

describe('GET /content', () => {
  it('gives the bytes with type, length, ETag and name', async () => {
    await using fixture = await rpcFixture()
    const body = randomBytes(300_000)
    const cid = await stored(fixture, body, '?name=%C3%BC.bin')
    const answer = await http(fixture.socketPath, `/content/${cid}`)
    assert.equal(answer.status, 200)
    assert.ok(answer.body.equals(body))
    assert.equal(answer.headers.etag, `"${cid}"`)
    assert.equal(answer.headers['accept-ranges'], 'bytes')
    assert.equal(answer.headers['content-length'], '300000')
    assert.equal(answer.headers['content-disposition'], "inline; filename*=UTF-8''%C3%BC.bin")
    assert.equal(fixture.services.calls.at(-1), 'close')
  })

  it('gives the whole report behind the bytes to who takes trailers, and a Content-Length to everybody else', async () => {
    await using fixture = await rpcFixture()
    const { services } = fixture
    const body = randomBytes(300_000)
    for (const bytes of [body, Buffer.alloc(0)]) {
      const cid = await stored(fixture, bytes)
      reportAsItGoes(services)
      const response = await openHttp(fixture.socketPath, `/content/${cid}`, { headers: { te: 'gzip;q=0.5, trailers' } })
      assert.deepEqual(
        [response.headers['content-length'], response.headers['kith-content-length'], response.headers.trailer],
        [undefined, String(bytes.byteLength), 'kith-report']
      )
      const early = reportOf(response.headers['kith-report'])
      const parts: Buffer[] = []
      for await (const part of response) parts.push(part)
      assert.ok(Buffer.concat(parts).equals(bytes))
      const late = reportOf(response.trailers['kith-report'])
      assert.deepEqual([early.attempts.length, late.attempts.length, late.attempts.at(-1)?.outcome], [0, 30, 'ok'])
      const plain = await http(fixture.socketPath, `/content/${cid}`)
      assert.deepEqual(
        [plain.headers['content-length'], plain.headers['transfer-encoding'], plain.headers['kith-content-length']],
        [String(bytes.byteLength), undefined, undefined]
      )
    }
  })

  it('names who delivered in the header, however many were asked before', async () => {
    await using fixture = await rpcFixture()
    const cid = await stored(fixture, Buffer.from('x'))
    reportAsItGoes(fixture.services, 30)
    const { headers } = await http(fixture.socketPath, `/content/${cid}`)
    const { attempts } = reportOf(headers['kith-report'])
    assert.deepEqual([attempts.length, attempts[0]?.outcome], [16, 'ok'])
  })

  it('gives one range, and 416 for one outside', async () => {
    await using fixture = await rpcFixture()
    const cid = await stored(fixture, Buffer.from('0123456789'))
    const part = await http(fixture.socketPath, `/content/${cid}`, { headers: { range: 'bytes=2-4' } })
    assert.deepEqual([part.status, part.body.toString(), part.headers['content-range']], [206, '234', 'bytes 2-4/10'])
    const outside = await http(fixture.socketPath, `/content/${cid}`, { headers: { range: 'bytes=10-' } })
    assert.deepEqual([outside.status, outside.headers['content-range']], [416, 'bytes */10'])
    const stale = await http(fixture.socketPath, `/content/${cid}`, { headers: { range: 'bytes=2-4', 'if-range': '"other"' } })
    assert.equal(stale.status, 200)
  })

  it('answers 304 to who has it, and only the head to HEAD', async () => {
    await using fixture = await rpcFixture()
    const cid = await stored(fixture, Buffer.from('0123456789'))
    const known = await http(fixture.socketPath, `/content/${cid}`, { headers: { 'if-none-match': `"x", W/"${cid}"` } })
    assert.deepEqual([known.status, known.body.length], [304, 0])
    const head = await http(fixture.socketPath, `/content/${cid}`, { method: 'HEAD' })
    assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, '10', 0])
  })

  it('gives empty content', async () => {
    await using fixture = await rpcFixture()
    const cid = await stored(fixture, Buffer.alloc(0))
    assert.equal(cid, EMPTY)
    const answer = await http(fixture.socketPath, `/content/${cid}`)
    assert.deepEqual([answer.status, answer.headers['content-length']], [200, '0'])
  })

  it('takes every form of an address, encoded or not, with a path below it', async () => {
    await using fixture = await rpcFixture()
    const cid = await stored(fixture, Buffer.from('x'))
    for (const content of [`kith://${cid}`, encodeURIComponent(`kith://${cid}`), `/ipfs/${cid}`, encodeURIComponent(`/ipfs/${cid}`)]) {
      assert.equal((await http(fixture.socketPath, `/content/${content}`)).body.toString(), 'x')
    }
    assert.equal((await http(fixture.socketPath, `/content/${FAKE_DIRECTORY}/hello%2etxt`)).body.toString(), 'hello world')
    const asked = fixture.services.asked.at(-1)
    assert.equal(asked?.content, `${FAKE_DIRECTORY}/hello.txt`)
  })

  it('hands ttl, sources and privacy on', async () => {
    await using fixture = await rpcFixture()
    await http(fixture.socketPath, `/content/${EMPTY}?ttl=7&sources=gateway,peer&privacy=public`)
    assert.deepEqual(fixture.services.asked, [
      { content: EMPTY, ttl: 7, preferredSources: ['gateway', 'peer'], metadata: { privacy: 'public' } }
    ])
  })

  const refusals: [path: string, status: number, code: string][] = [
    [`/content/${EMPTY}`, 404, 'NOT_FOUND'],
    [`/content/${FAKE_DIRECTORY}`, 409, 'IS_DIRECTORY'],
    ['/content/nonsense', 400, 'INVALID_CONTENT'],
    [`/content/${EMPTY}/a%2Fb`, 400, 'INVALID_CONTENT'],
    [`/content/${EMPTY}/%2e%2e/x`, 400, 'INVALID_CONTENT'],
    ['/content/%zz', 400, 'INVALID_PARAMS'],
    [`/content/${EMPTY}?ttl=0`, 400, 'INVALID_PARAMS'],
    [`/content/${EMPTY}?ttl=2.5`, 400, 'INVALID_PARAMS'],
    [`/content/${EMPTY}?sources=ipfs,ipfs`, 400, 'INVALID_PARAMS'],
    [`/content/${EMPTY}?source=ipfs`, 400, 'INVALID_PARAMS'],
    ['/nothing', 404, 'NOT_FOUND'],
    ['/rpc', 405, 'INVALID_REQUEST']
  ]
  for (const [path, status, code] of refusals) {
    it(`refuses ${path} with ${status} ${code}`, async () => {
      await using fixture = await rpcFixture()
      const answer = await http(fixture.socketPath, path)
      assert.deepEqual([answer.status, json(answer).error?.data['code']], [status, code])
    })
  }

  it('destroys the connection when the source fails after the first byte', async () => {
    await using fixture = await rpcFixture()
    const cid = await stored(fixture, randomBytes(1_000_000))
    fixture.services.faults.failAfter = 200_000
    for (const headers of [{}, { te: 'trailers' }, { 'kith-error': 'trailer' }]) {
      const response = await openHttp(fixture.socketPath, `/content/${cid}`, { headers })
      assert.equal(response.statusCode, 200)
      await assert.rejects(
        async () => {
          for await (const _part of response) continue
        },
        { code: 'ECONNRESET' }
      )
    }
  })

  it('answers 502 when the source fails before it', async () => {
    await using fixture = await rpcFixture()
    const cid = await stored(fixture, randomBytes(1000))
    fixture.services.faults.failAfter = 0
    const answer = await http(fixture.socketPath, `/content/${cid}`)
    assert.deepEqual([answer.status, json(answer).error?.code], [502, -32006])
  })

  it('aborts the search when the client leaves', async () => {
    await using fixture = await rpcFixture()
    const { services } = fixture
    services.faults.hang = EMPTY
    const [hanging, abortion] = [services.hanging(), services.abortion()]
    const sent = request({ socketPath: fixture.socketPath, path: `/content/${EMPTY}` })
    sent.on('error', () => {})
    sent.end()
    await hanging
    sent.destroy()
    await abortion
    assert.deepEqual(services.aborted, ['open'])
  })

  it('reads no further from the source than its client reads', async () => {
    await using fixture = await rpcFixture()
    const cid = await stored(fixture, Buffer.alloc(64 * 2 ** 20))
    const response = await openHttp(fixture.socketPath, `/content/${cid}`)
    await once(response, 'readable')
    for (let turn = 0; turn < 20; turn++) await settle()
    assert.ok(!fixture.services.calls.includes('close'))
    response.destroy()
    while (!fixture.services.calls.includes('close')) await settle()
  })
})

describe('POST /rpc', () => {
  const post = async ({ socketPath }: RpcFixture, body: string): Promise<HttpAnswer> =>
    await http(socketPath, '/rpc', { method: 'POST', body })

  it('answers 200, also for errors, and 204 for notifications', async () => {
    await using fixture = await rpcFixture()
    const good = await post(fixture, '{"jsonrpc":"2.0","id":1,"method":"daemon.version"}')
    assert.deepEqual([good.status, json(good)['id']], [200, 1])
    const bad = await post(fixture, '{"jsonrpc":"2.0","id":1,"method":"no.such"}')
    assert.deepEqual([bad.status, json(bad).error?.code], [200, -32601])
    const unreadable = await post(fixture, '{"jsonrpc"')
    assert.deepEqual([unreadable.status, json(unreadable).error?.code], [200, -32700])
    assert.equal((await post(fixture, '{"jsonrpc":"2.0","method":"daemon.version"}')).status, 204)
  })

  it('cannot push events', async () => {
    await using fixture = await rpcFixture()
    assert.equal(json(await post(fixture, '{"jsonrpc":"2.0","id":1,"method":"events.subscribe"}')).error?.code, -32600)
  })

  it('refuses a body of more than 8 MiB with 413', async () => {
    await using fixture = await rpcFixture()
    const answer = await post(fixture, ' '.repeat(8 * 2 ** 20 + 1))
    assert.deepEqual([answer.status, json(answer).error?.code], [413, -32004])
  })
})
