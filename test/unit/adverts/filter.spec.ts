import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { BloomFilter } from 'bloom-filters'
import fc from 'fast-check'
import { elementOfMultihash } from '../../../src/adverts/element.ts'
import { FILTER_HEADER_BYTES, buildFilter, DigestHashing } from '../../../src/adverts/filter.ts'
import { FilterError, decodeFilter, encodeFilter } from '../../../src/adverts/filter-codec.ts'
import { keyedHash } from '../../../src/adverts/keyed-hash.ts'
import { rawCid } from '../../../src/model/content-id.ts'

const SALT = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const MIB2 = 2 * 1024 * 1024

function element(n: number): Uint8Array {
  return new Uint8Array(createHash('sha256').update(String(n)).digest())
}

function elements(count: number, from = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => element(from + i))
}

function build(count: number, options: { falsePositiveRate?: number; bytesMax?: number } = {}) {
  return buildFilter(elements(count), { falsePositiveRate: 0.001, salt: SALT, ...options })
}

/** Share of elements never added that are said to be there. */
function falseRate(filter: { has(element: Uint8Array): boolean }, probes = 40_000): number {
  return elements(probes, 10_000_000).filter(probe => filter.has(probe)).length / probes
}

describe('keyed hash', () => {
  it('is HalfSipHash-2-4: the published vectors of the reference implementation', () => {
    const vectors: [length: number, hash: string][] = [
      [0, '218d1f59b9b83cc8'],
      [4, 'd5e78a175be52ea1'],
      [8, 'edfee820bce4858c'],
      [16, '7336aad25f7bf3b5'],
      [32, '28709d46d811626c']
    ]
    for (const [length, expected] of vectors) {
      const input = Uint8Array.from({ length }, (_, i) => i)
      const out = { x: 0, y: 0 }
      const words = Int32Array.from({ length: length / 4 }, (_, i) => new DataView(input.buffer).getInt32(i * 4, true))
      keyedHash(0x03020100, 0x07060504, words, out)
      const hash = Buffer.alloc(8)
      hash.writeUInt32LE(out.x, 0)
      hash.writeUInt32LE(out.y, 4)
      assert.equal(hash.toString('hex'), expected)
    }
  })
})

describe('content filter', () => {
  it('says yes to everything that was added', () => {
    const { filter, truncated } = build(5000)
    assert.ok(elements(5000).every(one => filter.has(one)))
    assert.equal(truncated, false)
    assert.equal(filter.count, 5000)
  })

  it('says yes to what was not added no more often than asked for, also when full to its size', () => {
    assert.ok(falseRate(build(10_000).filter) < 0.001)
    assert.ok(falseRate(build(10_000, { falsePositiveRate: 0.02 }).filter) < 0.02)
  })

  it('says no to everything while it is empty', () => {
    const { filter } = build(0)
    assert.equal(filter.count, 0)
    assert.equal(falseRate(filter, 1000), 0)
  })

  it('counts an element given twice once', () => {
    assert.equal(buildFilter([...elements(50), ...elements(50)], { falsePositiveRate: 0.001, salt: SALT }).filter.count, 50)
  })

  it('counts exactly, also what sets no new bit by chance', () => {
    const { filter } = buildFilter([...elements(3000), ...elements(100)], { falsePositiveRate: 0.5, salt: SALT })
    assert.equal(filter.count, 3000)
  })

  it('is never sized below 64 entries, so that its size does not tell how little there is', () => {
    assert.equal(build(0).filter.bits, build(51).filter.bits)
    assert.ok(build(52).filter.bits > build(51).filter.bits)
  })

  it('is sized by the package for 1.25 times the count', () => {
    const expected = BloomFilter.create(1250, 0.001)
    const { filter } = build(1000)
    assert.deepEqual([filter.bits, filter.hashes], [expected.size, expected._nbHashes])
  })

  it('leaves out the last elements when not all fit, and says so', () => {
    const { filter, truncated } = build(2000, { bytesMax: 2048 })
    assert.equal(truncated, true)
    assert.ok(encodeFilter(filter).byteLength <= 2048)
    assert.ok(filter.count > 800)
    assert.ok(elements(800).every(one => filter.has(one)))
  })

  it('never uses more than 16 hash functions', () => {
    assert.equal(build(100, { falsePositiveRate: 1e-12 }).filter.hashes, 16)
  })

  it('gives the package the same indexes it uses itself', () => {
    const bloom = BloomFilter.create(200, 0.01)
    bloom._hashing = new DigestHashing(SALT)
    for (const one of elements(150)) bloom.add(Buffer.from(one))
    const { filter } = buildFilter(elements(160), { falsePositiveRate: 0.01, salt: SALT })
    assert.equal(filter.bits, bloom.size)
    for (const one of elements(150)) assert.ok(filter.has(one) && bloom.has(Buffer.from(one)))
    const own = new Uint8Array(bloom._filter.array.byteLength)
    const hashing = new DigestHashing(SALT)
    for (const one of elements(150)) hashing.addTo(own, one, bloom.size, bloom._nbHashes)
    assert.deepEqual(own, bloom._filter.array)
  })

  it('has other false positives under another salt', () => {
    const salted = (salt: number) => buildFilter(elements(2000), { falsePositiveRate: 0.05, salt: new Uint8Array(8).fill(salt) }).filter
    const first = salted(1)
    const wrong = elements(20_000, 5_000_000)
      .filter(probe => first.has(probe))
      .slice(0, 50)
    const other = salted(2)
    assert.equal(wrong.length, 50)
    assert.ok(wrong.filter(probe => other.has(probe)).length < 15)
  })

  it('takes a raw root and its content hash for one element, and hashes other multihashes', () => {
    const hash = element(1)
    assert.deepEqual(elementOfMultihash(rawCid(hash).multihash.bytes), hash)
    assert.equal(elementOfMultihash(Uint8Array.of(0, 2, 9, 9)).byteLength, 32)
  })
})

