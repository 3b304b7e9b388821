/** Files of the machine a daemon runs on: its own home is nobody's content, and a token stays below its paths. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import { RawLines, type Message } from '../support/raw-lines.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts'
import { startTrustlessGateway, type TrustlessGateway } from '../support/trustless-gateway.ts'
import { base64, rejection } from './daemon-support.ts'

const BYTES = Buffer.from('fetched from elsewhere')

describe('files of the machine', () => {
  let folder: TemporaryDirectory
  let gateway: TrustlessGateway
  let daemon: DaemonProcess
  let release: () => void
  let at: (...names: string[]) => string

  beforeEach(async () => {
    folder = await temporaryDirectory()
    at = (...names) => join(folder.path, ...names)
    const held = new Promise<Uint8Array>(resolve => {
      release = () => {
        resolve(BYTES)
      }
    })
    gateway = await startTrustlessGateway({ get: async () => await held })
    await Promise.all([mkdir(at('user', 'd'), { recursive: true }), mkdir(at('secret'))])
    await writeFile(at('user', 'beside.txt'), 'beside the home')
    const token = `{name: app, sha256: "${createHash('sha256').update('app').digest('hex')}", scopes: [read, write], paths: ["${at('user')}"]}`
    daemon = await DaemonProcess.start({
      home: at('user', 'home'),
      set: [`access.tokens=[${token}]`, `gateways=[{url: "${gateway.url}"}]`]
    })
  })
  afterEach(async () => {
    await daemon[Symbol.asyncDispose]()
    await gateway[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })
  const app = async (): Promise<RawLines> => {
    const lines = await RawLines.open(daemon.ready.socket)
    assert.equal((await lines.ask('auth.login', { token: 'app' })).error, undefined)
    return lines
  }
  const codeOf = ({ error }: Message): unknown => error?.data['code']

  it('that hold the home are put without it, and nobody else gets into the home after', async () => {
    const put = await daemon.client.call('content.put', { path: at('user') })
    assert.deepEqual(put['skipped'], ['home'])
    const { entries } = await daemon.client.call('content.ls', { content: put['uri'] })
    assert.deepEqual(Array.isArray(entries) ? entries.map((entry: { name: string }) => entry.name) : entries, ['beside.txt', 'd'])
    for (const path of [daemon.home, join(daemon.home, 'lock'), join(daemon.home, 'store', 'own', 'index.db')]) {
      const error = await rejection(daemon.client.call('content.put', { path }))
      assert.equal(error.code, 'INVALID_PARAMS', path)
      assert.match(error.message, /belongs to the home of this daemon/)
    }
    await assert.rejects(DaemonProcess.start({ home: daemon.home, set: [`api.socket=${at('second.sock')}`] }), /already runs in/)
    assert.equal(daemon.isRunning, true)
  })

  it('of the home are neither read nor written for a token whose paths hold it', async () => {
    using lines = await app()
    const content = String((await lines.ask('content.put', { data: base64('access: {socket: admin}') })).result?.['cid'])
    const before = await readdir(daemon.home)
    for (const [method, params] of [
      ['content.put', { path: join(daemon.home, 'identity.key') }],
      ['content.put', { entries: [{ path: 'key', file: join(daemon.home, 'identity.key') }] }],
      ['content.import', { path: join(daemon.home, 'identity.key') }],
      ['content.get', { content, path: join(daemon.home, 'config.yaml') }],
      ['content.export', { content, path: join(daemon.home, 'keys', 'new.car') }]
    ] as const)
      assert.equal(codeOf(await lines.ask(method, params)), 'INVALID_PARAMS', method)
    assert.deepEqual(await readdir(daemon.home), before)
    assert.deepEqual((await lines.ask('content.put', { path: at('user') })).result?.['skipped'], ['home'])
  })

  for (const method of ['content.get', 'content.export'])
    it(`are not written elsewhere when a folder becomes a link while ${method} runs`, async () => {
      using lines = await app()
      const asked = gateway.nextRequest()
      const content = `ipfs://${rawCid(sha256(BYTES)).toString()}`
      const answer = lines.ask(method, { content, path: at('user', 'd', 'out') })
      await asked
      await rename(at('user', 'd'), at('user', 'aside'))
      await symlink(at('secret'), at('user', 'd'))
      release()
      assert.equal(codeOf(await answer), 'UNAUTHORIZED')
      assert.deepEqual([await readdir(at('secret')), await readdir(at('user', 'aside'))], [[], []])
      const out = at('user', 'aside', 'out')
      assert.equal(codeOf(await lines.ask(method, { content, path: out })), undefined)
      assert.ok((await readFile(out)).includes(BYTES))
    })
})
