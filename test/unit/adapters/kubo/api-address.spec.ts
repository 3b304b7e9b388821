import assert from 'node:assert/strict'
import { parseApiAddress, shownAddress } from '../../../../src/adapters/kubo/api-address.ts'
import { KithError } from '../../../../src/errors.ts'

describe('address of a Kubo RPC', () => {
  const read: readonly (readonly [string, string, string])[] = [
    ['/ip4/127.0.0.1/tcp/5001', 'http://127.0.0.1:5001/api/v0', 'http://127.0.0.1:5001'],
    ['/ip6/::1/tcp/5001', 'http://[::1]:5001/api/v0', 'http://[::1]:5001'],
    ['/ip4/127.0.0.1/tcp/5001/http', 'http://127.0.0.1:5001/api/v0', 'http://127.0.0.1:5001'],
    ['/dns/ipfs.example/https', 'https://ipfs.example/api/v0', 'https://ipfs.example'],
    ['/dns4/ipfs.example/tcp/5001/https', 'https://ipfs.example:5001/api/v0', 'https://ipfs.example:5001'],
    ['/dns6/ipfs.example/tcp/443/tls/http', 'https://ipfs.example/api/v0', 'https://ipfs.example'],
    ['http://127.0.0.1:5001', 'http://127.0.0.1:5001/api/v0', 'http://127.0.0.1:5001'],
    ['https://ipfs.example/', 'https://ipfs.example/api/v0', 'https://ipfs.example'],
    ['https://example.org/kubo/', 'https://example.org/kubo/api/v0', 'https://example.org/kubo'],
    ['https://example.org/kubo/api/v0', 'https://example.org/kubo/api/v0', 'https://example.org/kubo']
  ]
  for (const [written, api, shown] of read) {
    it(`reads ${written}`, () => {
      assert.equal(parseApiAddress(written).href, api)
      assert.equal(shownAddress(parseApiAddress(written)), shown)
    })
  }

  const refused = [
    '',
    'localhost',
    '/ip4/127.0.0.1/udp/5001/quic-v1',
    '/unix/tmp/api.sock',
    '/ip4/127.0.0.1/tcp/99999',
    'ftp://example.org',
    'http://example.org/?a=b',
    'http://'
  ]
  for (const written of refused) {
    it(`refuses ${JSON.stringify(written)} with a reason`, () => {
      assert.throws(() => parseApiAddress(written), isConfigError)
    })
  }

  it('refuses a password in the address without showing it', () => {
    assert.throws(
      () => parseApiAddress('https://me:hunter2@example.org'),
      (error: unknown) =>
        isConfigError(error) && error instanceof Error && !error.message.includes('hunter2') && /projectSecret/.test(error.message)
    )
  })
})

function isConfigError(error: unknown): boolean {
  return error instanceof KithError && error.code === 'CONFIG'
}
