/** Requests and answers as CBOR: what is written is read back, what is malformed is named so. */
import assert from 'node:assert/strict'
import { encode } from 'cborg'
import fc from 'fast-check'
import type { CID } from 'multiformats/cid'
import {
  decodeEnd,
  decodeHave,
  decodeHead,
  decodeRequest,
  encodeEnd,
  encodeHave,
  encodeHead,
  encodeRequest,
  type Ask
} from '../../../src/exchange/codec.ts'
import { ProtocolOffence } from '../../../src/exchange/frames.ts'
import { CIDS_MAX, RANGES_MAX, REQUEST_BYTES_MAX } from '../../../src/exchange/protocol.ts'
import { rawCid } from '../../../src/model/content-id.ts'
import type { LeafRange } from '../../../src/ports/exchange.ts'

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
const cid = hash.map(rawCid)
const requestId = fc.uint8Array({ minLength: 16, maxLength: 16 })
const base = {
  requesterId: fc.string({ maxLength: 255 }),
  requestId,
  ttl: fc.integer({ min: 1, max: 300 }),
  hops: fc.constantFrom<0 | 1>(0, 1)
}
const ranges = fc.array(fc.tuple(fc.nat(1000), fc.integer({ min: 1, max: 1000 })), { maxLength: 50 }).map(pairs => {
  let end = 0
  return pairs.map(([gap, count]): LeafRange => {
    const start = end + gap
    end = start + count
    return [start, count]
  })
})
const ask: fc.Arbitrary<Ask> = fc.oneof(
  fc.record({
    ...base,
    kind: fc.constant<'dag'>('dag'),
    cid,
    sha256: fc.option(hash),
    skipNodes: fc.nat(),
    leaves: fc.oneof(fc.constant<'all'>('all'), ranges)
  }),
  fc.record({
    ...base,
    kind: fc.constant<'dag'>('dag'),
    cid,
    root: cid,
    isPublic: fc.constant(true),
    sha256: fc.constant(null),
    skipNodes: fc.nat(),
    leaves: ranges
  }),
  fc.record({ ...base, kind: fc.constant<'blocks'>('blocks'), root: cid, cids: fc.array(cid, { maxLength: CIDS_MAX }) }),
  fc.record({
    ...base,
    kind: fc.constant<'have'>('have'),
    multihashes: fc.array(
      hash.map(digest => rawCid(digest).multihash.bytes),
      { maxLength: 64 }
    )
  }),
  fc.record({
    ...base,
    kind: fc.constantFrom<'advert' | 'capabilities'>('advert', 'capabilities'),
    preferredSources: fc.constant<['peer', 'ipfs']>(['peer', 'ipfs'])
  })
)

