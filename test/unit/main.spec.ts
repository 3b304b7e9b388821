import assert from 'node:assert/strict'
import { readyLine } from '../../src/main.ts'

describe('ready line', () => {
  const ready = {
    socketPath: '/h/api.sock',
    peerId: '12D3',
    did: 'did:key:z6Mk',
    addresses: ['/ip4/1.2.3.4/tcp/1/p2p/12D3', '/ip6/::1/tcp/2/p2p/12D3'],
    http: null
  }

  it('is one line of words', () => {
    assert.equal(
      readyLine(ready, false),
      'ready socket=/h/api.sock peer=12D3 did=did:key:z6Mk addresses=/ip4/1.2.3.4/tcp/1/p2p/12D3,/ip6/::1/tcp/2/p2p/12D3 http=off\n'
    )
    assert.match(readyLine({ ...ready, http: 'http://127.0.0.1:8420' }, false), / http=http:\/\/127\.0\.0\.1:8420\n$/)
  })

  it('is one line of JSON when asked for', () => {
    const line = readyLine(ready, true)
    assert.equal(line.indexOf('\n'), line.length - 1)
    assert.deepEqual(JSON.parse(line), {
      ready: true,
      socket: '/h/api.sock',
      peerId: '12D3',
      did: 'did:key:z6Mk',
      addresses: ready.addresses,
      http: null
    })
  })
})
