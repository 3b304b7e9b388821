import assert from 'node:assert/strict'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { base58btc } from 'multiformats/bases/base58'
import {
  didFromPeerId,
  didFromPublicKey,
  peerIdFromDid,
  peerIdFromPublicKey,
  publicKeyFromDid,
  publicKeyFromPeerId
} from '../../../src/peers/did-key.ts'

/** From the did:key test vectors (seeds 00…00 and 00…01) and libp2p. */
const VECTORS = [
  ['did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp', '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'],
  ['did:key:z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG', '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp']
] as const

describe('did:key and PeerId', () => {
  for (const [did, peerId] of VECTORS) {
    it(`are two spellings of one key: ${peerId.slice(-6)}`, () => {
      assert.equal(didFromPeerId(peerId), did)
      assert.equal(peerIdFromDid(did), peerId)
      assert.deepEqual(publicKeyFromDid(did), publicKeyFromPeerId(peerId))
      assert.equal(didFromPublicKey(publicKeyFromDid(did)), did)
      assert.equal(peerIdFromPublicKey(publicKeyFromDid(did)), peerId)
    })
  }

  it('agree with libp2p on a fresh key', async () => {
    const key = await generateKeyPair('Ed25519')
    const peerId = peerIdFromPrivateKey(key).toString()
    assert.equal(peerIdFromPublicKey(key.publicKey.raw), peerId)
    assert.equal(didFromPeerId(peerId), didFromPublicKey(key.publicKey.raw))
  })

  const good = VECTORS[0][0]
  const badDids = {
    'a name instead of a key': 'did:key:alice',
    nothing: '',
    'another method': good.replace('did:key:', 'did:web:'),
    'a fragment': `${good}#${good.slice(8)}`,
    'a trailing space': `${good} `,
    'capital DID': good.replace('did', 'DID'),
    'a character that is no base58': good.replace('z6MkiT', 'z6Mki0'),
    'one character less': good.slice(0, -1),
    'one character more': `${good}1`,
    'a leading zero byte': good.replace('z6', 'z16'),
    'a key one byte short': `did:key:${base58btc.encode(Uint8Array.of(0xed, 1, ...new Uint8Array(31)))}`,
    'a secp256k1 key': `did:key:${base58btc.encode(Uint8Array.of(0xe7, 1, 2, ...new Uint8Array(32)))}`,
    'an X25519 key': `did:key:${base58btc.encode(Uint8Array.of(0xec, 1, ...new Uint8Array(32)))}`,
    'a hundred thousand characters': `did:key:z${'6'.repeat(100_000)}`
  }
  for (const [what, did] of Object.entries(badDids)) {
    it(`refuses a DID with ${what}`, () => {
      assert.throws(() => publicKeyFromDid(did), { code: 'INVALID_PARAMS' })
    })
  }

  const badPeers = {
    'a DID': good,
    'a CID': 'bafzaajaiaejcb5r2wnm5gmvhxjnqqbtqvzbzyhhjbzyr5l5r5oc6ihq6cyz3zqeq',
    'an RSA PeerId': 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
    nothing: '',
    'a leading one': `1${VECTORS[0][1]}`,
    'a trailing slash': `${VECTORS[0][1]}/`
  }
  for (const [what, peerId] of Object.entries(badPeers)) {
    it(`refuses as PeerId: ${what}`, () => {
      assert.throws(() => didFromPeerId(peerId), { code: 'INVALID_PARAMS' })
    })
  }

  it('refuses a raw key of another length', () => {
    assert.throws(() => didFromPublicKey(new Uint8Array(33)), { code: 'INVALID_PARAMS' })
    assert.throws(() => peerIdFromPublicKey(new Uint8Array(31)), { code: 'INVALID_PARAMS' })
  })
})
