/**
 * Noise's cipher on Node's native ChaCha20-Poly1305 with one key object a key, and one copy less when decrypting.
 * The stock one imports the raw key for every message. Measured in docs/decisions/0004-exchange.md.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject
} from 'node:crypto'
import { pureJsCrypto, type ICryptoInterface, type KeyPair } from '@chainsafe/libp2p-noise'

const CIPHER = 'chacha20-poly1305'
const TAG_BYTES = 16
/** DER wrappers of a bare X25519 key (RFC 8410): Node takes no raw ones. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex')

/** Bytes as noise passes them: in one piece, or in several behind `subarray` and iteration. */
type Pieces = Parameters<ICryptoInterface['hashSHA256']>[0]

export function nativeNoiseCrypto(): ICryptoInterface {
  const keys = new WeakMap<Uint8Array, KeyObject>()
  const keyOf = (raw: Uint8Array): KeyObject => {
    let key = keys.get(raw)
    if (key === undefined) {
      key = createSecretKey(raw)
      keys.set(raw, key)
    }
    return key
  }
  return {
    getHKDF: (ck, ikm) => pureJsCrypto.getHKDF(ck, ikm),
    hashSHA256: hash,
    generateX25519KeyPair: generate,
    generateX25519KeyPairFromSeed: fromSeed,
    generateX25519SharedKey: sharedKey,
    chaCha20Poly1305Encrypt: (plaintext, nonce, ad, raw) => encrypt(plaintext, nonce, ad, keyOf(raw)),
    chaCha20Poly1305Decrypt: (ciphertext, nonce, ad, raw, copy) => decrypt(ciphertext, nonce, ad, keyOf(raw), copy)
  }
}

function encrypt(plaintext: Pieces, nonce: Uint8Array, ad: Uint8Array, key: KeyObject): Pieces {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(ad, { plaintextLength: plaintext.byteLength })
  if (plaintext instanceof Uint8Array) return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  const sealed = plaintext.sublist(0, 0)
  for (const piece of plaintext) sealed.append(cipher.update(piece))
  cipher.final()
  sealed.append(cipher.getAuthTag())
  return sealed
}

/**
 * Noise hands in `copy`, the ciphertext without its tag in one piece, as a buffer to decrypt into. Read from instead,
 * it saves joining the pieces a second time.
 *
 * @throws when the bytes were changed on the way; noise then drops the connection
 */
function decrypt(ciphertext: Pieces, nonce: Uint8Array, ad: Uint8Array, key: KeyObject, copy?: Uint8Array): Uint8Array {
  const length = ciphertext.byteLength - TAG_BYTES
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(ad, { plaintextLength: length })
  decipher.setAuthTag(ciphertext.subarray(length))
  const plain = decipher.update(copy?.byteLength === length ? copy : ciphertext.subarray(0, length))
  decipher.final()
  return plain
}

function pieces(bytes: Pieces): Iterable<Uint8Array> {
  return bytes instanceof Uint8Array ? [bytes] : bytes
}

function hash(data: Pieces): Uint8Array {
  const sha = createHash('sha256')
  for (const piece of pieces(data)) sha.update(piece)
  return sha.digest()
}

function generate(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519', {
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' }
  })
  return { publicKey: publicKey.subarray(SPKI_PREFIX.length), privateKey: privateKey.subarray(PKCS8_PREFIX.length) }
}

function fromSeed(seed: Uint8Array): KeyPair {
  const publicKey = createPublicKey(privateKeyOf(seed)).export({ type: 'spki', format: 'der' })
  return { publicKey: publicKey.subarray(SPKI_PREFIX.length), privateKey: seed }
}

function sharedKey(privateKey: Pieces, publicKey: Pieces): Uint8Array {
  const spki = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey.subarray()]), type: 'spki', format: 'der' })
  return diffieHellman({ privateKey: privateKeyOf(privateKey.subarray()), publicKey: spki })
}

function privateKeyOf(raw: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, raw]), type: 'pkcs8', format: 'der' })
}
