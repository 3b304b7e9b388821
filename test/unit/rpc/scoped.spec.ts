/** What a token sees, against fake services that keep everything: the same questions, put to the socket. */
import assert from 'node:assert/strict'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AccessToken } from '../../../src/rpc/access.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { digestOf, http, openHttp, RawLines, rpcFixture } from './support.ts'
import type { Message, RpcFixture } from './support.ts'

const SCOPES = ['read', 'write'] as const

function token(name: string, more: Partial<AccessToken> = {}): AccessToken {
  return { name, sha256: digestOf(name), scopes: SCOPES, ...more }
}

async function connected({ socketPath }: RpcFixture, name?: string): Promise<RawLines> {
  const lines = await RawLines.open(socketPath)
  if (name !== undefined) assert.equal((await lines.ask('auth.login', { token: name })).error, undefined)
  return lines
}

async function put(lines: RawLines, text: string, more: object = {}): Promise<string> {
  const { result, error } = await lines.ask('content.put', { data: Buffer.from(text).toString('base64'), ...more })
  assert.equal(error, undefined)
  return String(result?.['cid'])
}

const codeOf = ({ error }: Message): unknown => error?.data['code']

describe('realms of a token', () => {
  const guard = { socket: 'admin', tokens: [token('app'), token('other'), token('wide', { realms: ['own', 'public'] })] } as const
  const nowhere = 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'

  it('hide what others put privately exactly as what does not exist', async () => {
    await using fixture = await rpcFixture(guard)
    using operator = await connected(fixture)
    using app = await connected(fixture, 'app')
    const hidden = await put(operator, 'a private thing', { name: 'a telling name' })
    const questions: [method: string, params: object][] = [
      ['content.get', {}],
      ['content.stat', {}],
      ['content.has', {}],
      ['content.ls', {}],
      ['content.privacy', {}],
      ['content.verify', {}],
      ['content.rm', { force: true }]
    ]
    for (const [method, params] of questions)
      for (const form of [(cid: string) => cid, (cid: string) => `kith://${cid}`, (cid: string) => `/ipfs/${cid}/a`]) {
        const [about, unknown] = [
          await app.ask(method, { content: form(hidden), ...params }),
          await app.ask(method, { content: form(nowhere), ...params })
        ]
        const text = ({ result, error }: Message): string => JSON.stringify({ result, error }).replaceAll(nowhere, hidden)
        assert.equal(text(about), text(unknown), `${method} of ${form('CID')}`)
      }
    assert.equal((await operator.ask('content.has', { content: hidden })).result?.['local'], true)
    assert.ok(fixture.services.asked.every(({ content }) => !JSON.stringify(content).includes(hidden)))
    assert.deepEqual((await app.ask('content.list')).result, { items: [] })
  })

  it('are not given away by an invitation either', async () => {
    const peersToken = token('pairs', { scopes: ['peers'] })
    await using fixture = await rpcFixture({ ...guard, tokens: [...guard.tokens, peersToken] })
    using app = await connected(fixture, 'pairs')
    assert.equal((await app.ask('peers.invite', {})).error, undefined)
    assert.equal(codeOf(await app.ask('peers.invite', { content: nowhere })), 'UNAUTHORIZED')
    assert.equal(codeOf(await app.ask('content.share', { content: nowhere })), 'UNAUTHORIZED')
  })

  it('hide it over HTTP too', async () => {
    await using fixture = await rpcFixture(guard)
    using operator = await connected(fixture)
    const hidden = await put(operator, 'a private thing')
    const get = async (content: string): Promise<string> => {
      const { status, body } = await http(fixture.socketPath, `/content/${content}`, { headers: { authorization: 'Bearer app' } })
      return `${status} ${body.toString()}`
    }
    assert.equal((await get(hidden)).replaceAll(hidden, nowhere), await get(nowhere))
    assert.match(await get(hidden), /^404/)
  })

  it('show what the token put itself, and what is public', async () => {
    await using fixture = await rpcFixture(guard)
    using operator = await connected(fixture)
    using app = await connected(fixture, 'app')
    using other = await connected(fixture, 'other')
    const open = await put(operator, 'for all', { privacy: 'public' })
    const mine = await put(app, 'mine')
    const theirs = await put(other, 'theirs')
    for (const [cid, isSeen] of [
      [open, true],
      [mine, true],
      [theirs, false]
    ] as const) {
      assert.equal((await app.ask('content.has', { content: cid })).result?.['local'], isSeen)
      assert.equal(codeOf(await app.ask('content.get', { content: cid })), isSeen ? undefined : 'NOT_FOUND')
    }
    const { items } = (await app.ask('content.list')).result ?? {}
    assert.ok(Array.isArray(items))
    assert.deepEqual(
      items.map(({ cid }) => cid),
      [open, mine]
    )
    assert.equal((await app.ask('content.verify')).result?.['checkedBlocks'], 6)
  })

  it('may name more', async () => {
    await using fixture = await rpcFixture(guard)
    using operator = await connected(fixture)
    using wide = await connected(fixture, 'wide')
    const content = await put(operator, 'a private thing')
    assert.equal((await wide.ask('content.has', { content })).result?.['local'], true)
    const shown = (await wide.ask('daemon.status')).result?.['store']
    assert.deepEqual(shown, { public: { blocks: 1, bytes: 11 }, cache: { blocks: 0, bytes: 0 }, own: { blocks: 2, bytes: 22 } })
    using app = await connected(fixture, 'app')
    const status = (await app.ask('daemon.status')).result?.['store']
    assert.deepEqual(status, { public: { blocks: 1, bytes: 11 }, cache: { blocks: 0, bytes: 0 }, own: { blocks: 0, bytes: 0 } })
  })

  it('do not tell who put the same before, and do not let one remove what others put', async () => {
    await using fixture = await rpcFixture(guard)
    using other = await connected(fixture, 'other')
    using app = await connected(fixture, 'app')
    const content = await put(other, 'the same')
    const { result } = await app.ask('content.put', { data: Buffer.from('the same').toString('base64') })
    assert.deepEqual([result?.['cid'], result?.['newBlocks']], [content, 1])
    assert.equal(codeOf(await app.ask('content.rm', { content, force: true })), 'CONFLICT')
    assert.equal((await other.ask('content.has', { content })).result?.['local'], true)
  })

  it('show nothing of what others called the same bytes, nor when they came', async () => {
    await using fixture = await rpcFixture(guard)
    using other = await connected(fixture, 'other')
    using app = await connected(fixture, 'app')
    const named = { name: 'telling.txt', contentType: 'text/telling', type: 'diary' }
    const mine = await put(app, 'mine', named)
    const shared = await put(app, 'the same')
    assert.equal(await put(other, 'the same', named), shared)
    const { result: stat } = await app.ask('content.stat', { content: shared })
    assert.ok(!/telling|diary/.test(JSON.stringify(stat)))
    assert.equal(stat?.['createdAt'], stat?.['lastAccess'])
    assert.equal((await app.ask('content.stat', { content: mine })).result?.['name'], named.name)
    const items = async (params: object): Promise<unknown[]> => {
      const found = (await app.ask('content.list', params)).result?.['items']
      assert.ok(Array.isArray(found))
      return found.map(({ cid, type }) => [cid, type])
    }
    assert.deepEqual(await items({}), [
      [mine, 'diary'],
      [shared, undefined]
    ])
    assert.deepEqual(await items({ type: 'diary' }), [[mine, 'diary']])
    const { headers } = await http(fixture.socketPath, `/content/${shared}`, { headers: { authorization: 'Bearer app' } })
    assert.ok(!/telling/.test(JSON.stringify(headers)))
  })

  it('page through a list with cursors that say nothing', async () => {
    await using fixture = await rpcFixture(guard)
    using operator = await connected(fixture)
    using app = await connected(fixture, 'app')
    const mine: string[] = []
    for (let each = 0; each < 30; each++) {
      if (each % 5 === 0) mine.push(await put(app, `mine ${each}`))
      else await put(operator, `theirs ${each}`)
    }
    const found: string[] = []
    let cursor: unknown
    do {
      const { result } = await app.ask('content.list', { limit: 2, ...(cursor === undefined ? {} : { cursor }) })
      const items = result?.['items']
      assert.ok(Array.isArray(items) && items.length <= 2)
      found.push(...items.map(({ cid }) => String(cid)))
      cursor = result?.['cursor']
      assert.ok(cursor === undefined || (typeof cursor === 'string' && cursor.length > 20))
    } while (cursor !== undefined)
    assert.deepEqual(found, mine)
    for (const bad of ['2', '', 'AAAA', 'x'.repeat(60)])
      assert.equal(codeOf(await app.ask('content.list', { cursor: bad })), 'INVALID_PARAMS', bad)
  })

  it('hide the events about it, live, replayed and streamed', async () => {
    await using fixture = await rpcFixture(guard)
    const { services, socketPath } = fixture
    using operator = await connected(fixture)
    using app = await connected(fixture, 'app')
    using writer = await connected(fixture, 'app')
    await put(operator, 'before')
    await app.ask('events.subscribe', { since: 0 })
    const stream = await openHttp(socketPath, '/events?since=0', { headers: { authorization: 'Bearer app' } })
    await put(operator, 'after')
    const mine = await put(writer, 'mine')
    services.events.emit('content.retrieved', { cid: 'whose, nobody said' })
    services.events.emit('peer.connected')
    const seen = [(await app.next()).params, (await app.next()).params]
    assert.deepEqual(
      seen.map(params => [params?.['type'], params?.['cid']]),
      [
        ['content.stored', mine],
        ['peer.connected', undefined]
      ]
    )
    let text = ''
    for await (const part of stream) {
      text += String(part)
      if (text.includes('peer.connected')) break
    }
    assert.deepEqual(text.match(/^event: .*$/gm), ['event: content.stored', 'event: peer.connected'])
    assert.ok(!text.includes('audience') && !text.includes('putBy'))
  })
})

