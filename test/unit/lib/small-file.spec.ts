import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readSmallFile, UnfitFileError } from '../../../src/lib/small-file.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const UNFIT = (why: RegExp) => (error: unknown) => error instanceof UnfitFileError && why.test(error.message)

describe('a small file', () => {
  it('is read whole up to its bound, and not beyond', async () => {
    await using directory = await temporaryDirectory()
    const [file, link] = ['file', 'link'].map(name => join(directory.path, name))
    assert.ok(file !== undefined && link !== undefined)
    await symlink(file, link)
    for (const text of ['', 'x', '12345678']) {
      await writeFile(file, text)
      assert.equal(String(await readSmallFile(link, 8)), text)
    }
    await writeFile(file, '123456789')
    await assert.rejects(readSmallFile(file, 8), UNFIT(/more than 8 bytes/))
  })

  it('is a plain file: no device without an end, no pipe without a writer, no folder', async () => {
    await using directory = await temporaryDirectory()
    const [pipe, link] = [join(directory.path, 'pipe'), join(directory.path, 'link')]
    execFileSync('mkfifo', [pipe])
    await symlink('/dev/zero', link)
    for (const path of ['/dev/zero', link, pipe, directory.path]) await assert.rejects(readSmallFile(path, 8), UNFIT(/no plain file/), path)
  })

  it('may say that it is empty and not be: the bound counts what is read', async () => {
    await assert.rejects(readSmallFile('/proc/self/smaps', 8), UNFIT(/more than 8 bytes/))
  })

  it('that is not there is told apart from one that is unfit', async () => {
    await assert.rejects(readSmallFile('/no/such/file', 8), { code: 'ENOENT' })
  })
})
