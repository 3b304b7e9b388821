import assert from 'node:assert/strict'
import fc from 'fast-check'
import { didYouMean, editDistance, nearestWord } from '../../../src/lib/nearest-word.ts'

describe('nearest word', () => {
  const words = ['network', 'gateways', 'routing', 'privacy', 'adverts', 'log']

  it('finds what was meant: a slip, a swap, a missing letter, another case', () => {
    assert.equal(nearestWord('netwrok', words), 'network')
    assert.equal(nearestWord('gateway', words), 'gateways')
    assert.equal(nearestWord('routting', words), 'routing')
    assert.equal(nearestWord('PRIVACY', words), 'privacy')
    assert.equal(nearestWord('lgo', words), 'log')
  })

  it('suggests nothing for what resembles nothing', () => {
    assert.equal(nearestWord('zebra', words), undefined)
    assert.equal(nearestWord('x'.repeat(100_000), words), undefined)
    assert.equal(didYouMean('zebra', words), '')
  })

  it('makes a sentence', () => {
    assert.equal(didYouMean('advert', words), ' Did you mean "adverts"?')
  })

  it('counts a swap of neighbours as one slip', () => {
    assert.equal(editDistance('ab', 'ba'), 1)
    assert.equal(editDistance('', 'abc'), 3)
  })

  it('is symmetric, and zero only for equal words', () => {
    const word = fc.string({ maxLength: 12 })
    fc.assert(fc.property(word, word, (a, b) => editDistance(a, b) === editDistance(b, a) && (editDistance(a, b) === 0) === (a === b)))
  })
})
