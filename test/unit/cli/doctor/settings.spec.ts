import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { endpointFindings, apiUrl } from '../../../../src/cli/doctor/endpoints.ts'
import type { Finding } from '../../../../src/cli/doctor/finding.ts'
import { readSettings, sealFindings, tokenFindings, trustFindings } from '../../../../src/cli/doctor/settings.ts'
import { configFrom } from '../../../../src/config/resolve.ts'
import { freePort } from '../../../support/free-port.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

const SHA256 = '0'.repeat(64)
const NOW = Date.UTC(2026, 0, 1)
const signal = new AbortController().signal
const short = (found: readonly Finding[]): string[] => found.map(({ code, severity }) => `${severity} ${code}`)

async function httpServer(listener: RequestListener): Promise<{ readonly url: string; readonly port: number } & AsyncDisposable> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}

describe('doctor on the configuration', () => {
  it('finds a key that is wrong, with the one that was meant', async () => {
    await using home = await temporaryDirectory()
    await writeFile(join(home.path, 'config.yaml'), 'network: {mdsn: true}\n')
    const { config, findings } = await readSettings({ home: home.path, env: {}, file: undefined })
    assert.equal(config, undefined)
    assert.deepEqual(short(findings), ['error CONFIG_INVALID'])
    assert.match(findings[0]?.message ?? '', /"mdns"/)
  })

  it('warns once when whoever connects is trusted, with what to do', async () => {
    await using home = await temporaryDirectory()
    await writeFile(join(home.path, 'config.yaml'), 'trust: {default: 5}\n')
    const { config, findings } = await readSettings({ home: home.path, env: {}, file: undefined })
    assert.ok(config !== undefined)
    assert.deepEqual(short(findings), ['ok CONFIG'])
    const warned = await trustFindings(config)
    assert.deepEqual(short(warned), ['warning EVERYBODY_TRUSTED'])
    assert.match(warned[0]?.message ?? '', /whoever connects .* everything private/)
    assert.deepEqual(await trustFindings(configFrom({})), [])
  })

  it('passes on what will not do what its author may think', async () => {
    await using home = await temporaryDirectory()
    await writeFile(join(home.path, 'other.yaml'), 'cache: {ttl: 3d}\n')
    const { findings } = await readSettings({ home: home.path, env: {}, file: join(home.path, 'other.yaml') })
    assert.match(findings[0]?.message ?? '', /cache\.ttl/)
    assert.deepEqual(short(findings), ['warning CONFIG_ODD'])
  })

  it('finds tokens that have expired, and the case that nobody can log in', () => {
    const token = (name: string, expires?: string) => ({
      name,
      sha256: SHA256,
      scopes: ['read'],
      ...(expires === undefined ? {} : { expires })
    })
    const tokens = [token('old', '2025-12-31'), token('soon', '2026-01-03'), token('later', '2027-01-01'), token('ever')]
    const some = tokenFindings(configFrom({ access: { tokens } }), NOW)
    assert.deepEqual(
      some.map(({ message, severity }) => [severity, /"(\w+)" (\w+)/.exec(message)?.slice(1).join(' ')]),
      [
        ['warning', 'old expired'],
        ['warning', 'soon expires']
      ]
    )
    assert.deepEqual(short(tokenFindings(configFrom({ access: { socket: 'token', tokens: tokens.slice(0, 1) } }), NOW)), [
      'error TOKENS_EXPIRED'
    ])
    assert.deepEqual(tokenFindings(configFrom({}), NOW), [])
  })

  it('says that without a passphrase everything lies open on the disk', () => {
    assert.deepEqual(short(sealFindings(configFrom({}))), ['info UNSEALED'])
  })
})

describe('doctor on IPFS nodes and gateways', () => {
  it('asks those of this machine, for nothing that says anything', async () => {
    const asked: string[] = []
    await using server = await httpServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'}`)
      response.end()
    })
    const config = configFrom({
      ipfs: { type: 'kubo', api: `/ip4/127.0.0.1/tcp/${server.port}`, projectId: 'id', projectSecret: 'secret' },
      gateways: [server.url, `${server.url}/{cid}/x`, 'https://gateway.invalid']
    })
    assert.deepEqual(short(await endpointFindings(config, { network: false, signal })), [
      'ok ENDPOINT',
      'ok ENDPOINT',
      'ok ENDPOINT',
      'info NOT_ASKED'
    ])
    assert.deepEqual(asked.toSorted(), [
      'GET /bafkqaaa/x -',
      'GET /ipfs/bafkqaaa -',
      `POST /api/v0/version Basic ${Buffer.from('id:secret').toString('base64')}`
    ])
  })

  it('tells refusals and silence apart', async () => {
    await using server = await httpServer((_request, response) => {
      response.writeHead(401).end()
    })
    const port = await freePort()
    const config = configFrom({
      ipfs: { type: 'kubo', api: [server.url, `http://127.0.0.1:${port}`] },
      gateways: [`http://127.0.0.1:${port}`, server.url]
    })
    const found = await endpointFindings(config, { network: false, signal })
    assert.deepEqual(short(found), [
      'error IPFS_REFUSES',
      'error IPFS_UNREACHABLE',
      'warning GATEWAY_UNREACHABLE',
      'warning GATEWAY_REFUSES'
    ])
    assert.match(found[0]?.remedy ?? '', /projectSecret/)
    assert.match(found[1]?.message ?? '', /ECONNREFUSED/)
  })

  it('follows no redirect', async () => {
    const asked: string[] = []
    await using server = await httpServer((request, response) => {
      asked.push(String(request.url))
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    await endpointFindings(configFrom({ gateways: [server.url] }), { network: true, signal })
    assert.deepEqual(asked, ['/ipfs/bafkqaaa'])
  })

  it('reads the addresses that ipfs.api may hold', () => {
    assert.deepEqual(
      ['/ip4/127.0.0.1/tcp/5001', '/ip6/::1/tcp/5001/http', '/dns4/ipfs.example/tcp/443/https', '/dns/a/tcp/1/tls/http', 'http://b:2'].map(
        apiUrl
      ),
      ['http://127.0.0.1:5001', 'http://[::1]:5001', 'https://ipfs.example:443', 'https://a:1', 'http://b:2']
    )
  })
})
