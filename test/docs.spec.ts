import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { VERSION } from '../src/version.ts'
import { generatedDocs } from '../scripts/generate-docs.ts'

describe('generated documents', () => {
  for (const [path, text] of generatedDocs()) {
    it(`${path} is what the code says (else run: node scripts/generate-docs.ts)`, () => {
      assert.equal(readFileSync(join(import.meta.dirname, '..', path), 'utf8'), text)
    })
  }

  it('say the same version as package.json', () => {
    const facts: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8'))
    assert.deepEqual(facts, { ...Object(facts), version: VERSION })
  })
})
