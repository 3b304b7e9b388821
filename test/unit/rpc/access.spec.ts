import assert from 'node:assert/strict'
import { authorize, NOBODY, openAccess, OPERATOR } from '../../../src/rpc/access.ts'
import type { AccessToken, Scope } from '../../../src/rpc/access.ts'
import { NOT_BUILT_METHODS } from '../../../src/rpc/not-built.ts'
import { METHODS_BY_NAME } from '../../../src/rpc/table.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'
import { digestOf, http, openHttp, RawLines, rpcFixture } from './support.ts'
import type { Guard } from './support.ts'

const EMPTY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
const HOUR = 3_600_000
const START = Date.UTC(2026, 0, 1)

function tokenFor(name: string, scopes: readonly Scope[], more: Partial<AccessToken> = {}): AccessToken {
  return { name, sha256: digestOf(`secret of ${name}`), scopes, ...more }
}

/** What the contract grants, word by word; `*` stands for every method of a surface. */
const SCOPES: Readonly<Record<Exclude<Scope, 'admin'>, string>> = {
  read: `daemon.status daemon.health daemon.version content.get content.stat content.has content.ls content.list content.privacy
    content.link content.export route.* peers.list adverts.list capabilities.query trust.get trust.list pin.list pin.status swarm.list
    swarm.members swarm.invites events.* pubsub.subscribe pubsub.unsubscribe`,
  write: 'content.put content.import content.rm content.verify content.publish pubsub.publish',
  pin: 'pin.*',
  peers: 'peers.* trust.* adverts.publish',
  swarm: 'swarm.*'
}
const ADMIN_ALONE = ['gc.run', 'config.get', 'log.setLevel', 'daemon.shutdown', 'content.share']
const BEFORE_LOGIN = ['auth.login', 'rpc.discover', 'daemon.version']
/** Concerns the caller's own calls only. */
const ANY_LOGIN = ['call.cancel']

describe('scopes', () => {
  const methods = new Map([
    ...[...METHODS_BY_NAME].map(([name, { access }]) => [name, access] as const),
    ...Object.entries(NOT_BUILT_METHODS)
  ])
  const mayCall = (name: string, scopes: readonly Scope[]): boolean => {
    const access = methods.get(name)
    assert.ok(access !== undefined, name)
    try {
      authorize({ name, access }, { scopes: new Set(scopes) })
      return true
    } catch {
      return false
    }
  }
  const grants = (scope: Exclude<Scope, 'admin'>, name: string): boolean =>
    [...BEFORE_LOGIN, ...ANY_LOGIN].includes(name) ||
    SCOPES[scope].split(/\s+/).some(word => word === name || (word.endsWith('*') && name.startsWith(word.slice(0, -1))))

  for (const scope of ['read', 'write', 'pin', 'peers', 'swarm'] as const) {
    it(`${scope} grants what the contract says, and nothing else`, () => {
      const wrong = [...methods.keys()].filter(name => mayCall(name, [scope]) !== grants(scope, name))
      assert.deepEqual(wrong, [])
    })
  }

  it('admin grants everything, and some methods to nobody else', () => {
    const others: readonly Scope[] = ['read', 'write', 'pin', 'peers', 'swarm']
    assert.deepEqual(
      [...methods.keys()].filter(name => !mayCall(name, ['admin'])),
      []
    )
    assert.deepEqual([...methods.keys()].filter(name => !mayCall(name, others)).toSorted(), ADMIN_ALONE.toSorted())
  })

  it('nobody may log in, and ask what there is', () => {
    assert.deepEqual([...methods.keys()].filter(name => mayCall(name, [])).toSorted(), BEFORE_LOGIN.toSorted())
  })
})

describe('openAccess', () => {
  const clock = new VirtualClock()
  const tokens = [tokenFor('a', ['read']), tokenFor('b', ['write'], { expires: START + HOUR })]

  it('knows a token by its digest alone', () => {
    const access = openAccess({ tokens, socket: 'token', clock })
    assert.equal(access.login('secret of a').token?.name, 'a')
    for (const wrong of ['secret of c', digestOf('secret of a'), '', `${'x'.repeat(1024)}y`])
      assert.throws(() => access.login(wrong), { code: 'UNAUTHORIZED' })
  })

  it('says who a caller is before a login', () => {
    assert.equal(openAccess({ tokens, socket: 'admin', clock }).beforeLogin, OPERATOR)
    assert.equal(openAccess({ tokens, socket: 'token', clock }).beforeLogin, NOBODY)
  })

  it('takes a token until it expires, and no longer', async () => {
    const access = openAccess({ tokens, socket: 'token', clock })
    const caller = access.login('secret of b')
    assert.equal(access.current(caller), caller)
    await clock.advance(HOUR)
    assert.equal(access.current(caller), NOBODY)
    assert.throws(() => access.login('secret of b'), { code: 'UNAUTHORIZED', message: /expired at 2026-01-01T01:00/ })
  })
})

