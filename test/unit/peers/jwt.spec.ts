import assert from 'node:assert/strict'
import { createJWT, ES256KSigner, verifyJWT } from 'did-jwt'
import { fromString, toString } from 'uint8arrays'
import { JwtError, readUnverifiedJwt, signJwt, verifyJwt, type JwtFault, type VerifyJwtOptions } from '../../../src/peers/jwt.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import { identity } from '../adverts/support.ts'

const NOW = 1_800_000_000
const OPTIONS: VerifyJwtOptions = { audience: 'here', now: NOW, expMaxSeconds: 600, charactersMax: 4096 }
const CLAIMS = { aud: 'here', iat: NOW, exp: NOW + 60, seq: 5 }
const HEADER = { alg: 'EdDSA', typ: 'JWT' }

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const segment = (value: unknown): string => toString(fromString(JSON.stringify(value)), 'base64url')

/** A token of any content with a true signature. */
async function forge(node: Identity, header: unknown, payload: unknown): Promise<string> {
  const data = `${segment(header)}.${segment(payload)}`
  return `${data}.${toString(await node.sign(fromString(data)), 'base64url')}`
}

function documentOf(did: string) {
  const publicKeyMultibase = did.slice('did:key:'.length)
  return { id: did, verificationMethod: [{ id: `${did}#0`, type: 'Ed25519VerificationKey2020', controller: did, publicKeyMultibase }] }
}

