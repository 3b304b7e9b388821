/** The native cipher under noise: the same bytes as the stock one, both ways, in pieces and whole. */
import assert from 'node:assert/strict'
import { noise, pureJsCrypto } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import fc from 'fast-check'
import { createLibp2p, type Libp2p } from 'libp2p'
import { concat } from 'uint8arrays'
import { nativeNoiseCrypto } from '../../../../src/adapters/libp2p/noise-crypto.ts'

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const plain = (bytes: { subarray(): Uint8Array }): Uint8Array => new Uint8Array(bytes.subarray())

async function startNode(native: boolean): Promise<Libp2p> {
  return await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise(native ? { crypto: nativeNoiseCrypto() } : {})],
    streamMuxers: [yamux()],
    services: { identify: identify() }
  })
}

describe('adapters/libp2p/noise-crypto', () => {
  const native = nativeNoiseCrypto()

  it('encrypts and decrypts as the stock one does', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        bytesOf(12),
        fc.uint8Array({ maxLength: 40 }),
        bytesOf(32),
        (message, nonce, ad, key) => {
          const sealed = plain(native.chaCha20Poly1305Encrypt(message, nonce, ad, key))
          assert.deepEqual(sealed, plain(pureJsCrypto.chaCha20Poly1305Encrypt(message, nonce, ad, key)))
          assert.deepEqual(plain(native.chaCha20Poly1305Decrypt(sealed, nonce, ad, key)), message)
          assert.deepEqual(
            plain(native.chaCha20Poly1305Decrypt(sealed, nonce, ad, key, Uint8Array.from(sealed.subarray(0, message.byteLength)))),
            message
          )
        }
      )
    )
  })

  it('refuses bytes that were changed, in the text, the tag or the associated data', () => {
    const [key, nonce, ad] = [new Uint8Array(32).fill(1), new Uint8Array(12), new Uint8Array([5])]
    const sealed = plain(native.chaCha20Poly1305Encrypt(new Uint8Array(100), nonce, ad, key))
    for (const at of [0, 99, 100, 115]) {
      const changed = Uint8Array.from(sealed)
      changed[at] = (changed[at] ?? 0) ^ 1
      assert.throws(() => native.chaCha20Poly1305Decrypt(changed, nonce, ad, key))
    }
    assert.throws(() => native.chaCha20Poly1305Decrypt(sealed, nonce, new Uint8Array([6]), key))
  })

  it('agrees on hashes, keys and shared secrets', () => {
    const mine = native.generateX25519KeyPair()
    const theirs = pureJsCrypto.generateX25519KeyPair()
    assert.deepEqual(
      plain(native.generateX25519SharedKey(mine.privateKey, theirs.publicKey)),
      plain(pureJsCrypto.generateX25519SharedKey(theirs.privateKey, mine.publicKey))
    )
    assert.deepEqual(plain(native.generateX25519KeyPairFromSeed(theirs.privateKey).publicKey), plain(theirs.publicKey))
    assert.deepEqual(plain(native.hashSHA256(new Uint8Array(77))), plain(pureJsCrypto.hashSHA256(new Uint8Array(77))))
  })

  for (const [dialer, listener] of [
    [true, false],
    [false, true],
    [true, true]
  ] as const) {
    it(`carries a megabyte each way between a ${dialer ? 'native' : 'stock'} dialer and a ${listener ? 'native' : 'stock'} listener`, async () => {
      const [from, to] = await Promise.all([startNode(dialer), startNode(listener)])
      try {
        const received = Promise.withResolvers<Uint8Array>()
        const sent = new Uint8Array(1024 * 1024).map((_, i) => i % 251)
        await to.handle('/echo', async stream => {
          for await (const chunk of stream) stream.send(chunk)
          await stream.close()
        })
        const stream = await from.dialProtocol(to.getMultiaddrs(), '/echo')
        const parts: Uint8Array[] = []
        stream.addEventListener('message', ({ data }) => {
          parts.push(data.subarray())
        })
        stream.addEventListener('end', () => {
          received.resolve(concat(parts))
        })
        stream.send(sent)
        await stream.close()
        assert.ok(Buffer.from(sent).equals(await received.promise))
      } finally {
        await Promise.all([from.stop(), to.stop()])
      }
    })
  }
})