describe('paths of a token', () => {
  it('are refused to a token that has none, and to the others outside of theirs', async () => {
    await using fixture = await rpcFixture({ tokens: [token('none'), token('some', { paths: ['/nowhere/at/all'] })] })
    for (const name of ['none', 'some']) {
      using lines = await connected(fixture, name)
      const content = await put(lines, `of ${name}`)
      for (const [method, params] of [
        ['content.put', { path: '/etc/hostname' }],
        [
          'content.put',
          {
            entries: [
              { path: 'a', data: '' },
              { path: 'b', file: '/etc/hostname' }
            ]
          }
        ],
        ['content.get', { content, path: '/tmp/out' }],
        ['content.export', { content, path: '/tmp/out.car' }],
        ['content.import', { path: '/tmp/in.car' }]
      ] as const) {
        const { error } = await lines.ask(method, params)
        assert.equal(error?.data['code'], 'UNAUTHORIZED', `${name} ${method}`)
        assert.match(error?.message ?? '', name === 'none' ? /may name no paths/ : /outside of the paths/)
      }
    }
    assert.deepEqual(
      fixture.services.calls.filter(call => call !== 'put'),
      []
    )
  })

  it('are taken below them, whatever links and dots lie on the way', async () => {
    await using directory = await temporaryDirectory()
    const [mine, theirs] = [join(directory.path, 'mine'), join(directory.path, 'theirs')]
    await Promise.all([mkdir(join(mine, 'sub'), { recursive: true }), mkdir(theirs)])
    await writeFile(join(mine, 'in.txt'), 'x')
    await writeFile(join(theirs, 'secret.txt'), 'x')
    await symlink(theirs, join(mine, 'way-out'))
    await symlink(mine, join(theirs, 'way-in'))
    await using fixture = await rpcFixture({ tokens: [token('app', { paths: [mine] })] })
    using lines = await connected(fixture, 'app')
    const content = await put(lines, 'to be written')
    const ask = async (path: string): Promise<unknown> => codeOf(await lines.ask('content.put', { path }))
    for (const path of [join(mine, 'in.txt'), mine, `${mine}/sub/../in.txt`]) assert.equal(await ask(path), undefined, path)
    for (const path of [
      `${mine}/../theirs/secret.txt`,
      join(mine, 'way-out/secret.txt'),
      join(theirs, 'secret.txt'),
      join(theirs, 'way-in/in.txt'),
      `${mine}-and-more`,
      directory.path,
      '/'
    ])
      assert.equal(await ask(path), 'UNAUTHORIZED', path)
    assert.equal(await ask(join(mine, 'no/such/folder')), 'INVALID_PARAMS')
    const out = join(mine, 'sub', 'out.txt')
    assert.equal((await lines.ask('content.get', { content, path: out })).result?.['path'], out)
    assert.equal(await readFile(out, 'utf8'), 'to be written')
    assert.equal(codeOf(await lines.ask('content.get', { content, path: join(mine, 'way-out', 'out.txt') })), 'UNAUTHORIZED')
    assert.equal(codeOf(await lines.ask('content.export', { content, path: join(mine, 'out.car') })), undefined)
    assert.equal(codeOf(await lines.ask('content.import', { path: join(mine, 'out.car') })), undefined)
  })

  it('are free for an admin', async () => {
    await using fixture = await rpcFixture({ tokens: [token('boss', { scopes: ['admin'] })] })
    using lines = await connected(fixture, 'boss')
    assert.equal(codeOf(await lines.ask('content.put', { path: '/anything' })), undefined)
  })
})
