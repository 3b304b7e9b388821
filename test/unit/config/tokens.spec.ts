import assert from 'node:assert/strict'
import { ConfigBuilder, configFrom } from '../../../src/config/resolve.ts'

const SHA256 = 'AB'.repeat(32)

describe('tokens in the configuration', () => {
  const one = { name: 'app', sha256: SHA256, scopes: ['read', 'write'] }
  const tokensOf = (...tokens: readonly object[]) => configFrom({ access: { tokens } }).access.tokens

  it('name digest, scopes and limits', () => {
    assert.deepEqual(tokensOf(one), [{ name: 'app', sha256: SHA256.toLowerCase(), scopes: ['read', 'write'] }])
    const limited = { ...one, scopes: 'admin', paths: '/srv/app', realms: ['public', 'own'], expires: '2030-01-01' }
    assert.deepEqual(tokensOf(limited), [
      {
        name: 'app',
        sha256: SHA256.toLowerCase(),
        scopes: ['admin'],
        paths: ['/srv/app'],
        realms: ['public', 'own'],
        expires: Date.parse('2030-01-01')
      }
    ])
  })

  it('are refused in words', () => {
    const refused = (token: object, message: RegExp): void => assert.throws(() => tokensOf(token), { code: 'CONFIG', message })
    refused({ ...one, scopes: ['raed'] }, /scope "raed".*Did you mean "read"/)
    refused({ ...one, scopes: [] }, /no scopes/)
    refused({ ...one, sha256: 'abc' }, /kith config token app SCOPES/)
    refused({ ...one, name: 'a b' }, /good name/)
    refused({ ...one, paths: ['relative'] }, /not absolute/)
    refused({ ...one, realms: ['../own'] }, /realm/)
    refused({ ...one, expires: 'soon' }, /expire at no date/)
    refused({ ...one, scope: 'read' }, /unknown key "scope".*Did you mean "scopes"/)
    assert.throws(() => tokensOf(one, one), { message: /"app" twice/ })
    assert.throws(() => configFrom({ access: { socket: 'token' } }), { message: /nobody could log in/ })
  })

  it('are shown without their digests, in errors too', () => {
    const builder = new ConfigBuilder()
    builder.add('access.tokens', [one], { kind: 'file', where: 'a.yaml' })
    assert.doesNotMatch(JSON.stringify(builder.finish().shown), /abab/i)
    assert.throws(
      () => tokensOf({ ...one, scopes: 'x' }),
      error => error instanceof Error && !/abab/i.test(error.message)
    )
  })
})
