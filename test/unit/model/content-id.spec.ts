import assert from 'node:assert/strict'
import fc from 'fast-check'
import { base16 } from 'multiformats/bases/base16'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { InvalidContentError } from '../../../src/errors.ts'
import { contentUri, DAG_PB_CODEC, hex, isSafeName, parseContent, RAW_CODEC, type ContentForm } from '../../../src/model/content-id.ts'

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 })
const cid = fc
  .record({ digest, codec: fc.constantFrom(RAW_CODEC, DAG_PB_CODEC) })
  .map(made => CID.createV1(made.codec, createDigest(0x12, made.digest)))
const safe = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(isSafeName)
const isInvalid = (error: unknown): boolean => error instanceof InvalidContentError && error.code === 'INVALID_CONTENT'

describe('parseContent', () => {
  const forms: [string, ContentForm][] = [
    ['', 'cid'],
    ['ipfs://', 'ipfs'],
    ['kith://', 'kith'],
    ['/ipfs/', 'cid']
  ]
  for (const [prefix, form] of forms) {
    it(`reads ${prefix}CID with any path of safe names`, () => {
      fc.assert(
        fc.property(cid, fc.array(safe, { maxLength: 5 }), fc.boolean(), (root, path, slash) => {
          // The whole text is trimmed, so white space at its very end does not belong to a name.
          fc.pre(path.at(-1)?.trimEnd() === path.at(-1) || slash)
          const ref = parseContent(`${prefix}${[root.toString(), ...path].join('/')}${slash ? '/' : ''}`)
          assert.deepEqual([ref.form, ref.cid?.toString(), ref.sha256, ref.path], [form, root.toString(), null, path])
        })
      )
    })
  }

  it('reads CIDv0 as the CIDv1 of the same block', () => {
    fc.assert(
      fc.property(digest, bytes => {
        const v1 = CID.createV1(DAG_PB_CODEC, createDigest(0x12, bytes))
        assert.equal(parseContent(v1.toV0().toString()).cid?.toString(), v1.toString())
      })
    )
  })

  it('reads hashes in each of their forms, whatever the case', () => {
    fc.assert(
      fc.property(digest, fc.boolean(), (bytes, upper) => {
        const text = upper ? hex(bytes).toUpperCase() : hex(bytes)
        for (const form of [text, `sha256:${text}`, { algorithm: 'sha256', value: text }]) {
          const ref = parseContent(form)
          assert.deepEqual([ref.form, ref.cid, hex(ref.sha256 ?? new Uint8Array())], ['hash', null, hex(bytes)])
        }
      })
    )
  })

  it('prints an address that reads back as what it was', () => {
    fc.assert(
      fc.property(cid, fc.boolean(), (root, isPublic) => {
        const ref = parseContent(contentUri(root, isPublic))
        assert.deepEqual([ref.cid?.toString(), ref.form], [root.toString(), isPublic ? 'ipfs' : 'kith'])
      })
    )
  })

  it('answers any text with an address or INVALID_CONTENT, never with another error', () => {
    const near = fc.constantFrom('ipfs://', 'kith://', '/ipfs/', 'sha256:', '/', 'Qm', 'bafy', 'baf', 'z', '\u0000')
    fc.assert(
      fc.property(fc.tuple(near, fc.string({ unit: 'binary' })), ([prefix, rest]) => {
        try {
          const ref = parseContent(`${prefix}${rest}`)
          assert.notEqual(ref.cid === null, ref.sha256 === null)
          assert.equal(ref.path.every(isSafeName), true)
        } catch (error) {
          assert.equal(isInvalid(error), true, String(error))
        }
      })
    )
  })

  const root = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
  const cbor = 'bafyreigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'
  const sha512 = CID.createV1(RAW_CODEC, createDigest(0x13, new Uint8Array(64))).toString()
  const cut = CID.createV1(RAW_CODEC, createDigest(0x12, new Uint8Array(20))).toString()
  const longIdentity = CID.createV1(RAW_CODEC, createDigest(0, new Uint8Array(129))).toString()
  const refused: [string, unknown][] = [
    ['nothing', ''],
    ['white space', '  '],
    ['a word', 'hello'],
    ['another scheme', `ipns://${root}`],
    ['a scheme in capitals', `IPFS://${root}`],
    ['/ipns/', `/ipns/${root}`],
    ['a URL', `https://example.org/ipfs/${root}`],
    ['a short hash', 'ab'.repeat(31)],
    ['a long hash', 'ab'.repeat(33)],
    ['a hash with a path', `sha256:${'ab'.repeat(32)}/x`],
    ['another hash function', { algorithm: 'sha512', value: 'ab'.repeat(64) }],
    ['dag-cbor', cbor],
    ['sha2-512', sha512],
    ['a hash cut short', cut],
    ['too much in an identity CID', longIdentity],
    ['..', `${root}/..`],
    ['.', `${root}/./x`],
    ['an empty segment', `${root}//x`],
    ['NUL', `${root}/a\u0000b`],
    ['a backslash', `${root}/a\\b`],
    ['a name of 256 bytes', `${root}/${'x'.repeat(256)}`],
    ['more than 4096 characters', `${root}${'/abcdefg'.repeat(600)}`],
    ['base16 in capitals cut', CID.parse(root).toString(base16).slice(0, -1)]
  ]
  for (const [what, content] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => {
        parseContent(typeof content === 'string' ? content : (content as { algorithm: string; value: string }))
      }, isInvalid)
    })
  }

  it('takes identity CIDs up to 128 bytes', () => {
    const made = CID.createV1(RAW_CODEC, createDigest(0, new Uint8Array(128)))
    assert.equal(parseContent(made.toString()).cid?.equals(made), true)
  })
})
