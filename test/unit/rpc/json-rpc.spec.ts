import assert from 'node:assert/strict'
import { RawLines, rpcFixture } from './support.ts'

const EMPTY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

describe('JSON-RPC over the socket', () => {
  const transcripts: [name: string, sent: string, expected: { id: unknown; code?: number; name?: string }][] = [
    [
      'text that is no JSON',
      '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
      { id: null, code: -32700, name: 'PARSE_ERROR' }
    ],
    ['an invalid request', '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', { id: null, code: -32600, name: 'INVALID_REQUEST' }],
    ['an empty batch', '[]', { id: null, code: -32600, name: 'INVALID_REQUEST' }],
    ['another version', '{"jsonrpc":"1.0","method":"daemon.version","id":4}', { id: 4, code: -32600 }],
    ['an id that is no id', '{"jsonrpc":"2.0","method":"daemon.version","id":{}}', { id: null, code: -32600 }],
    ['parameters that are no structure', '{"jsonrpc":"2.0","method":"daemon.version","id":4,"params":3}', { id: 4, code: -32600 }],
    ['an unknown method', '{"jsonrpc":"2.0","method":"content.gett","id":"a"}', { id: 'a', code: -32601, name: 'METHOD_NOT_FOUND' }],
    ['a name of every object', '{"jsonrpc":"2.0","method":"constructor","id":"a"}', { id: 'a', code: -32601 }],
    ['a request with id null', '{"jsonrpc":"2.0","method":"daemon.version","id":null}', { id: null }],
    ['parameters by position', `{"jsonrpc":"2.0","method":"content.has","id":1,"params":["${EMPTY}"]}`, { id: 1 }]
  ]
  for (const [name, sent, expected] of transcripts) {
    it(`answers ${name} as the specification says`, async () => {
      await using fixture = await rpcFixture()
      using lines = await RawLines.open(fixture.socketPath)
      lines.write(`${sent}\n`)
      const { id, error } = await lines.next()
      assert.equal(id, expected.id)
      assert.equal(error?.code, expected.code)
      if (expected.name !== undefined) assert.equal(error?.data['code'], expected.name)
    })
  }

  it('answers a batch element by element, and leaves notifications out', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    lines.write('[1,{"jsonrpc":"2.0","method":"daemon.version"},{"foo":"boo"},{"jsonrpc":"2.0","method":"daemon.version","id":"9"}]\n')
    const answers: unknown = await lines.next()
    assert.ok(Array.isArray(answers))
    assert.deepEqual(
      answers.map(({ id }) => id),
      [null, null, '9']
    )
  })

  it('never answers a notification, not even a wrong one, nor a batch of them', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    lines.write('{"jsonrpc":"2.0","method":"no.such"}\n[{"jsonrpc":"2.0","method":"daemon.version"},{"jsonrpc":"2.0","method":"x"}]\n')
    lines.call('daemon.version', {}, 'last')
    assert.equal((await lines.next()).id, 'last')
  })

  it('refuses a batch of more than 100 as a whole', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    const one = { jsonrpc: '2.0', method: 'daemon.version', id: 1 }
    lines.write(`${JSON.stringify(Array.from({ length: 101 }, () => one))}\n`)
    const { id, error } = await lines.next()
    assert.deepEqual([id, error?.code], [null, -32600])
  })

  it('takes blanks and empty lines before, between and around messages', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    lines.write(' \r\n\t{"jsonrpc":"2.0","method":"daemon.version","id":1}\r\n\n  \n')
    lines.call('daemon.version', {}, 2)
    assert.deepEqual([(await lines.next()).id, (await lines.next()).id], [1, 2])
  })

  it('puts a line together from single bytes, multi-byte characters included', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    const line = `${JSON.stringify({ jsonrpc: '2.0', id: 'ü€😀', method: 'daemon.version' })}\n`
    for (const byte of Buffer.from(line)) lines.socket.write(Buffer.of(byte))
    assert.equal((await lines.next()).id, 'ü€😀')
  })

  it('runs the calls of one connection side by side', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    fixture.services.faults.hang = EMPTY
    lines.call('content.get', { content: EMPTY }, 'slow')
    lines.call('daemon.version', {}, 'quick')
    assert.equal((await lines.next()).id, 'quick')
  })

  it('answers a last line without its end, to a client that has closed its half', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath, { allowHalfOpen: true })
    lines.socket.end('{"jsonrpc":"2.0","method":"daemon.status","id":1}')
    assert.equal((await lines.next()).id, 1)
    assert.equal(await lines.line(), undefined)
  })

  for (const noise of ['\u0016\u0003\u0001', '0123', '"text"', ' '.repeat(5000)]) {
    it(`answers ${JSON.stringify(noise.slice(0, 10))} with one parse error and closes`, async () => {
      await using fixture = await rpcFixture()
      using lines = await RawLines.open(fixture.socketPath)
      lines.write(noise)
      assert.equal((await lines.next()).error?.code, -32700)
      assert.equal(await lines.line(), undefined)
    })
  }
})
