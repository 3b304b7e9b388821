/** Messages as long as they may be that consist of as much trouble as fits: each costs little, and the others are served. */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { METHODS } from '../../../src/rpc/table.ts'
import { digestOf, http, RawLines, rpcFixture, type Guard, type Message } from './support.ts'

const MIB = 2 ** 20
const EMPTY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
/**
 * What one message may cost this thread, which is the server and its client at once: several times what the dearest of
 * these costs; unbounded, most of them cost between one second and forty. Microseconds of CPU.
 */
const COST_MAX_US = 500_000
const TOKEN = 'token-that-is-known'
const GUARD: Guard = { tokens: [{ name: 'reader', sha256: digestOf(TOKEN), scopes: ['read'] }] }

/** A message of 8 MiB: `part` again and again amid `head` and `tail`. */
function filled(head: string, part: (index: number) => string, tail: string): string {
  const parts: string[] = []
  for (let length = head.length + tail.length, index = 0; ; index++) {
    const next = part(index)
    length += next.length
    if (length > 8 * MIB) return head + parts.join('') + tail
    parts.push(next)
  }
}

function call(method: string, params: string): string {
  return `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}`
}

const version = '{"jsonrpc":"2.0","id":1,"method":"daemon.version"}'
const heavy: readonly (readonly [what: string, message: () => string])[] = [
  ['wrong event types', () => filled(call('events.subscribe', '{"types":["zz"'), () => ',"zz"', ']}}')],
  ['types that are no texts', () => filled(call('events.subscribe', '{"types":[0'), () => ',0', ']}}')],
  ['one type of megabytes', () => filled(call('events.subscribe', '{"types":["'), () => 'peer.connect', '"]}}')],
  ['wrong sources', () => filled(call('content.get', `{"content":"${EMPTY}","preferredSources":["zz"`), () => ',"zz"', ']}}')],
  ['unknown parameters', () => filled(call('content.get', '{"a":1'), index => `,"k${index}":1`, '}}')],
  [
    'unknown parameters within one',
    () => filled(call('content.get', `{"content":"${EMPTY}","metadata":{"a":1`), index => `,"k${index}":1`, '}}}')
  ],
  ['a parameter with a name of megabytes', () => filled(call('content.get', '{"'), () => 'kkkkkkkk', '":1}}')],
  ['entries without a path', () => filled(call('content.put', '{"entries":[{}'), () => ',{}', ']}}')],
  ['parameters by position', () => filled(call('content.get', '[0'), () => ',0', ']}')],
  ['an address of megabytes', () => filled(call('content.has', '{"content":"'), () => 'bafkreih', '"}}')],
  ['an algorithm of megabytes', () => filled(call('content.has', '{"content":{"value":"","algorithm":"'), () => 'sha256', '"}}}')],
  ['a method with a name of megabytes', () => filled('{"jsonrpc":"2.0","id":1,"method":"', () => 'content.', '"}')],
  ['lists in lists', () => filled('', () => '[', '')],
  ['objects in objects', () => filled('', () => '{"a":', '')],
  ['lists in lists among the parameters', () => filled(call('content.get', `{"content":`), () => '[', '')],
  ['a batch', () => filled(`[${version}`, () => `,${version}`, ']')],
  ['a batch of nothings', () => filled('[0', () => ',0', ']')],
  ['escaped quotes', () => filled(call('content.get', '{"content":"'), () => '\\"', '"}}')],
  ['digits', () => filled(call('content.get', '{"offset":1'), () => '1111', '}}')],
  ['backslashes', () => filled(call('content.get', '{"content":"'), () => '\\\\', '"}}')]
]

/** @returns the answer, and what the thread worked between the question and it */
async function cost(work: () => Promise<Message>): Promise<{ readonly answer: Message; readonly us: number }> {
  const before = process.threadCpuUsage()
  const answer = await work()
  const { user, system } = process.threadCpuUsage(before)
  return { answer, us: user + system }
}