/** CIDs compare by their text, byte arrays by their content. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, item: unknown) => (item instanceof Uint8Array ? [...item] : item)))
}

const fields = (more: Record<string, unknown>): Uint8Array =>
  encode({ k: 'dag', requesterId: 'did:key:z', requestId: new Uint8Array(16), ttl: 30, hops: 0, contentHash: new Uint8Array(32), ...more })
const root: CID = rawCid(new Uint8Array(32))

describe('exchange/codec', () => {
  it('reads back every request it writes, within the largest request', () => {
    fc.assert(
      fc.property(ask, value => {
        const bytes = encodeRequest(value)
        assert.ok(bytes.byteLength <= REQUEST_BYTES_MAX)
        assert.deepEqual(plain(decodeRequest(bytes)), plain(value))
      })
    )
  })

  it('fits the most ranges there may be into a request', () => {
    const leaves = Array.from({ length: RANGES_MAX }, (_, i): LeafRange => [16_000_000 - 2 * (RANGES_MAX - i), 1])
    const request = encodeRequest({
      kind: 'dag',
      requesterId: 'x'.repeat(255),
      requestId: new Uint8Array(16),
      ttl: 1,
      hops: 0,
      cid: root,
      sha256: null,
      skipNodes: 0,
      leaves
    })
    assert.ok(request.byteLength <= REQUEST_BYTES_MAX, `${request.byteLength}`)
    assert.equal(decodeRequest(request).kind, 'dag')
  })

  it('reads `hash` and `did` as contentHash and requesterId', () => {
    const read = decodeRequest(
      encode({ k: 'dag', did: 'did:key:z6Mk', hash: new Uint8Array(32).fill(7), requestId: new Uint8Array(16), ttl: 30 })
    )
    assert.ok(read.kind === 'dag')
    assert.equal(read.requesterId, 'did:key:z6Mk')
    assert.deepEqual(read.sha256, new Uint8Array(32).fill(7))
    assert.equal(read.leaves, 'all')
  })

  it('ignores unknown keys and names an unknown kind', () => {
    assert.equal(decodeRequest(fields({ later: [1, { __proto__: 1 }] })).kind, 'dag')
    assert.deepEqual(decodeRequest(encode({ k: 'sing' })), { kind: 'unknown' })
  })

  const malformed: [string, Uint8Array][] = [
    ['no map', encode([1])],
    ['a short requestId', fields({ requestId: new Uint8Array(15) })],
    ['a ttl of 0', fields({ ttl: 0 })],
    ['a ttl of 301', fields({ ttl: 301 })],
    ['a fractional ttl', fields({ ttl: 1.5 })],
    ['two hops', fields({ hops: 2 })],
    ['what is neither public nor not', fields({ public: 1 })],
    ['a short hash', fields({ contentHash: new Uint8Array(31) })],
    ['neither hash nor cid', fields({ contentHash: null })],
    ['a cid that is none', fields({ cid: new Uint8Array([1, 2, 3]) })],
    ['a root that is none', fields({ root: new Uint8Array([1, 2, 3]) })],
    ['an unknown preferred source', fields({ preferredSources: ['moon'] })],
    ['a negative skip', fields({ skip: -1 })],
    ['a range of nothing', fields({ leaves: [[0, 0]] })],
    [
      'overlapping ranges',
      fields({
        leaves: [
          [0, 5],
          [4, 1]
        ]
      })
    ],
    ['too many ranges', fields({ leaves: Array.from({ length: RANGES_MAX + 1 }, (_, i) => [i, 1]) })],
    ['a range that is no pair', fields({ leaves: [[0, 1, 2]] })],
    ['deep nesting', new Uint8Array(REQUEST_BYTES_MAX).fill(0x81)],
    ['a list of four billion', new Uint8Array([0xa1, 0x61, 0x6b, 0x9a, 0xff, 0xff, 0xff, 0xff])],
    ['a key twice', new Uint8Array([0xa2, 0x61, 0x6b, 0x01, 0x61, 0x6b, 0x02])],
    ['trailing bytes', new Uint8Array([...fields({}), 0])]
  ]
  for (const [name, bytes] of malformed) {
    it(`calls ${name} malformed`, () => {
      assert.throws(() => decodeRequest(bytes), { name: 'ProtocolOffence', offence: 'malformed-request' })
    })
  }

  it('survives random and damaged bytes in every decoder', () => {
    const damaged = fc.tuple(ask.map(encodeRequest), fc.nat(), fc.nat(255), fc.nat()).map(([bytes, at, value, end]) => {
      const copy = Uint8Array.from(bytes)
      copy[at % copy.byteLength] = value
      return copy.subarray(0, copy.byteLength - (end % 3))
    })
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), bytes => {
        for (const run of [() => decodeRequest(bytes), () => decodeHead(bytes), () => decodeEnd(bytes), () => decodeHave(bytes, 1)]) {
          try {
            run()
          } catch (error) {
            assert.ok(error instanceof ProtocolOffence)
          }
        }
      })
    )
  })

  it('reads back heads, leaving out names no file may have', () => {
    assert.deepEqual(
      plain(decodeHead(encodeHead({ cid: root, size: 5, contentType: 'text/plain', name: 'a.txt' }))),
      plain({ cid: root, size: 5, contentType: 'text/plain', name: 'a.txt' })
    )
    assert.deepEqual(
      plain(decodeHead(encodeHead({ cid: root, name: '../../etc/passwd', contentType: 'x'.repeat(300) }))),
      plain({ cid: root })
    )
    assert.throws(() => decodeHead(encode({ cid: root.bytes, name: '..' })), { offence: 'malformed-frame' })
    assert.throws(() => decodeHead(encode({ cid: root.bytes, size: -1 })), { offence: 'malformed-frame' })
  })

  it('reads back answers to `have`, one for each question', () => {
    const answers = [{ have: true, cid: root, size: 5, class: 'public' as const }, { have: false }]
    assert.deepEqual(plain(decodeHave(encodeHave(answers), 2)), plain(answers))
    assert.throws(() => decodeHave(encodeHave(answers), 3), { offence: 'malformed-frame' })
    assert.throws(() => decodeHave(encode([{ have: 1 }]), 1), { offence: 'malformed-frame' })
  })

  it('reads back ends and knows four of them', () => {
    for (const status of ['ok', 'partial', 'not-found', 'refused'] as const)
      assert.deepEqual(decodeEnd(encodeEnd({ status, reason: 'busy' })), { status, reason: 'busy' })
    assert.throws(() => decodeEnd(encode({ status: 'fine' })), { offence: 'malformed-frame' })
  })
})
