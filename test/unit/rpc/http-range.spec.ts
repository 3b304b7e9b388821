import assert from 'node:assert/strict'
import { parseRange } from '../../../src/rpc/http-range.ts'

describe('parseRange', () => {
  const cases: [header: string | undefined, size: number, expected: unknown][] = [
    [undefined, 10, undefined],
    ['bytes=0-0', 10, { offset: 0, length: 1 }],
    ['bytes=2-', 10, { offset: 2, length: 8 }],
    ['bytes=2-99', 10, { offset: 2, length: 8 }],
    ['bytes=-3', 10, { offset: 7, length: 3 }],
    ['bytes=-30', 10, { offset: 0, length: 10 }],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=5-2', 10, undefined],
    ['bytes=-', 10, undefined],
    ['bytes=0-1,3-4', 10, undefined],
    ['lines=0-1', 10, undefined]
  ]
  for (const [header, size, expected] of cases) {
    it(`reads ${header} of ${size} bytes`, () => {
      assert.deepEqual(parseRange(header, size), expected)
    })
  }
})