describe('auth.login', () => {
  const guard: Guard = {
    tokens: [tokenFor('reader', ['read']), tokenFor('writer', ['write']), tokenFor('brief', ['read'], { expires: START + HOUR })]
  }
  const codeOf = async (lines: RawLines, method: string, params?: unknown): Promise<unknown> => {
    const { error } = await lines.ask(method, params)
    return error?.data['code']
  }

  it('opens what the token grants, which was closed before', async () => {
    await using fixture = await rpcFixture(guard)
    using lines = await RawLines.open(fixture.socketPath)
    assert.equal(await codeOf(lines, 'daemon.status'), 'UNAUTHORIZED')
    assert.equal(await codeOf(lines, 'call.cancel', { id: 1 }), 'UNAUTHORIZED')
    for (const method of ['daemon.version', 'rpc.discover']) assert.equal(await codeOf(lines, method), undefined)
    assert.deepEqual((await lines.ask('auth.login', { token: 'secret of reader' })).result, { name: 'reader', scopes: ['read'] })
    assert.equal(await codeOf(lines, 'daemon.status'), undefined)
    assert.equal(await codeOf(lines, 'content.put', { data: '' }), 'UNAUTHORIZED')
    assert.equal(await codeOf(lines, 'config.get'), 'UNAUTHORIZED')
    await lines.ask('auth.login', { token: 'secret of writer' })
    assert.equal(await codeOf(lines, 'content.put', { data: '' }), undefined)
    assert.equal(await codeOf(lines, 'daemon.status'), 'UNAUTHORIZED')
  })

  it('leaves no scope when it fails, whoever the caller was', async () => {
    for (const socket of ['admin', 'token'] as const) {
      await using fixture = await rpcFixture({ ...guard, socket })
      using lines = await RawLines.open(fixture.socketPath)
      if (socket === 'token') await lines.ask('auth.login', { token: 'secret of reader' })
      assert.equal(await codeOf(lines, 'daemon.status'), undefined)
      assert.equal(await codeOf(lines, 'auth.login', { token: 'a wrong one' }), 'UNAUTHORIZED')
      assert.equal(await codeOf(lines, 'daemon.status'), 'UNAUTHORIZED')
    }
  })

  it('counts for its own connection only', async () => {
    await using fixture = await rpcFixture(guard)
    using lines = await RawLines.open(fixture.socketPath)
    using other = await RawLines.open(fixture.socketPath)
    await lines.ask('auth.login', { token: 'secret of reader' })
    assert.equal(await codeOf(other, 'daemon.status'), 'UNAUTHORIZED')
  })

  it('stops listening to a connection that guesses', async () => {
    await using fixture = await rpcFixture(guard)
    using lines = await RawLines.open(fixture.socketPath)
    for (let guess = 0; guess < 5; guess++) assert.equal(await codeOf(lines, 'auth.login', { token: `guess ${guess}` }), 'UNAUTHORIZED')
    assert.equal(await codeOf(lines, 'auth.login', { token: 'secret of reader' }), 'RATE_LIMITED')
    using another = await RawLines.open(fixture.socketPath)
    assert.equal(await codeOf(another, 'auth.login', { token: 'secret of reader' }), undefined)
  })

  it('ends with the token: calls, subscriptions and event streams', async () => {
    await using fixture = await rpcFixture(guard)
    const { services, clock, socketPath } = fixture
    using lines = await RawLines.open(socketPath)
    const stream = await openHttp(socketPath, '/events', { headers: { authorization: 'Bearer secret' } }).catch(() => undefined)
    assert.equal(stream?.statusCode, 401)
    stream?.destroy()
    const { result } = await lines.ask('auth.login', { token: 'secret of brief' })
    assert.equal(result?.['expires'], '2026-01-01T01:00:00.000Z')
    await lines.ask('events.subscribe')
    services.faults.hang = EMPTY
    const hanging = services.hanging()
    lines.call('content.get', { content: EMPTY }, 'slow')
    await hanging
    await clock.advance(HOUR)
    const { id, error } = await lines.next()
    assert.deepEqual([id, error?.data['code']], ['slow', 'UNAUTHORIZED'])
    services.events.emit('peer.connected')
    assert.equal(await codeOf(lines, 'daemon.status'), 'UNAUTHORIZED')
    assert.deepEqual(services.aborted, ['get'])
  })

  it('ends the subscriptions made before it', async () => {
    await using fixture = await rpcFixture({ ...guard, socket: 'admin' })
    using lines = await RawLines.open(fixture.socketPath)
    await lines.ask('events.subscribe')
    await lines.ask('auth.login', { token: 'secret of writer' })
    fixture.services.events.emit('peer.connected')
    lines.call('daemon.version', {}, 'after')
    assert.equal((await lines.next()).id, 'after')
  })
})

