import assert from 'node:assert/strict'
import { progressBar, progressLine } from '../../../src/cli/progress.ts'
import { facts, formatBytes, formatMs, printable, safeJson, table } from '../../../src/cli/text.ts'
import { Writable } from 'node:stream'

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

  it('shows bytes, rate, time left and who serves', () => {
    const line = progressLine({ label: 'a.bin', bytes: 2 ** 20, total: 2 ** 21, source: 'peer 12D3', elapsed: 1000 })
    assert.equal(line, 'a.bin  [############------------]  50 %  1.0 MiB  1.0 MiB/s  1.0 s left  from peer 12D3')
  })

  it('shows no progress on a pipe', () => {
    const written: string[] = []
    const bar = progressBar(new Writable({ write: chunk => void written.push(String(chunk)) }), 'x')
    bar.update(1, 2)
    bar.done()
    assert.deepEqual(written, [])
  })
})
