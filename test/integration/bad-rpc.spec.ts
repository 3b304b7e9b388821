/** A real daemon and clients that are broken, rude or hostile: each gets a clear answer, and nobody else notices. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { RawLines, type Message } from '../support/raw-lines.ts'
import { unharmed } from './bad-input-support.ts'
import { http, MIB, rejection } from './daemon-support.ts'

const EMPTY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
describe('a daemon and bad input at its socket', () => {
  let daemon: DaemonProcess
  const open = async (): Promise<RawLines> => await RawLines.open(daemon.ready.socket)
  const isServed = async (lines: RawLines): Promise<void> => assert.equal((await lines.ask('daemon.version')).error, undefined)

  before(async () => {
    daemon = await DaemonProcess.start()
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
  })

  /** Sends one message and checks how it is refused, on a connection that goes on. */
  const refused = async (message: string | Buffer, id: unknown, code: number, name: string): Promise<void> => {
    using lines = await open()
    lines.socket.write(message)
    lines.socket.write('\n')
    const whole: unknown = await lines.next()
    const answer: Message = Array.isArray(whole) ? whole[0] : whole
    const text = message.toString().slice(0, 100)
    assert.deepEqual([answer.id, answer.error?.code, answer.error?.data['code']], [id, code, name], text)
    assert.ok((answer.error?.message.length ?? 0) < 2000, text)
    await isServed(lines)
  }

  it('answers text that is no JSON with a parse error', async () => {
    await unharmed(daemon, async () => {
      const texts = ['{"jsonrpc": "2.0", "method"', '{', '[1,]', "{'a':1}", '{"a":NaN}', '{"jsonrpc":"2.0"}}', '[', '{"a":"\u0001"}']
      for (const text of texts) await refused(text, null, -32700, 'PARSE_ERROR')
    })
  })

  it('answers bytes that are not UTF-8 with a parse error, and stores none of them', async () => {
    await unharmed(daemon, async () => {
      const put = (name: Buffer): Buffer =>
        Buffer.concat([
          Buffer.from('{"jsonrpc":"2.0","id":1,"method":"content.put","params":{"data":"","name":"'),
          name,
          Buffer.from('"}}')
        ])
      for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]])
        await refused(put(Buffer.from(bytes)), null, -32700, 'PARSE_ERROR')
      using lines = await open()
      lines.socket.write(Buffer.concat([put(Buffer.of(0xff)), Buffer.from('\n{"jsonrpc":"2.0","id":"next","method":"daemon.version"}\n')]))
      assert.deepEqual([(await lines.next()).id, (await lines.next()).id], [null, 'next'])
      const half = await lines.ask('content.put', { data: '', type: '\ud800' })
      assert.equal(half.error?.data['code'], 'INVALID_PARAMS')
      const body = await http(daemon, 'POST', '/rpc', { body: put(Buffer.of(0xff)) })
      assert.equal(JSON.parse(body.body.toString()).error.code, -32700)
    })
    assert.deepEqual((await daemon.client.call('content.list', {})).items, [])
  })

  it('answers requests that are none as invalid, under their id if it is one', async () => {
    await unharmed(daemon, async () => {
      for (const id of ['{}', '[]', 'true', '{"a":1}', '1e999'])
        await refused(`{"jsonrpc":"2.0","method":"daemon.version","id":${id}}`, null, -32600, 'INVALID_REQUEST')
      for (const rest of ['"method":1', '"params":{}', '"method":"daemon.version","params":"x"', '"method":null'])
        await refused(`{"jsonrpc":"2.0","id":7,${rest}}`, 7, -32600, 'INVALID_REQUEST')
      await refused('{"jsonrpc":"2.0","id":7,"method":"__proto__"}', 7, -32601, 'METHOD_NOT_FOUND')
      await refused('{"jsonrpc":"2.0","id":7,"method":"daemon.version","params":{"__proto__":{"a":1}}}', 7, -32602, 'INVALID_PARAMS')
    })
  })

  it('answers malformed addresses with what is wrong about them', async () => {
    const bad = [
      '',
      ' ',
      'x',
      EMPTY.slice(0, -1),
      `${EMPTY}x`,
      'ipfs://',
      `kith://${EMPTY}/../x`,
      `${EMPTY}/a//b`,
      `${EMPTY}/a%2Fb\u0000`,
      'sha256:zz',
      'f'.repeat(63),
      'QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1',
      'bafyreib4pff766vhpbxbhjbqqnsh5emeznvujayjj4z2iu533cprgbz23m',
      `bafkqb${'a'.repeat(300)}`,
      'x'.repeat(5000),
      'https://example.org/ipfs/x',
      '\ud800'
    ]
    await unharmed(daemon, async () => {
      using lines = await open()
      for (const content of [...bad, 7, null, true, [], [EMPTY], {}, { algorithm: 'md5', value: 'aa' }])
        for (const method of ['content.get', 'content.has', 'content.rm', 'content.verify']) {
          const { error } = await lines.ask(method, { content })
          assert.equal(error?.code, -32602, `${method} ${JSON.stringify(content).slice(0, 100)}: ${JSON.stringify(error)}`)
          assert.equal(error.data['code'], 'INVALID_CONTENT')
          assert.ok(error.message.length < 1000)
        }
    })
  })

  it('answers batches that are empty, mixed and too long', async () => {
    await unharmed(daemon, async () => {
      await refused('[]', null, -32600, 'INVALID_REQUEST')
      const one = '{"jsonrpc":"2.0","id":1,"method":"daemon.version"}'
      await refused(`[${Array.from({ length: 101 }, () => one).join(',')}]`, null, -32600, 'INVALID_REQUEST')
      using lines = await open()
      lines.write(
        `[1,[],null,"x",${one},{"jsonrpc":"2.0","method":"no.such"},{"id":"a"},{"jsonrpc":"2.0","id":2,"method":"content.has"}]\n`
      )
      const answers: unknown = await lines.next()
      assert.ok(Array.isArray(answers))
      assert.deepEqual(
        answers.map(({ id, error }) => [id, error?.code]),
        [
          [null, -32600],
          [null, -32600],
          [null, -32600],
          [null, -32600],
          [1, undefined],
          ['a', -32600],
          [2, -32602]
        ]
      )
    })
  })

  it('refuses values nested two hundred thousand deep before it reads them, and answers those of thirty', async () => {
    await unharmed(daemon, async () => {
      for (const [depth, isDeep] of [
        [200_000, true],
        [28, false]
      ] as const) {
        const deep = '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)
        const list = '['.repeat(depth) + ']'.repeat(depth)
        const call = async (method: string, params: string, name: string): Promise<void> => {
          const message = `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`
          await (isDeep ? refused(message, null, -32600, 'INVALID_REQUEST') : refused(message, 1, -32602, name))
        }
        await refused('['.repeat(depth), null, isDeep ? -32600 : -32700, isDeep ? 'INVALID_REQUEST' : 'PARSE_ERROR')
        await refused(list, null, -32600, 'INVALID_REQUEST')
        await refused(`{"jsonrpc":"2.0","id":${list},"method":"daemon.version"}`, null, -32600, 'INVALID_REQUEST')
        await call('content.has', `{"content":${deep}}`, 'INVALID_CONTENT')
        await call('content.has', `{"content":${list}}`, 'INVALID_CONTENT')
        await call('daemon.version', `{"x":${deep}}`, 'INVALID_PARAMS')
        await call('daemon.version', list, 'INVALID_PARAMS')
        await call('content.put', `{"entries":${list}}`, 'INVALID_PARAMS')
        await call('content.put', `{"data":"","idempotencyKey":${list}}`, 'INVALID_PARAMS')
        await call('content.get', `{"content":"${EMPTY}","metadata":${deep}}`, 'INVALID_PARAMS')
      }
    })
  }).timeout(60_000)

  it('refuses a line of 20 MiB and closes', async () => {
    await unharmed(daemon, async () => {
      using lines = await open()
      lines.write(`{"jsonrpc":"2.0","id":1,"method":"${'x'.repeat(20 * MIB)}"}\n`)
      const { id, error } = await lines.next()
      assert.deepEqual([id, error?.code], [null, -32004])
      assert.equal(await lines.line(), undefined)
    })
  })

  it('closes on HTTP that can be read in two ways, before any of it is acted on', async () => {
    const head = 'POST /rpc HTTP/1.1\r\nHost: k\r\n'
    const call = '{"jsonrpc":"2.0","id":1,"method":"content.put","params":{"data":"c211Z2dsZWQ="}}'
    const smuggled = `POST /rpc HTTP/1.1\r\nHost: k\r\nContent-Length: ${call.length}\r\n\r\n${call}`
    const requests = [
      `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n${smuggled}`,
      `${head}Content-Length: +5\r\n\r\n${smuggled}`,
      `${head}Content-Length: 5, 5\r\n\r\n${smuggled}`,
      `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
      `${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      `${head}X: a\r\n Content-Length: 5\r\n\r\n${smuggled}`,
      `${head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n${smuggled}`,
      `${head}Transfer-Encoding: chunked\r\n\r\n-1\r\n${smuggled}`,
      `${head}X: ${'a'.repeat(100_000)}\r\n\r\n${smuggled}`,
      `POST /rpc HTTP/1.1\nHost: k\nContent-Length: 5\nContent-Length: 7\n\n${smuggled}`,
      `GET /content/${EMPTY} HTTP/1.1\r\nHost: k\r\nHost: j\r\nContent-Length: 99999999999999999999\r\n\r\n`,
      `CONNECT example.org:443 HTTP/1.1\r\nHost: k\r\n\r\n`,
      'GET / HTTP/9.9\r\n\r\n',
      'G\u0000T / HTTP/1.1\r\n\r\n'
    ]
    await unharmed(daemon, async () => {
      const before = (await daemon.client.call('content.list', {})).items.length
      for (const request of requests) {
        const socket = createConnection({ path: daemon.ready.socket })
        let text = ''
        socket.on('data', (chunk: Buffer) => {
          text += String(chunk)
        })
        socket.on('error', () => {})
        socket.write(request)
        await new Promise<void>(resolve => socket.on('close', () => resolve()))
        const name = JSON.stringify(request.slice(0, 120))
        assert.ok(text === '' || /^HTTP\/1\.1 4\d\d /.test(text), `${name}: ${text}`)
        assert.ok(!text.includes('newBlocks'), name)
      }
      assert.equal((await daemon.client.call('content.list', {})).items.length, before)
    })
  })

  it('answers HTTP it has no use for, and keeps nothing of a body that breaks off', async () => {
    await unharmed(daemon, async () => {
      const before = (await daemon.client.call('content.list', {})).items.length
      for (const [method, path, status] of [
        ['DELETE', '/content', 405],
        ['GET', '/../../etc/passwd', 404],
        ['GET', '//content/x', 404],
        ['GET', '/content/%ff', 400],
        ['GET', `/content/${EMPTY}?ttl=1&ttl=2`, 400],
        ['GET', `/content/${EMPTY}?${'x'.repeat(9000)}`, 413],
        ['OPTIONS', '/rpc', 405]
      ] as const)
        assert.equal((await http(daemon, method, path)).status, status, `${method} ${path.slice(0, 50)}`)
      const socket = createConnection({ path: daemon.ready.socket })
      socket.on('error', () => {})
      socket.write('PUT /content HTTP/1.1\r\nHost: k\r\nContent-Length: 9000000\r\n\r\n')
      socket.write(Buffer.alloc(3 * MIB, 5))
      socket.end()
      socket.resume()
      await once(socket, 'close')
      assert.equal((await daemon.client.call('content.list', {})).items.length, before)
    })
  })

  it('refuses cursors that nobody gave', async () => {
    await unharmed(daemon, async () => {
      for (const cursor of ['x', 'own:zzz', ':', 'public:AAAA', `own:${'9'.repeat(2000)}`, '\u0000', 'cache:🦊']) {
        for (const method of ['content.list', 'peers.list'] as const)
          assert.equal((await rejection(daemon.client.call(method, { cursor }))).code, 'INVALID_PARAMS', `${method} ${cursor}`)
      }
    })
  })
})
