/** Whoever is held within folders is held there by what puts and imports open, not by the names they were given. */
import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { localFiles } from '../../../src/adapters/files/local-files.ts'
import { CarImporter } from '../../../src/content/import-car.ts'
import { Putter } from '../../../src/content/put.ts'
import { EventBus } from '../../../src/observe/events.ts'
import { memoryLibrary } from '../../support/dag-builder.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

describe('content from within folders', () => {
  it('is put and imported from below them only', async () => {
    await using folder = await temporaryDirectory()
    const [mine, theirs] = [join(folder.path, 'mine'), join(folder.path, 'theirs')]
    await Promise.all([mkdir(mine), mkdir(join(theirs, 'sub'), { recursive: true })])
    await Promise.all([writeFile(join(mine, 'a'), 'a'), writeFile(join(theirs, 'b'), 'b'), writeFile(join(theirs, 'sub', 'c'), 'c')])
    await symlink(theirs, join(mine, 'link'))
    const [library, clock, within] = [memoryLibrary(), new VirtualClock(), [mine]]
    const parts = { library, files: localFiles, clock, events: new EventBus({ clock }) }
    const init = { defaultPrivacy: 'private', maxFileSize: 0 } as const
    const [putter, importer] = [new Putter(parts, init), new CarImporter(parts, init)]
    const refused = { code: 'UNAUTHORIZED' }
    const [file, tree] = [join(mine, 'link', 'b'), join(mine, 'link', 'sub')]
    await assert.rejects(putter.put({ path: file }, { within }, {}), refused)
    await assert.rejects(putter.put({ path: tree }, { within }, {}), refused)
    await assert.rejects(putter.put({ entries: [{ path: 'b', file }] }, { within }, {}), refused)
    await assert.rejects(importer.import({ path: file, within }, {}), refused)
    assert.equal(library.realms.own.blocks.usage().blocks, 0)
    assert.equal((await putter.put({ path: join(mine, 'a') }, { within }, {})).size, 1)
    assert.equal((await putter.put({ path: file }, {}, {})).size, 1)
  })
})
