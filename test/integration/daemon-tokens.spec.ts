/** A daemon whose apps have tokens: each sees its part, below its paths, on lines and over HTTP. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { RawLines, type Message } from '../support/raw-lines.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { startTrustlessGateway, type TrustlessGateway } from '../support/trustless-gateway.ts'
import { base64, http } from './daemon-support.ts'

const NOWHERE = 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'

function entry(name: string, rest: string): string {
  return `{name: ${name}, sha256: "${createHash('sha256').update(name).digest('hex')}", ${rest}}`
}

describe('tokens of a daemon', () => {
  let daemon: DaemonProcess
  let gateway: TrustlessGateway
  let folder: Awaited<ReturnType<typeof temporaryDirectory>>
  const loggedIn = async (token: string): Promise<RawLines> => {
    const lines = await RawLines.open(daemon.ready.socket)
    assert.equal((await lines.ask('auth.login', { token })).error, undefined)
    return lines
  }
  const codeOf = ({ error }: Message): unknown => error?.data['code']
  const put = async (lines: RawLines, text: string, more: object = {}): Promise<string> =>
    String((await lines.ask('content.put', { data: base64(text), ...more })).result?.['cid'])

  before(async () => {
    ;[folder, gateway] = await Promise.all([temporaryDirectory(), startTrustlessGateway()])
    const tokens = [
      entry('boss', 'scopes: [admin]'),
      entry('app', `scopes: [read, write], paths: [${JSON.stringify(join(folder.path, 'mine'))}]`),
      entry('other', 'scopes: [read, write]')
    ]
    daemon = await DaemonProcess.start({ set: [`access.tokens=[${tokens.join(', ')}]`, `gateways=[{url: "${gateway.url}"}]`] })
  })
  after(async () => {
    await Promise.all([daemon, gateway, folder].map(async part => await part[Symbol.asyncDispose]()))
  })

  it('hide private content of others as what does not exist, and tell nobody of the question', async () => {
    using boss = await loggedIn('boss')
    using app = await loggedIn('app')
    const hidden = await put(boss, 'what the boss keeps')
    const shape = ({ result, error }: Message): string =>
      JSON.stringify({ result, error })
        .replaceAll(hidden, NOWHERE)
        .replaceAll(/"ms":\d+/g, '"ms":0')
    for (const method of ['content.has', 'content.stat', 'content.get', 'content.ls', 'content.rm', 'content.privacy', 'content.link'])
      for (const form of ['', 'kith://', 'ipfs://']) {
        const [about, unknown] = [
          await app.ask(method, { content: `${form}${hidden}` }),
          await app.ask(method, { content: `${form}${NOWHERE}` })
        ]
        assert.equal(shape(about), shape(unknown), `${method} ${form}`)
      }
    const paths = JSON.stringify(gateway.requests)
    assert.ok(paths.includes(NOWHERE) && !paths.includes(hidden), 'the gateway was asked for the unknown, never for the hidden')
    const over = async (content: string): Promise<string> => {
      const { status, body } = await http(daemon, 'GET', `/content/${content}`, { headers: { authorization: 'Bearer app' } })
      return `${status} ${body.toString()}`.replaceAll(hidden, NOWHERE).replaceAll(/"ms":\d+/g, '"ms":0')
    }
    assert.equal(await over(hidden), await over(NOWHERE))
    assert.equal((await boss.ask('content.has', { content: hidden })).result?.['local'], true)
  })

  it('show each what it put, by line and by body, and not to the other', async () => {
    using app = await loggedIn('app')
    using other = await loggedIn('other')
    const mine = await put(app, 'of the app')
    const sent = await http(daemon, 'PUT', '/content', { headers: { authorization: 'Bearer app' }, body: Buffer.from('by body') })
    const { cid } = JSON.parse(sent.body.toString())
    for (const content of [mine, cid]) {
      assert.equal(codeOf(await app.ask('content.get', { content })), undefined)
      assert.equal(codeOf(await other.ask('content.get', { content: `kith://${content}` })), 'NOT_FOUND')
      assert.deepEqual((await other.ask('content.rm', { content, force: true })).result, { removed: false })
    }
    const again = { data: base64('of the app'), idempotencyKey: 'again' }
    for (let round = 0; round < 2; round++) {
      assert.equal((await other.ask('content.put', again)).result?.['cid'], mine)
      assert.equal(codeOf(await other.ask('content.get', { content: mine })), undefined)
      assert.deepEqual((await other.ask('content.rm', { content: mine, force: true })).result, { removed: true })
      assert.equal(codeOf(await other.ask('content.stat', { content: mine })), 'NOT_FOUND')
    }
    assert.equal(codeOf(await app.ask('content.get', { content: mine })), undefined)
  })

  it('read and write files below their paths only', async () => {
    const [mine, theirs] = [join(folder.path, 'mine'), join(folder.path, 'theirs')]
    await Promise.all([mkdir(mine), mkdir(theirs)])
    await Promise.all([writeFile(join(mine, 'in.txt'), 'from a file'), writeFile(join(theirs, 'in.txt'), 'not for you')])
    await symlink(theirs, join(mine, 'way-out'))
    using app = await loggedIn('app')
    using other = await loggedIn('other')
    const content = String((await app.ask('content.put', { path: join(mine, 'in.txt') })).result?.['cid'])
    assert.equal((await app.ask('content.get', { content, path: join(mine, 'out.txt') })).result?.['path'], join(mine, 'out.txt'))
    assert.equal(await readFile(join(mine, 'out.txt'), 'utf8'), 'from a file')
    for (const path of [join(theirs, 'in.txt'), `${mine}/way-out/in.txt`, `${mine}/../theirs/in.txt`])
      assert.equal(codeOf(await app.ask('content.put', { path })), 'UNAUTHORIZED', path)
    for (const path of [join(theirs, 'out.txt'), `${mine}/way-out/out.txt`])
      for (const method of ['content.get', 'content.export'])
        assert.equal(codeOf(await app.ask(method, { content, path })), 'UNAUTHORIZED', `${method} ${path}`)
    assert.equal(codeOf(await other.ask('content.put', { path: join(mine, 'in.txt') })), 'UNAUTHORIZED')
    await assert.rejects(readFile(join(theirs, 'out.txt')), { code: 'ENOENT' })
  })

  it('are 401 when they are wrong, also at a socket that needs none', async () => {
    const ask = async (authorization: string): Promise<number> =>
      (await http(daemon, 'GET', `/content/${NOWHERE}`, { headers: { authorization } })).status
    assert.deepEqual([await ask('Bearer nobody'), await ask('Bearer other')], [401, 404])
  })
})
