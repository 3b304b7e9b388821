import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buildConnector } from 'undici'
import { DidWeb, documentUrl } from '../../../../src/adapters/did-web/did-web.ts'
import { keysOf } from '../../../../src/adapters/did-web/document.ts'
import { publicKeyFromDid } from '../../../../src/peers/did-key.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'
import { VirtualClock } from '../../../support/virtual-clock.ts'

const DID = 'did:web:ana.example'
const KEY = 'z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp'
const RAW = publicKeyFromDid(`did:key:${KEY}`)
const METHOD = { id: `${DID}#one`, type: 'Ed25519VerificationKey2020', controller: DID, publicKeyMultibase: KEY }
const DOCUMENT = { id: DID, verificationMethod: [METHOD], assertionMethod: [`${DID}#one`] }
const JWK = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(RAW).toString('base64url') }

describe('did:web addresses', () => {
  it('lead to the document, as the method says', () => {
    for (const [did, url] of [
      ['did:web:w3c-ccg.github.io', 'https://w3c-ccg.github.io/.well-known/did.json'],
      ['did:web:w3c-ccg.github.io:user:alice', 'https://w3c-ccg.github.io/user/alice/did.json'],
      ['did:web:example.com%3A3000:user:alice', 'https://example.com:3000/user/alice/did.json']
    ] as const)
      assert.equal(documentUrl(did).href, url)
  })

  it('name a public host and a plain path, and nothing else', () => {
    for (const did of [
      'did:web:',
      'did:web:localhost',
      'did:web:127.0.0.1',
      'did:web:[::1]',
      'did:web:2130706433',
      'did:web:user@example.com',
      'did:web:example.com%2Fetc',
      'did:web:example.com%3A99999',
      'did:web:example.com:..:secret',
      'did:web:example.com::x',
      'did:web:example.com:a/b',
      'did:web:example.com?x=1',
      'did:web:example.com#one',
      'did:key:z6Mk',
      `did:web:${'a.'.repeat(300)}example`
    ])
      assert.throws(() => documentUrl(did), { code: 'INVALID_PARAMS' }, did)
  })
})

describe('DID documents', () => {
  const read = (document: unknown): readonly Uint8Array[] => keysOf(DID, JSON.stringify(document))

  it('give the Ed25519 keys by which their DID asserts, in every usual spelling', () => {
    for (const document of [
      DOCUMENT,
      { ...DOCUMENT, assertionMethod: ['#one'] },
      { id: DID, assertionMethod: [METHOD] },
      { ...DOCUMENT, verificationMethod: [{ ...METHOD, type: 'Multikey' }] },
      { ...DOCUMENT, verificationMethod: [{ ...METHOD, type: 'JsonWebKey2020', publicKeyJwk: JWK }] }
    ])
      assert.deepEqual(read(document), [RAW])
  })

  it('are not believed when they are of another, hold no such key, or only keys for other uses', () => {
    for (const document of [
      { ...DOCUMENT, id: 'did:web:ben.example' },
      { ...DOCUMENT, assertionMethod: [] },
      { id: DID, verificationMethod: [METHOD], authentication: ['#one'] },
      { ...DOCUMENT, verificationMethod: [{ ...METHOD, controller: 'did:web:ben.example' }] },
      { ...DOCUMENT, verificationMethod: [{ ...METHOD, type: 'EcdsaSecp256k1VerificationKey2019' }] },
      { ...DOCUMENT, verificationMethod: [{ ...METHOD, publicKeyMultibase: 'zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme' }] },
      { ...DOCUMENT, verificationMethod: [{ ...METHOD, type: 'JsonWebKey2020', publicKeyJwk: { ...JWK, crv: 'X25519' } }] },
      { ...DOCUMENT, verificationMethod: 5, assertionMethod: { a: 1 } },
      [],
      null
    ])
      assert.throws(() => read(document), { code: 'INTEGRITY' }, JSON.stringify(document))
    assert.throws(() => keysOf(DID, 'no JSON'), { code: 'INTEGRITY' })
  })

  it('give eight keys at most', () => {
    assert.equal(read({ id: DID, assertionMethod: Array.from({ length: 200 }, () => METHOD) }).length, 8)
  })
})

describe('did:web over HTTPS', () => {
  let server: Server
  let answer: (response: ServerResponse) => void
  let resolver: DidWeb
  let connector: buildConnector.connector

  before(async function () {
    await using directory = await temporaryDirectory()
    const [keyFile, certFile] = [join(directory.path, 'key.pem'), join(directory.path, 'cert.pem')]
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', keyFile, '-out', certFile]
    const names = ['-subj', '/CN=ana.example', '-addext', 'subjectAltName=DNS:ana.example']
    if (spawnSync('openssl', [...request, ...names], { stdio: 'ignore' }).status !== 0) this.skip()
    const cert = await readFile(certFile, 'utf8')
    server = createServer({ key: await readFile(keyFile), cert }, (_request, response) => answer(response))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const direct = buildConnector({ ca: cert })
    connector = (options, callback) =>
      direct({ ...options, hostname: '127.0.0.1', servername: options.hostname, port: String(port) }, callback)
    resolver = new DidWeb({ clock: new VirtualClock(), connector })
  })
  after(async () => {
    await resolver?.close()
    server?.closeAllConnections()
    server?.close()
  })

  it('gives the keys of the document', async () => {
    answer = response => response.end(JSON.stringify(DOCUMENT))
    assert.deepEqual(await resolver.resolve(DID), [RAW])
  })

  it('follows no redirect, and takes no other status for an answer', async () => {
    for (const status of [301, 302, 307, 404, 500]) {
      answer = response => response.writeHead(status, { location: 'https://ana.example/elsewhere' }).end(JSON.stringify(DOCUMENT))
      await assert.rejects(resolver.resolve(DID), { code: 'UNAVAILABLE' })
    }
  })

  it('reads 64 KiB and no more', async () => {
    answer = response => response.end(JSON.stringify({ ...DOCUMENT, more: 'x'.repeat(65_536) }))
    await assert.rejects(resolver.resolve(DID), { code: 'INTEGRITY' })
  })

  it('needs a certificate of that very name', async () => {
    await assert.rejects(resolver.resolve('did:web:ben.example'), { code: 'UNAVAILABLE' })
  })

  it('goes near no private address, whatever the name resolves to', async () => {
    for (const address of ['127.0.0.1', '10.0.0.1', '169.254.169.254', '::ffff:127.0.0.1', 'fd00::1']) {
      const guarded = new DidWeb({
        clock: new VirtualClock(),
        lookup: (_host, _options, callback) => callback(null, [{ address, family: address.includes(':') ? 6 : 4 }])
      })
      await assert.rejects(guarded.resolve(DID), (error: Error) => /not on the public internet/.test(error.message))
      await guarded.close()
    }
  })

  it('gives up after five seconds', async () => {
    const clock = new VirtualClock()
    const slow = new DidWeb({ clock, connector })
    const reached = Promise.withResolvers<void>()
    answer = () => reached.resolve()
    const resolving = assert.rejects(slow.resolve(DID), { code: 'UNAVAILABLE' })
    await reached.promise
    await clock.advance(5_000)
    await resolving
    await slow.close()
  })
})
