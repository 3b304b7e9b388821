import assert from 'node:assert/strict'
import { join } from 'node:path'
import { NOT_BUILT_METHODS } from '../../../src/rpc/not-built.ts'
import { METHODS_BY_NAME } from '../../../src/rpc/table.ts'
import { FAKE_DIRECTORY } from '../../support/fake-content.ts'
import { RawLines, rpcFixture } from './support.ts'

const EMPTY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
const HELLO = Buffer.from('hello').toString('base64')

describe('parameters', () => {
  const refusals: [method: string, params: unknown, code: string, message: RegExp][] = [
    ['content.get', { contnet: EMPTY }, 'INVALID_PARAMS', /"contnet".*"content"/],
    ['content.get', {}, 'INVALID_PARAMS', /"content" is missing/],
    ['content.get', { content: 'not-an-address' }, 'INVALID_CONTENT', /not-an-address/],
    ['content.get', { content: 7 }, 'INVALID_CONTENT', /"7"/],
    ['content.get', { content: { algorithm: 'md5', value: 'aa' } }, 'INVALID_CONTENT', /md5/],
    ['content.get', { content: { algorithm: 'sha256' } }, 'INVALID_CONTENT', /sha256/],
    ['content.get', { content: EMPTY, ttl: 0 }, 'INVALID_PARAMS', /"ttl" is wrong: it must be whole seconds, from 1 to 300$/],
    ['content.get', { content: EMPTY, ttl: 301 }, 'INVALID_PARAMS', /"ttl"/],
    ['content.get', { content: EMPTY, ttl: 1.5 }, 'INVALID_PARAMS', /whole seconds, from 1 to 300$/],
    ['content.get', { content: EMPTY, hops: 2 }, 'INVALID_PARAMS', /"hops"/],
    ['content.get', { content: EMPTY, offset: -1 }, 'INVALID_PARAMS', /"offset"/],
    ['content.get', { content: EMPTY, path: 'relative' }, 'INVALID_PARAMS', /absolute/],
    ['content.get', { content: EMPTY, preferredSources: ['pear'] }, 'INVALID_PARAMS', /"pear".*"peer"/],
    ['content.get', { content: EMPTY, preferredSources: ['ipfs', 'ipfs'] }, 'INVALID_PARAMS', /twice/],
    ['content.get', { content: EMPTY, preferredSources: ['local'] }, 'INVALID_PARAMS', /"local"/],
    ['content.get', { content: EMPTY, metadata: { privacy: 'public', sise: 1 } }, 'INVALID_PARAMS', /metadata\.sise/],
    ['content.put', {}, 'INVALID_PARAMS', /exactly one/],
    ['content.put', { data: HELLO, path: '/etc/hostname' }, 'INVALID_PARAMS', /exactly one/],
    ['content.put', { data: 'not base64!' }, 'INVALID_PARAMS', /base64/],
    ['content.put', { data: Buffer.alloc(4 * 2 ** 20 + 1).toString('base64') }, 'TOO_LARGE', /PUT \/content/],
    ['content.put', { entries: [{ path: '../x', data: HELLO }] }, 'INVALID_PARAMS', /entries\.0\.path/],
    ['content.put', { entries: [{ path: 'x' }] }, 'INVALID_PARAMS', /entries\.0/],
    ['content.put', { data: HELLO, recipients: [] }, 'NOT_BUILT', /recipients/],
    ['content.put', { data: HELLO, group: 'family' }, 'NOT_BUILT', /group/],
    ['content.put', { data: HELLO, idempotencyKey: '' }, 'INVALID_PARAMS', /idempotencyKey/],
    ['content.put', { data: HELLO, type: 'half a pair: \ud800' }, 'INVALID_PARAMS', /Unicode/],
    ['content.put', { data: HELLO, privacy: 'restricted' }, 'NOT_BUILT', /restricted/],
    ['content.put', { data: HELLO, privacy: 'secret' }, 'INVALID_PARAMS', /"privacy"/],
    ['content.list', { limit: 1001 }, 'INVALID_PARAMS', /"limit"/],
    ['events.subscribe', { types: ['peer.conected'] }, 'INVALID_PARAMS', /"peer\.connected"/],
    ['daemon.status', { verbose: true }, 'INVALID_PARAMS', /"verbose"/]
  ]
  for (const [method, params, code, message] of refusals) {
    it(`${method} refuses ${JSON.stringify(params).slice(0, 70)} with ${code}`, async () => {
      await using fixture = await rpcFixture()
      using lines = await RawLines.open(fixture.socketPath)
      lines.call(method, params)
      const { error } = await lines.next()
      assert.equal(error?.data['code'], code)
      assert.match(error?.message ?? '', message)
      assert.ok(['caller', 'world', 'bug'].includes(String(error?.data['fault'])))
      assert.deepEqual(fixture.services.calls, [])
    })
  }

  for (const content of [
    EMPTY,
    `kith://${EMPTY}`,
    `ipfs://${EMPTY}`,
    `/ipfs/${EMPTY}`,
    `sha256:${'ab'.repeat(32)}`,
    'ab'.repeat(32),
    { algorithm: 'sha256', value: 'ab'.repeat(32) },
    'QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n'
  ]) {
    it(`takes the address ${JSON.stringify(content)}`, async () => {
      await using fixture = await rpcFixture()
      using lines = await RawLines.open(fixture.socketPath)
      lines.call('content.has', { content })
      assert.deepEqual((await lines.next()).result, { local: false })
    })
  }

  it('hands the options of a get on as they are', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    const params = {
      content: EMPTY,
      ttl: 3,
      hops: 0,
      deadline: 2.5,
      offset: 1,
      length: 2,
      preferredSources: ['gateway', 'peer'],
      metadata: { privacy: 'public', size: 4 }
    }
    lines.call('content.get', params)
    assert.equal((await lines.next()).error?.code, -32001)
    assert.deepEqual(fixture.services.asked, [params])
  })
})

