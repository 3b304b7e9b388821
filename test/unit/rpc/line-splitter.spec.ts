import assert from 'node:assert/strict'
import fc from 'fast-check'
import { LineSplitter } from '../../../src/rpc/line-splitter.ts'

describe('LineSplitter', () => {
  it('finds the same lines however the bytes are cut', () => {
    const line = fc.string({ unit: 'grapheme' }).map(text => text.replaceAll('\n', ''))
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(40)), (lines, cuts) => {
        const splitter = new LineSplitter({ limit: () => 2 ** 20 })
        let rest = Buffer.from(lines.join('\n'))
        const found: string[] = []
        for (const cut of cuts) {
          found.push(...splitter.push(rest.subarray(0, cut)))
          rest = rest.subarray(cut)
        }
        found.push(...splitter.push(rest), ...splitter.end())
        assert.deepEqual(
          found,
          Buffer.from(lines.join('\n'))
            .toString()
            .split('\n')
            .filter(text => text.trim() !== '')
        )
      })
    )
  })

  it('takes a line of exactly the limit and refuses one byte more', () => {
    const splitter = new LineSplitter({ limit: () => 8 })
    assert.deepEqual(splitter.push(Buffer.from('1234')), [])
    assert.deepEqual(splitter.push(Buffer.from('5678\n')), ['12345678'])
    splitter.push(Buffer.from('12345678'))
    assert.throws(() => splitter.push(Buffer.from('9')), { code: 'TOO_LARGE' })
  })
})
