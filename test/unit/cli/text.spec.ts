import assert from 'node:assert/strict'
import { cut, displayWidth, facts, formatBytes, formatMs, printable, safeJson, table } from '../../../src/cli/text.ts'

describe('text for people', () => {
  it('lets nothing move the cursor or turn the direction of text', () => {
    assert.equal(printable('a\u001b[31m\u009b\u202eb\nc'), 'a\\u001b[31m\\u009b\\u202eb\\u000ac')
    assert.equal(safeJson({ a: '\u009b' }), '{"a":"\\u009b"}')
    assert.deepEqual(JSON.parse(safeJson({ a: '\u009b\u202e' })), { a: '\u009b\u202e' })
  })

  it('aligns columns, numbers to the right', () => {
    assert.equal(
      table(
        ['name', 'size'],
        [
          ['a', 5],
          ['long', 500]
        ]
      ),
      'name  size\na        5\nlong   500'
    )
    assert.equal(facts({ a: 1, longer: 'x', none: undefined }), 'a       1\nlonger  x')
  })

  it('writes sizes and durations', () => {
    assert.deepEqual([0, 1023, 1024, 3_000_000].map(formatBytes), ['0 B', '1023 B', '1.0 KiB', '2.9 MiB'])
    assert.deepEqual([4.4, 1500, 65_000, 3_700_000].map(formatMs), ['4 ms', '1.5 s', '1 min 5 s', '1 h 1 min'])
  })

  it('counts columns, not characters', () => {
    assert.deepEqual(['abc', '写真', 'e\u0301', '🙂', ''].map(displayWidth), [3, 4, 1, 2, 0])
    assert.deepEqual([cut('写真写真', 5), cut('abc', 3), cut('abcd', 3), cut('abc', 0)], ['写真…', 'abc', 'ab…', ''])
    assert.equal(
      table(
        ['a', 'b'],
        [
          ['写真', 'x'],
          ['abcd', 'y']
        ]
      ),
      'a     b\n写真  x\nabcd  y'
    )
  })
})
