import assert from 'node:assert/strict'
import { remembered } from '../../../src/lib/remembered.ts'

describe('a function whose answers are remembered', () => {
  it('works out each answer once, and again when it made room for others', () => {
    const worked: string[] = []
    const upper = remembered(key => {
      worked.push(key)
      return key.toUpperCase()
    }, 2)
    assert.deepEqual(['a', 'b', 'a', 'b'].map(upper), ['A', 'B', 'A', 'B'])
    assert.deepEqual(worked, ['a', 'b'])
    assert.deepEqual(['c', 'b', 'a'].map(upper), ['C', 'B', 'A'])
    assert.deepEqual(worked, ['a', 'b', 'c', 'a'])
  })

  it('throws what the function throws, each time', () => {
    const never = remembered(key => {
      throw new Error(key)
    }, 2)
    for (const _ of [1, 2]) assert.throws(() => never('a'), /a/)
  })
})
