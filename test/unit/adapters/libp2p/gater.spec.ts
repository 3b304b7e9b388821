import assert from 'node:assert/strict'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { Gater } from '../../../../src/adapters/libp2p/gater.ts'
import { PUBLIC_BOOTSTRAP } from '../../../../src/adapters/libp2p/reachable-addresses.ts'

const PRIVATE = [
  '/ip4/127.0.0.1/tcp/1',
  '/ip4/10.0.0.1/tcp/1',
  '/ip4/192.168.1.1/tcp/1',
  '/ip4/169.254.169.254/tcp/80',
  '/ip4/100.64.0.1/tcp/1',
  '/ip4/0.0.0.0/tcp/1',
  '/ip6/::1/tcp/1',
  '/ip6/fe80::1/tcp/1',
  '/ip6/fd00::1/tcp/1',
  '/ip6/::ffff:127.0.0.1/tcp/1',
  '/dns4/localhost/tcp/1',
  '/dns/metadata.google.internal/tcp/80'
]

describe('gater', () => {
  const denies = (gater: Gater, address: string): unknown => gater.rules.denyDialMultiaddr?.(multiaddr(address))

  it('lets strangers name public addresses only', () => {
    const gater = new Gater({ localSwarm: false })
    for (const address of PRIVATE) assert.equal(denies(gater, address), true, address)
    for (const address of ['/ip4/104.131.131.82/tcp/4001', '/ip6/2604:1380:1000:6000::1/tcp/4001'])
      assert.equal(denies(gater, address), false, address)
  })

  it('lets whoever writes an address down name any, for as long as it is dialled', () => {
    const gater = new Gater({ localSwarm: false })
    const [known = ''] = PUBLIC_BOOTSTRAP.slice(-1)
    const peer = known.slice(known.lastIndexOf('/') + 1)
    {
      using _plain = gater.name(multiaddr('/ip4/127.0.0.1/tcp/1'))
      using _twice = gater.name(multiaddr('/ip4/127.0.0.1/tcp/1'))
      using _named = gater.name(multiaddr(`/dnsaddr/home.example/p2p/${peer}`))
      assert.equal(denies(gater, '/ip4/127.0.0.1/tcp/1'), false)
      assert.equal(denies(gater, `/ip4/192.168.1.9/tcp/4001/p2p/${peer}`), false)
      assert.equal(denies(gater, '/ip4/127.0.0.1/tcp/2'), true)
    }
    assert.equal(denies(gater, '/ip4/127.0.0.1/tcp/1'), true)
    assert.equal(denies(gater, `/ip4/192.168.1.9/tcp/4001/p2p/${peer}`), true)
  })

  it('admits Ed25519 peers, and others only by an id that was written down', async () => {
    const gater = new Gater({ localSwarm: false })
    const keys = [await generateKeyPair('Ed25519'), await generateKeyPair('secp256k1'), await generateKeyPair('RSA', 2048)]
    const [good, ...bad] = keys.map(key => peerIdFromPrivateKey(key))
    assert.ok(good !== undefined)
    const connection = Object.create(null)
    const denied = (rule: 'denyInboundEncryptedConnection' | 'denyOutboundEncryptedConnection', peer: typeof good): unknown =>
      gater.rules[rule]?.(peer, connection)
    assert.equal(denied('denyInboundEncryptedConnection', good), false)
    assert.equal(denied('denyOutboundEncryptedConnection', good), false)
    for (const peer of bad) {
      using _named = gater.name(multiaddr(`/ip4/127.0.0.1/tcp/1/p2p/${peer.toString()}`))
      assert.equal(denied('denyOutboundEncryptedConnection', peer), false)
      assert.equal(denied('denyInboundEncryptedConnection', peer), true)
    }
    for (const peer of bad) assert.equal(denied('denyOutboundEncryptedConnection', peer), true)
  })
})