describe('strict JWT', () => {
  let ana: Identity
  let ben: Identity
  before(async () => {
    ;[ana, ben] = [await identity(1), await identity(2)]
  })

  async function refused(jwt: string, reason: JwtFault, options: Partial<VerifyJwtOptions> = {}): Promise<void> {
    await assert.rejects(verifyJwt(jwt, { ...OPTIONS, ...options }), (error: unknown) => {
      assert.ok(error instanceof JwtError, String(error))
      assert.equal(error.reason, reason, error.message)
      assert.equal(error.code, 'INTEGRITY')
      return true
    })
  }
  const withClaims = async (claims: Record<string, unknown>): Promise<string> =>
    await forge(ana, HEADER, { iss: ana.did, ...CLAIMS, ...claims })

  it('verifies what it signed and gives issuer and claims', async () => {
    const { issuer, claims } = await verifyJwt(await signJwt(CLAIMS, ana), OPTIONS)
    assert.equal(issuer, ana.did)
    assert.deepEqual({ ...claims }, { ...CLAIMS, iss: ana.did })
  })

  it('signs with EdDSA and in its own name whatever the claims say', async () => {
    const jwt = await signJwt({ ...CLAIMS, iss: ben.did }, ana)
    assert.deepEqual(JSON.parse(toString(fromString(jwt.split('.')[0] ?? '', 'base64url'))), HEADER)
    assert.equal(readUnverifiedJwt(jwt, 4096).iss, ana.did)
  })

  it('never lets a token of one pass for another, however often it is called', async () => {
    const honest = await signJwt(CLAIMS, ana)
    const lie = await forge(ana, HEADER, { iss: ben.did, ...CLAIMS })
    for (let round = 0; round < 3; round++) {
      assert.equal((await verifyJwt(honest, OPTIONS)).issuer, ana.did)
      await refused(lie, 'signature')
    }
  })

  it('agrees with the library about who signed, token by token', async () => {
    const byLibrary = async (jwt: string): Promise<boolean> => {
      const resolver = {
        resolve: async (did: string) => ({ didResolutionMetadata: {}, didDocumentMetadata: {}, didDocument: documentOf(did) })
      }
      return await verifyJWT(jwt, { resolver, audience: 'here', policies: { now: NOW } }).then(
        ({ issuer, payload }) => issuer === payload.iss,
        () => false
      )
    }
    const honest = await signJwt(CLAIMS, ana)
    const [header = '', payload = '', signature = ''] = honest.split('.')
    const bytes = fromString(signature, 'base64url')
    const spoiled = (at: number): string =>
      toString(
        bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)),
        'base64url'
      )
    const tokens = [
      honest,
      await signJwt(CLAIMS, ben),
      await forge(ben, HEADER, { iss: ana.did, ...CLAIMS }),
      `${header}.${segment({ iss: ana.did, ...CLAIMS, seq: 6 })}.${signature}`,
      ...[0, 31, 32, 63].map(at => `${header}.${payload}.${spoiled(at)}`)
    ]
    const own = await Promise.all(
      tokens.map(
        async jwt =>
          await verifyJwt(jwt, OPTIONS).then(
            () => true,
            () => false
          )
      )
    )
    assert.deepEqual(own, [true, true, ...tokens.slice(2).map(() => false)])
    assert.deepEqual(await Promise.all(tokens.map(byLibrary)), own)
  })

  it('takes one spelling of a signature only', async () => {
    const jwt = await signJwt(CLAIMS, ana)
    const last = ALPHABET.indexOf(jwt.at(-1) ?? '')
    // The last character holds two bits of the signature; the other four must be zero.
    assert.equal(last % 16, 0)
    await verifyJwt(jwt, OPTIONS)
    for (const other of [1, 8, 15]) await refused(`${jwt.slice(0, -1)}${ALPHABET[last + other] ?? ''}`, 'signature')
  })

  it('refuses a token that is too long before looking into it', async () => {
    await refused('x'.repeat(5000), 'size')
    await refused(await signJwt(CLAIMS, ana), 'size', { charactersMax: 100 })
  })

  it('refuses what has not exactly three parts of base64url', async () => {
    const jwt = await signJwt(CLAIMS, ana)
    const [header = '', payload = '', signature = ''] = jwt.split('.')
    for (const bad of [
      '',
      '.',
      '..',
      `${header}.${payload}`,
      `${jwt}.`,
      `${jwt}.${header}`,
      `${header}..${signature}`,
      ` ${jwt}`,
      `${jwt}\n`,
      `${header}=.${payload}.${signature}`
    ])
      await refused(bad, 'form')
    await refused(`${header}.${payload}.${signature.slice(1)}`, 'signature')
  })

  it('refuses parts that are no JSON objects', async () => {
    for (const payload of [null, 5, 'text', []]) await refused(await forge(ana, HEADER, payload), 'form')
    await refused(await forge(ana, [], CLAIMS), 'form')
  })

  for (const header of [
    { alg: 'EdDSA' },
    { typ: 'JWT' },
    { alg: 'none', typ: 'JWT' },
    { alg: 'ES256K', typ: 'JWT' },
    { alg: 'Ed25519', typ: 'JWT' },
    { alg: 'eddsa', typ: 'JWT' },
    { alg: 'EdDSA', typ: 'jwt' },
    { ...HEADER, crit: ['x'] },
    { ...HEADER, cty: 'JWT' },
    { ...HEADER, kid: 'did:key:z6Mk' },
    { ...HEADER, jku: 'http://x' },
    { ...HEADER, b64: false }
  ]) {
    it(`refuses the header ${JSON.stringify(header)}`, async () => {
      await refused(await forge(ana, header, { iss: ana.did, ...CLAIMS }), 'header')
    })
  }

  it('refuses other issuers than did:key of Ed25519', async () => {
    const key = ana.did.slice(8)
    for (const iss of [
      undefined,
      null,
      5,
      '',
      'https://self-issued.me/v2',
      'https://self-issued.me',
      'did:key:alice',
      `${ana.did}#${key}`,
      `${ana.did}/a`,
      `${ana.did}?a=b`,
      ` ${ana.did}`,
      `${ana.did}\n`,
      `did:web:${key}`,
      `did:key:zQ3sh${key.slice(5)}`
    ]) {
      await refused(await withClaims({ iss, sub: ana.did, did: ana.did, client_id: ana.did }), 'issuer')
    }
  })

  it('refuses a did:key of the right look that is no key', async () => {
    await refused(await withClaims({ iss: `${ana.did.slice(0, -1)}${ana.did.endsWith('a') ? 'b' : 'a'}` }), 'signature')
  })

  it('refuses an issuer other than the one expected', async () => {
    await refused(await signJwt(CLAIMS, ana), 'issuer', { issuer: ben.did })
  })

  it('needs this one audience', async () => {
    for (const aud of [undefined, null, 'there', '', ['here'], ['here', 'there'], 7]) await refused(await withClaims({ aud }), 'audience')
  })

  it('needs iat and exp as whole seconds', async () => {
    for (const bad of [undefined, null, '1', 1.5, -1, Number.MAX_SAFE_INTEGER + 1]) {
      await refused(await withClaims({ iat: bad }), 'form')
      await refused(await withClaims({ exp: bad }), 'form')
    }
    await refused(await withClaims({ nbf: 'soon' }), 'form')
  })

  it('bounds how long a token lives', async () => {
    await refused(await withClaims({ exp: NOW + 601 }), 'lifetime')
    await refused(await withClaims({ exp: NOW }), 'lifetime')
    await verifyJwt(await withClaims({ exp: NOW + 600 }), OPTIONS)
  })

  it('allows 30 seconds of skew, not 300', async () => {
    await verifyJwt(await withClaims({}), { ...OPTIONS, now: NOW + 89 })
    await refused(await withClaims({}), 'time', { now: NOW + 90 })
    await verifyJwt(await withClaims({}), { ...OPTIONS, now: NOW - 30 })
    await refused(await withClaims({}), 'time', { now: NOW - 31 })
  })

  it('checks iat also when there is nbf, which the library does not', async () => {
    await refused(await withClaims({ nbf: NOW - 1000, iat: NOW + 31, exp: NOW + 60 }), 'time')
    await refused(await withClaims({ nbf: NOW + 31 }), 'time')
  })

  it('refuses a changed payload, a changed signature and another key type', async () => {
    const [header = '', , signature = ''] = (await signJwt(CLAIMS, ana)).split('.')
    await refused(`${header}.${segment({ iss: ana.did, ...CLAIMS, seq: 6 })}.${signature}`, 'signature')
    const jwt = await signJwt(CLAIMS, ana)
    await refused(`${jwt.slice(0, -10)}${jwt.at(-10) === 'A' ? 'B' : 'A'}${jwt.slice(-9)}`, 'signature')
    const es256k = await createJWT({ ...CLAIMS }, { issuer: ana.did, signer: ES256KSigner(new Uint8Array(32).fill(3)) })
    await refused(es256k, 'header')
  })
})