describe('Authorization: Bearer', () => {
  const guard: Guard = { tokens: [{ ...tokenFor('reader', ['read']), sha256: digestOf('R') }] }
  const bearer = (token: string): { headers: Record<string, string> } => ({ headers: { authorization: `Bearer ${token}` } })

  it('is 401 without a login, 403 with one that is not enough', async () => {
    await using fixture = await rpcFixture(guard)
    const { socketPath } = fixture
    const none = await http(socketPath, '/events')
    assert.deepEqual([none.status, none.headers['www-authenticate']], [401, 'Bearer'])
    assert.equal((await http(socketPath, '/content', { method: 'PUT', body: 'x' })).status, 401)
    assert.equal((await http(socketPath, '/content', { method: 'PUT', body: 'x', ...bearer('R') })).status, 403)
    assert.equal((await http(socketPath, `/content/${EMPTY}`, bearer('R'))).status, 404)
    assert.deepEqual(fixture.services.calls, ['open'])
  })

  for (const header of ['Bearer wrong', 'Basic Ujo=', 'Bearer', 'R', 'Bearer R R']) {
    it(`is 401 for "${header}", even where none is needed`, async () => {
      await using fixture = await rpcFixture({ ...guard, socket: 'admin' })
      const answer = await http(fixture.socketPath, `/content/${EMPTY}`, { headers: { authorization: header } })
      assert.equal(answer.status, 401)
      assert.deepEqual(fixture.services.calls, [])
    })
  }

  it('counts for POST /rpc, whose answers are 200 even for errors', async () => {
    await using fixture = await rpcFixture(guard)
    const post = async (method: string, token?: string): Promise<{ status: number; code: unknown }> => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: method === 'auth.login' ? { token: 'R' } : {} })
      const answer = await http(fixture.socketPath, '/rpc', { method: 'POST', body, ...(token === undefined ? {} : bearer(token)) })
      const { error } = JSON.parse(answer.body.toString())
      return { status: answer.status, code: error?.data?.code }
    }
    assert.deepEqual(await post('daemon.status', 'R'), { status: 200, code: undefined })
    assert.deepEqual(await post('daemon.version'), { status: 200, code: undefined })
    assert.deepEqual(await post('daemon.status'), { status: 200, code: 'UNAUTHORIZED' })
    assert.deepEqual(await post('config.get', 'R'), { status: 200, code: 'UNAUTHORIZED' })
    assert.deepEqual(await post('daemon.status', 'wrong'), { status: 401, code: 'UNAUTHORIZED' })
    assert.deepEqual(await post('auth.login', 'R'), { status: 200, code: 'INVALID_REQUEST' })
  })

  it('ends an event stream when the token expires', async () => {
    await using fixture = await rpcFixture({
      tokens: [{ ...tokenFor('brief', ['read'], { expires: START + HOUR }), sha256: digestOf('B') }]
    })
    const stream = await openHttp(fixture.socketPath, '/events', bearer('B'))
    assert.equal(stream.statusCode, 200)
    fixture.services.events.emit('peer.connected')
    await settle()
    await fixture.clock.advance(HOUR)
    let text = ''
    for await (const part of stream) text += String(part)
    assert.match(text, /event: peer\.connected/)
    assert.equal(fixture.clock.pending, 0)
  })
})
