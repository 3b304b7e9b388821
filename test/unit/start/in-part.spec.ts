import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { KithError } from '../../../src/errors.ts'
import { inPart } from '../../../src/start/in-part.ts'

describe('a part that cannot be opened', () => {
  it('is named when the system refuses, with the cause and what to do', async () => {
    const missing = inPart('the store', async () => await readdir('/nowhere/at/all'))
    await assert.rejects(missing, { code: 'START_FAILED', message: /^the store cannot be opened: ENOENT.*\/nowhere\/at\/all.*Check/ })
    const noDatabase = inPart('the index', async () => new DatabaseSync('/nowhere/at/all.db'))
    await assert.rejects(noDatabase, { code: 'START_FAILED', message: /^the index cannot be opened: / })
  })

  it('passes on what is explained already, and bugs as bugs', async () => {
    const explained = new KithError('CONFIG', 'as it is')
    await assert.rejects(
      inPart('a part', async () => await Promise.reject(explained)),
      explained
    )
    const bug = new TypeError('x is not a function')
    await assert.rejects(
      inPart('a part', async () => await Promise.reject(bug)),
      bug
    )
    assert.equal(await inPart('a part', async () => 7), 7)
  })
})