describe('encoded filter', () => {
  it('comes back as it was', () => {
    for (const count of [0, 1, 63, 64, 1000, 30_000]) {
      const { filter } = build(count)
      const decoded = decodeFilter(encodeFilter(filter), MIB2)
      assert.deepEqual(
        [decoded.bits, decoded.hashes, decoded.count, decoded.bytes, [...decoded.salt]],
        [filter.bits, filter.hashes, filter.count, filter.bytes, [...SALT]]
      )
      assert.ok(elements(count).every(one => decoded.has(one)))
    }
  })

  it('is laid out byte by byte as the protocol says', () => {
    const { filter } = build(3)
    const encoded = Buffer.from(encodeFilter(filter))
    assert.equal(encoded.subarray(0, 18).toString('hex'), '010a' + '99030000' + '03000000' + '0102030405060708')
    assert.equal(encoded.byteLength, 18 + Math.ceil(921 / 8))
  })

  it('shares no memory with the message it came in', () => {
    const encoded = encodeFilter(build(10).filter)
    const decoded = decodeFilter(encoded, MIB2)
    encoded.fill(0)
    assert.ok(decoded.has(element(3)))
    assert.deepEqual([...decoded.salt], [...SALT])
  })

  const cases: [what: string, spoil: (bytes: Uint8Array) => Uint8Array][] = [
    ['is empty', () => new Uint8Array()],
    [
      'has another form',
      bytes => {
        bytes[0] = 2
        return bytes
      }
    ],
    [
      'has no hash functions',
      bytes => {
        bytes[1] = 0
        return bytes
      }
    ],
    [
      'has 17 hash functions',
      bytes => {
        bytes[1] = 17
        return bytes
      }
    ],
    [
      'claims four thousand million bits',
      bytes => {
        bytes.fill(255, 2, 6)
        return bytes
      }
    ],
    [
      'claims no bits',
      bytes => {
        bytes.fill(0, 2, 6)
        return bytes.subarray(0, FILTER_HEADER_BYTES)
      }
    ],
    ['is one byte short', bytes => bytes.subarray(0, -1)],
    [
      'has a bit set beyond its end',
      bytes => {
        bytes[bytes.length - 1] = 0x80
        return bytes
      }
    ],
    [
      'has all bits set',
      bytes => {
        bytes.fill(255, FILTER_HEADER_BYTES, -1)
        return bytes
      }
    ],
    [
      'declares ten times what its bits show',
      bytes => {
        bytes.set([0xe8, 0x03], 6)
        return bytes
      }
    ],
    [
      'declares nothing and has bits',
      bytes => {
        bytes.set([0, 0, 0, 0], 6)
        return bytes
      }
    ]
  ]
  for (const [what, spoil] of cases) {
    it(`is refused when it ${what}`, () => {
      const bytes = spoil(encodeFilter(build(100).filter))
      assert.throws(() => decodeFilter(bytes, MIB2), FilterError)
    })
  }

  it('is refused above the size allowed', () => {
    const bytes = encodeFilter(build(1000).filter)
    assert.throws(() => decodeFilter(bytes, bytes.byteLength - 1), FilterError)
  })

  it('is believed or refused with one error, whatever the bytes are', () => {
    const valid = encodeFilter(build(40).filter)
    const spoiled = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 6 }).map(edits => {
      const bytes = valid.slice()
      for (const [at, value] of edits) bytes[at] = value
      return bytes
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), spoiled), bytes => {
        try {
          decodeFilter(bytes, MIB2).has(element(1))
        } catch (error) {
          assert.ok(error instanceof FilterError)
        }
      }),
      { numRuns: 500 }
    )
  })
})
