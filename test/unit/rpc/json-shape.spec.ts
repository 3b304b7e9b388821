import assert from 'node:assert/strict'
import fc from 'fast-check'
import { checkShape } from '../../../src/rpc/json-shape.ts'

const DEPTH_MAX = 32
const MARKS_MAX = 131_072

describe('the shape of a message', () => {
  it('is good for all JSON that is neither deep nor of many parts, whatever its texts hold', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 20 }), value => {
        checkShape(JSON.stringify(value))
        checkShape(JSON.stringify(value, null, 1))
        checkShape(JSON.stringify([JSON.stringify(value), '\\', '"', '[[['.repeat(DEPTH_MAX)]))
      })
    )
  })

  it('may be 32 deep and no deeper, in lists and objects alike', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}']
    ] as const) {
      checkShape(open.repeat(DEPTH_MAX) + close.repeat(DEPTH_MAX))
      assert.throws(() => checkShape(open.repeat(DEPTH_MAX + 1)), { code: 'INVALID_REQUEST' })
    }
    checkShape('[[]]'.repeat(DEPTH_MAX))
  })

  it('may have 131,072 parts and no more, of whatever kind', () => {
    checkShape(`[${','.repeat(MARKS_MAX - 1)}`)
    for (const many of [',', '""', '[]', '{}', '"a":1', '1,', '[,]']) {
      const text = `{"a":${many.repeat(MARKS_MAX)}}`
      assert.throws(() => checkShape(text), { code: 'TOO_LARGE' }, many)
    }
    assert.throws(() => checkShape(`"${'\\"'.repeat(MARKS_MAX + 1)}"`), { code: 'TOO_LARGE' })
  })

  it('says nothing of what long texts hold', () => {
    checkShape(`{"data":"${'[,{'.repeat(1_000_000)}"}`)
    checkShape(`["${'\\\\'.repeat(1_000_000)}", "${'\\\\'.repeat(1_000_001)}"]`)
  })

  it('leaves what is no JSON to the parser', () => {
    for (const text of ['', '"', '"\\', '"\\"', ']]]', '}{', '{"a', '[1,', '\\"']) checkShape(text)
  })
})