describe('a message of 8 MiB', () => {
  for (const [what, message] of heavy)
    it(`of ${what} is refused at a small cost, and the others are served`, async () => {
      await using fixture = await rpcFixture()
      using lines = await RawLines.open(fixture.socketPath)
      using other = await RawLines.open(fixture.socketPath)
      const text = message()
      const { answer, us } = await cost(async () => {
        lines.write(`${text}\n`)
        return await lines.next()
      })
      assert.ok(us < COST_MAX_US, `it cost ${us} µs`)
      assert.equal(answer.error?.data['fault'], 'caller')
      assert.ok(JSON.stringify(answer.error).length < 3_000, 'nor is it sent back')
      for (const client of [lines, other]) assert.equal((await client.ask('daemon.version')).error, undefined)
      assert.deepEqual(fixture.services.calls, [])
    })

  it('is content, if it is one long text', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    const { answer, us } = await cost(async () => await lines.ask('content.put', { data: Buffer.alloc(4 * MIB).toString('base64') }))
    assert.equal(answer.result?.['size'], 4 * MIB)
    assert.ok(us < COST_MAX_US, `it cost ${us} µs`)
  })

  it('is not read from who has not logged in, over lines and over HTTP', async () => {
    await using fixture = await rpcFixture(GUARD)
    const message = filled(call('auth.login', '{"a":1'), index => `,"k${index}":1`, '}}')
    using lines = await RawLines.open(fixture.socketPath)
    const { answer, us } = await cost(async () => {
      lines.write(`${message}\n`)
      return await lines.next()
    })
    assert.deepEqual([answer.id, answer.error?.data['code'], answer.error?.data['limit']], [null, 'UNAUTHORIZED', 16_384])
    assert.equal(await lines.line(), undefined)
    assert.ok(us < COST_MAX_US, `it cost ${us} µs`)
    const refused = await http(fixture.socketPath, '/rpc', { method: 'POST', body: message.slice(0, 20_000) })
    assert.equal(refused.status, 401)
    const taken = await http(fixture.socketPath, '/rpc', {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'content.has', params: { content: EMPTY.padEnd(20_000) } })
    })
    assert.equal(taken.status, 200)
  })

  it('may follow a login at once, and not a login that failed', async () => {
    await using fixture = await rpcFixture(GUARD)
    const login = (token: string): string => `${JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'auth.login', params: { token } })}\n`
    const long = `${call('content.has', `{"content":"${' '.repeat(7 * MIB)}"`)}}}\n`
    using good = await RawLines.open(fixture.socketPath)
    good.write(login(TOKEN) + long)
    assert.equal((await good.next()).error, undefined)
    assert.equal((await good.next()).error?.data['code'], 'INVALID_CONTENT')
    using bad = await RawLines.open(fixture.socketPath)
    bad.write(login('another') + long)
    assert.equal((await bad.next()).error?.data['code'], 'UNAUTHORIZED')
    assert.deepEqual((await bad.next()).error?.data['limit'], 16_384)
    assert.equal(await bad.line(), undefined)
  })
})

describe('the parameters of every method', () => {
  for (const [name, { params }] of Object.entries(METHODS))
    it(`have a bound in each text and list: ${name}`, () => {
      assert.deepEqual(unbounded(z.toJSONSchema(params, { io: 'input', unrepresentable: 'any' }), name), [])
    })
})

/** Where texts may be of any length, lists of any number, and objects have any names. */
function unbounded(schema: unknown, at: string): string[] {
  if (Array.isArray(schema)) return schema.flatMap(inner => unbounded(inner, at))
  if (typeof schema !== 'object' || schema === null) return []
  const { type, maxLength, maxItems, additionalProperties }: Record<string, unknown> = { ...schema }
  const isListed = 'enum' in schema || 'const' in schema
  const here =
    (type === 'string' && maxLength === undefined && !isListed) ||
    (type === 'array' && maxItems === undefined) ||
    (type === 'object' && additionalProperties !== false)
  const below = Object.entries(schema).flatMap(([key, inner]) => unbounded(inner, `${at}.${key}`))
  return here ? [at, ...below] : below
}