describe('the method table', () => {
  it('answers NOT_BUILT for every method of later versions', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    for (const name of Object.keys(NOT_BUILT_METHODS)) {
      lines.call(name, { anything: true })
      const { error } = await lines.next()
      assert.deepEqual([name, error?.code, error?.data['code']], [name, -32009, 'NOT_BUILT'])
    }
  })

  it('answers what its result schemas say', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    lines.call('content.put', { data: HELLO, privacy: 'public', name: 'a', contentType: 'text/plain', type: 'note' })
    const put = (await lines.next()).result
    const content = put?.['cid']
    const params: Record<string, unknown> = {
      'content.put': { data: HELLO },
      'content.export': { content, path: join(fixture.home, 'out.car') },
      'content.import': { path: '/in.car' },
      'content.link': { content },
      'log.setLevel': { level: 'debug' },
      'content.ls': { content: FAKE_DIRECTORY },
      'content.rm': { content, force: true },
      'peers.connect': { address: '/ip4/127.0.0.1/tcp/1' },
      'peers.disconnect': { peer: 'p' },
      'peers.ping': { peer: 'p' },
      'peers.join': { ticket: 'kith:fake' },
      'peers.uninvite': { ticket: 'kith:fake' },
      'content.share': { content },
      'capabilities.query': { peer: 'p' },
      'trust.set': { did: 'd', level: 50 },
      ...Object.fromEntries(['get', 'assert', 'revoke', 'block', 'unblock'].map(name => [`trust.${name}`, { did: 'd' }])),
      'call.cancel': { id: 99 },
      'pubsub.publish': { topic: 't', data: HELLO },
      'pubsub.subscribe': { topic: 't' },
      'pubsub.unsubscribe': { subscription: 's1' },
      'events.unsubscribe': { subscription: 's2' }
    }
    const last = ['content.rm', 'events.unsubscribe']
    // With its own tests: here there is no token to log in with.
    const apart = ['auth.login']
    const names = [...METHODS_BY_NAME.keys()].filter(name => !last.includes(name) && !apart.includes(name))
    for (const name of [...names, ...last]) {
      lines.call(
        name,
        params[name] ??
          (['content.get', 'content.stat', 'content.has', 'content.privacy', 'route.explain', 'route.best'].includes(name)
            ? { content }
            : {}),
        name
      )
      let answer = await lines.next()
      while (answer.id !== name) answer = await lines.next()
      const checked = METHODS_BY_NAME.get(name)?.result.safeParse(answer.result)
      assert.ok(checked?.success === true, `${name}: ${JSON.stringify(answer)} ${checked?.error?.message}`)
    }
  })

  it('describes itself: an OpenRPC document with every built method, its parameters and which are required', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    lines.call('rpc.discover')
    const document = (await lines.next()).result
    assert.ok(document !== undefined)
    assert.match(String(document['openrpc']), /^1\./)
    assert.equal(document['apiVersion'], '1.0.0')
    const methods = document['methods']
    assert.ok(Array.isArray(methods))
    assert.deepEqual(
      methods.map(({ name }) => name),
      [...METHODS_BY_NAME.keys()]
    )
    const get = methods.find(({ name }) => name === 'content.get')
    assert.deepEqual(
      get.params.filter(({ required }: { required: boolean }) => required).map(({ name }: { name: string }) => name),
      ['content']
    )
    assert.ok(get.params.every(({ schema }: { schema: object }) => Object.keys(schema).length > 0))
  })

  it('stops the daemon only after the answer is on its way', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    lines.call('daemon.shutdown')
    assert.deepEqual((await lines.next()).result, {})
    assert.equal(fixture.services.shutdowns, 1)
  })
})
