/** The false-positive rate of filters of three sizes, printed: by digests drawn from a seed, the same in every run. */
import assert from 'node:assert/strict'
import { buildFilter } from '../../../src/adverts/filter.ts'
import { encodeFilter } from '../../../src/adverts/filter-codec.ts'

/** As `adverts.falsePositiveRate` is by default. */
const RATE = 0.001
const SALT = Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1)
/** Look-ups of what is not in it; at the nominal rate a fiftieth more or less is one deviation. Count. */
const PROBES = 500_000

/** Digests need only be uniform and distinct: xorshift words, far cheaper than a million hashes. */
function* digests(count: number, seed: number): Generator<Uint8Array> {
  let state = seed
  for (let n = 0; n < count; n++) {
    const words = new Uint32Array(8)
    words[0] = n
    words[1] = seed
    for (let i = 2; i < 8; i++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      words[i] = state >>> 0
    }
    yield new Uint8Array(words.buffer)
  }
}

describe('false positives of a filter', () => {
  for (const entries of [100, 10_000, 1_000_000]) {
    it(`stay as its shape says, and below what was asked for, with ${entries.toLocaleString('en')} entries`, () => {
      const { filter, truncated } = buildFilter(digests(entries, 1), { falsePositiveRate: RATE, salt: SALT })
      assert.deepEqual([truncated, filter.count], [false, entries])
      let wrong = 0
      for (const probe of digests(PROBES, 77)) if (filter.has(probe)) wrong++
      const measured = wrong / PROBES
      const deviation = Math.sqrt((filter.falseRate * (1 - filter.falseRate)) / PROBES)
      process.stdout.write(
        `      ${entries} entries: ${encodeFilter(filter).byteLength} bytes, ${filter.hashes} hashes, ` +
          `${(measured * 100).toFixed(4)} % false (${(filter.falseRate * 100).toFixed(4)} % by its shape)\n`
      )
      assert.ok(Math.abs(measured - filter.falseRate) <= 5 * deviation, `${measured} is not ${filter.falseRate} ± ${5 * deviation}`)
      assert.ok(measured <= RATE)
    })
  }

  it('are one in a thousand when it is filled to what it was sized for', () => {
    const { filter } = buildFilter(digests(10_000, 1), { falsePositiveRate: RATE, salt: SALT })
    const fill = 12_500 / filter.count
    const rate = (1 - Math.exp((-filter.hashes * filter.count * fill) / filter.bits)) ** filter.hashes
    assert.ok(Math.abs(rate - RATE) < RATE / 20, String(rate))
  })
})
