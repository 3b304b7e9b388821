import assert from 'node:assert/strict'
import { systemRandom } from '../../../../src/adapters/system/random.ts'

describe('random', () => {
  it('gives numbers in [0, 1) and as many bytes as asked for', () => {
    for (let draw = 0; draw < 100; draw++) {
      const number = systemRandom.number()
      assert.ok(number >= 0 && number < 1)
    }
    assert.equal(systemRandom.bytes(33).byteLength, 33)
    assert.notDeepEqual(systemRandom.bytes(16), systemRandom.bytes(16))
  })
})
