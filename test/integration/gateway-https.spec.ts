/** Gateways over HTTPS: a real TLS server on loopback, with a certificate made here. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { createGatewaySource } from '../../src/adapters/gateway/gateway-source.ts'
import type { GatewaySource } from '../../src/adapters/gateway/gateway-source.ts'
import { SourceError } from '../../src/ports/block-source.ts'
import { distinctBytes, fileDag, type MadeDag } from '../support/dag-builder.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { startTrustlessGateway, type TrustlessGateway } from '../support/trustless-gateway.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const isFault = (message: RegExp) => (error: unknown) =>
  error instanceof SourceError && error.outcome === 'fault' && message.test(error.message)

describe('gateways over HTTPS', () => {
  let gateway: TrustlessGateway
  let plain: TrustlessGateway
  const servers = new AsyncDisposableStack()
  let dag: MadeDag
  let trusted: string[]
  let cert: string
  const made: GatewaySource[] = []

  before(async function () {
    await using directory = await temporaryDirectory()
    const [keyFile, certFile] = [join(directory.path, 'key.pem'), join(directory.path, 'cert.pem')]
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', keyFile, '-out', certFile]
    const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
    if (spawnSync('openssl', [...request, ...names], { stdio: 'ignore' }).status !== 0) {
      process.stderr.write('gateways over HTTPS: skipped, there is no openssl to make a certificate\n')
      this.skip()
    }
    cert = await readFile(certFile, 'utf8')
    dag = await fileDag(distinctBytes(3_000_000))
    const blocks = new Map([...dag.blocks.values()].map(({ cid, bytes }) => [cid.toString(), bytes]))
    gateway = servers.use(await startTrustlessGateway(blocks, 0, { key: await readFile(keyFile, 'utf8'), cert }))
    plain = servers.use(await startTrustlessGateway(blocks))
    trusted = getCACertificates('default')
  })
  after(async () => {
    await servers.disposeAsync()
  })
  beforeEach(() => {
    setDefaultCACertificates([...trusted, cert])
    gateway.behave('honest')
  })
  afterEach(async () => {
    setDefaultCACertificates(trusted)
    for (const one of made.splice(0)) await one.stop()
  })

  function make(url = gateway.url): GatewaySource {
    const components = { clock: new VirtualClock(), log: silentLog, random: { number: () => 0 } }
    made.push(createGatewaySource(components, { url, timeout: 30_000 }))
    return made.at(-1) ?? make(url)
  }

  async function get(source: GatewaySource): Promise<Uint8Array> {
    return await source.open(dag.root).get(dag.root, { signal: AbortSignal.timeout(50_000) })
  }

  it('give single blocks and whole DAGs', async () => {
    const source = make()
    assert.equal((await get(source)).byteLength > 0, true)
    let blocks = 0
    await source.open(dag.root).dag?.(
      dag.root,
      async () => {
        blocks += 1
      },
      {}
    )
    assert.equal(blocks, dag.blocks.size)
  })

  it('are refused when nobody vouches for their certificate', async () => {
    setDefaultCACertificates(trusted)
    const before = gateway.requests.length
    await assert.rejects(get(make()), isFault(/certificate/))
    assert.equal(gateway.requests.length, before)
  })

  it('are refused when their certificate is for another name', async () => {
    await assert.rejects(get(make(`https://localhost:${gateway.port}`)), isFault(/altname|localhost/i))
  })

  it('lead nowhere without encryption, and to no other place on this machine with it', async () => {
    const before = plain.requests.length
    gateway.behave({ redirect: `${plain.url}/ipfs/${dag.root.toString()}?format=raw` })
    await assert.rejects(get(make()), isFault(/from https to http/))
    gateway.behave({ redirect: `https://127.0.0.1:${plain.port}/ipfs/${dag.root.toString()}?format=raw` })
    await assert.rejects(get(make()), isFault(/not on the public internet/))
    assert.equal(plain.requests.length, before)
  })
})
