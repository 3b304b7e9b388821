import assert from 'node:assert/strict'
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { diskSpace, newestFileTime } from '../../../../src/adapters/system/disk.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

describe('the disk of a home', () => {
  it('has room, and no more than it holds', async () => {
    await using directory = await temporaryDirectory()
    const { freeBytes, totalBytes } = await diskSpace(directory.path)
    assert.equal(totalBytes > 0 && freeBytes <= totalBytes, true)
  })

  it('tells when a daemon last wrote there, whichever file it was', async () => {
    await using directory = await temporaryDirectory()
    assert.equal(await newestFileTime(directory.path), 0, 'nothing is there')
    const write = async (names: readonly string[], at: string): Promise<void> => {
      const file = join(directory.path, ...names)
      await mkdir(join(file, '..'), { recursive: true })
      await writeFile(file, '')
      await utimes(file, new Date(at), new Date(at))
    }
    await write(['identity.key'], '2026-01-01')
    await write(['state', 'ports.json'], '2026-01-02')
    await write(['store', 'own', 'segments', '1'], '2026-01-04')
    await write(['store', 'own', 'index', 'index.db'], '2026-01-03')
    await write(['config.yaml'], '2031-01-01')
    assert.equal(await newestFileTime(directory.path), Date.parse('2026-01-04'), 'what a person edits does not count')
  })
})
