import assert from 'node:assert/strict'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFile, replaceFile } from '../../../../src/adapters/system/files.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

describe('small files', () => {
  it('are replaced whole, and leave nothing beside them', async () => {
    await using directory = await temporaryDirectory()
    const file = join(directory.path, 'fact')
    await replaceFile(file, Buffer.from('one'))
    await replaceFile(file, Buffer.from('two'))
    assert.equal(await readFile(file, 'utf8'), 'two')
    await assert.rejects(createFile(file, Buffer.from('three')), { code: 'EEXIST' })
    assert.deepEqual([await readFile(file, 'utf8'), await readdir(directory.path)], ['two', ['fact']])
  })

  it('leave nothing when something is in their way', async () => {
    await using directory = await temporaryDirectory()
    await mkdir(join(directory.path, 'fact'))
    await assert.rejects(replaceFile(join(directory.path, 'fact'), Buffer.from('one')), { code: /EISDIR|EEXIST|ENOTEMPTY/ })
    assert.deepEqual(await readdir(directory.path), ['fact'])
  })
})
