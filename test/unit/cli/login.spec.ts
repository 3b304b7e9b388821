import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf, rpcFixture } from '../rpc/support.ts'
import { kith } from './support.ts'

const guard = {
  tokens: [
    { name: 'all', sha256: digestOf('all-of-it'), scopes: ['admin' as const] },
    { name: 'reader', sha256: digestOf('read-only'), scopes: ['read' as const] }
  ]
}

describe('kith with a token', () => {
  it('logs in with KITH_TOKEN, for calls, bytes and events alike', async () => {
    await using fixture = await rpcFixture(guard)
    const { home, services } = fixture
    const env = { KITH_TOKEN: 'all-of-it' }
    const put = await kith(['put', '-', '--name', 'a.txt'], { home, env, stdin: 'hello' })
    assert.equal(put.code, 0, put.stderr)
    const get = await kith(['get', put.stdout.trim(), '-o', 'b.txt'], { home, env })
    assert.equal(get.code, 0, get.stderr)
    assert.equal(await readFile(join(home, 'b.txt'), 'utf8'), 'hello')
    assert.equal((await kith(['status'], { home, env })).code, 0)
    services.events.emit('gc.done', { number: 1 })
    const interrupt = new AbortController()
    const argv = ['events', '--since', '0', '--types', 'gc.done', '--json']
    const events = await kith(argv, { home, env, signal: interrupt.signal, onStdout: () => interrupt.abort() })
    assert.deepEqual([events.code, JSON.parse(events.stdout).type], [0, 'gc.done'])
  })

  it('is not permitted without one, with a wrong one, or beyond its scopes, and says how to log in', async () => {
    await using fixture = await rpcFixture(guard)
    const { home } = fixture
    await writeFile(join(home, 'x'), 'x')
    const cases: [argv: string[], token: string | undefined][] = [
      [['status'], undefined],
      [['status'], ''],
      [['cat', 'ipfs://bafkqaaa'], undefined],
      [['status'], 'wrong'],
      [['put', '-'], 'wrong'],
      [['put', 'x'], 'read-only'],
      [['put', '-'], 'read-only'],
      [['shutdown'], 'read-only']
    ]
    for (const [argv, token] of cases) {
      const { code, stdout, stderr } = await kith(argv, { home, ...(token === undefined ? {} : { env: { KITH_TOKEN: token } }) })
      assert.deepEqual([code, stdout], [5, ''], argv.join(' '))
      assert.match(stderr, /KITH_TOKEN/)
      assert.ok(!stderr.includes('read-only'))
    }
  })

  it('lets a doctor see only what the token may see', async () => {
    await using fixture = await rpcFixture(guard)
    const { home } = fixture
    const codes = async (env: Record<string, string>): Promise<string[]> =>
      JSON.parse((await kith(['doctor', '--json'], { home, env })).stdout).findings.map(({ code }: { code: string }) => code)
    assert.ok((await codes({})).includes('DAEMON_REFUSES'))
    assert.ok((await codes({ KITH_TOKEN: 'read-only' })).includes('DAEMON'))
  })
})
