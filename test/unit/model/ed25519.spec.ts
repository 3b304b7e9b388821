import assert from 'node:assert/strict'
import { fromString, toString } from 'uint8arrays'
import { isSignedEd25519 } from '../../../src/model/ed25519.ts'

/** From RFC 8032, section 7.1. */
const VECTORS: [key: string, message: string, signature: string][] = [
  [
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'
  ],
  [
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
  ],
  [
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a'
  ]
]
/** The order of the group: a signature with it added to its second half is the same point. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

const hex = (text: string): Uint8Array => fromString(text, 'base16')
const reversed = (text: string): string => toString(hex(text).toReversed(), 'base16')

function isSigned([key, message, signature]: readonly [string, string, string]): boolean {
  return isSignedEd25519(hex(key), hex(message), hex(signature))
}

describe('Ed25519 check', () => {
  it('knows the signatures of the standard', () => {
    assert.deepEqual(VECTORS.map(isSigned), [true, true, true])
  })

  it('refuses another message, another key and every changed byte of a signature', () => {
    for (const [at, [key, message, signature]] of VECTORS.entries()) {
      assert.equal(isSigned([key, `${message}00`, signature]), false)
      assert.equal(isSigned([VECTORS[(at + 1) % VECTORS.length]?.[0] ?? '', message, signature]), false)
      for (let byte = 0; byte < 64; byte++) {
        const changed = hex(signature).map((value, i) => (i === byte ? value ^ 0x10 : value))
        assert.equal(isSignedEd25519(hex(key), hex(message), changed), false, `byte ${byte}`)
      }
    }
  })

  it('refuses the other spelling of the same signature', () => {
    for (const [key, message, signature] of VECTORS) {
      const scalar = BigInt(`0x${reversed(signature.slice(64))}`) + ORDER
      const spelled = signature.slice(0, 64) + reversed(scalar.toString(16).padStart(64, '0'))
      assert.equal(isSigned([key, message, spelled]), false)
    }
  })

  it('refuses a signature with a part in the small subgroup, which some would accept', () => {
    assert.equal(
      isSigned([
        '7767a3242dc9b58bbc68488c1265cc6cc5f26c6f3c88a5d55e901b0734dca572',
        '68656c6c6f',
        'd00afb024a4b4e1521cbcc92f8aec3e03edc317c1258c6b2b04cf3bebd9bdb3336c71db98ae8f8091a6b0d315ffbda0b0d575212024e8a57c4287162a77fdc0b'
      ]),
      false
    )
  })

  it('takes 64 bytes for a signature and 32 for a key', () => {
    const [key, message, signature] = VECTORS[0] ?? ['', '', '']
    for (const length of [0, 63, 65])
      assert.equal(isSigned([key, message, `${signature}00`.slice(0, length * 2)]), false, `${length} bytes`)
    for (const length of [0, 31, 33]) assert.throws(() => isSigned([`${key}00`.slice(0, length * 2), message, signature]))
  })
})
