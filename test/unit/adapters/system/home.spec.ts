import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { prepareHome, socketPath } from '../../../../src/adapters/system/home.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

async function mode(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777
}

describe('home directory', () => {
  it('is made with its parts, closed to others, and taken as it is the second time', async () => {
    await using directory = await temporaryDirectory()
    const home = await prepareHome(join(directory.path, 'deep/home'))
    assert.equal(await prepareHome(home), home)
    for (const name of ['.', 'store', 'state', 'swarms', 'keys']) assert.equal(await mode(join(home, name)), 0o700, name)
  })

  it('is closed if it is empty or a home, and left alone if it is something else', async () => {
    await using directory = await temporaryDirectory()
    const [empty, configured, foreign] = ['a', 'b', 'c'].map(name => join(directory.path, name))
    for (const path of [empty, configured, foreign]) await mkdir(path ?? '', { mode: 0o755 })
    await writeFile(join(configured ?? '', 'config.yaml'), '')
    await writeFile(join(foreign ?? '', 'thesis.tex'), '')
    assert.equal(await mode(await prepareHome(empty ?? '')), 0o700)
    assert.equal(await mode(await prepareHome(configured ?? '')), 0o700)
    await assert.rejects(prepareHome(foreign ?? ''), { code: 'START_FAILED', message: /open to other users.*chmod 700/ })
    assert.equal(await mode(foreign ?? ''), 0o755)
    await chmod(foreign ?? '', 0o700)
    await prepareHome(foreign ?? '')
  })

  it('may be reached through a link', async () => {
    await using directory = await temporaryDirectory()
    const [disk, link] = [join(directory.path, 'disk'), join(directory.path, 'link')]
    await mkdir(disk)
    await symlink('disk', link)
    assert.equal(await prepareHome(link), disk)
    assert.deepEqual([await readlink(link), (await readdir(disk)).includes('store'), await mode(disk)], ['disk', true, 0o700])
  })

  it('must be a directory, not a file, nor a link to elsewhere', async () => {
    await using directory = await temporaryDirectory()
    const file = join(directory.path, 'file')
    const link = join(directory.path, 'link')
    await writeFile(file, '')
    await symlink('/usr', link)
    await assert.rejects(prepareHome(file), { code: 'START_FAILED' })
    await assert.rejects(prepareHome(join(file, 'home')), { code: 'START_FAILED', message: /cannot be made \(ENOTDIR\)/ })
    await assert.rejects(prepareHome(link), { code: 'START_FAILED' })
  })

  it('names the length and the remedy when the socket path is too long', () => {
    assert.equal(socketPath('/h', null), '/h/api.sock')
    assert.equal(socketPath('/h', 'run/x.sock'), '/h/run/x.sock')
    assert.equal(socketPath('/h', '/run/x.sock'), '/run/x.sock')
    assert.equal(socketPath(`/${'h'.repeat(93)}`, null).length, 103)
    assert.throws(() => socketPath(`/${'h'.repeat(94)}`, null), { code: 'START_FAILED', message: /104 bytes.*103.*api\.socket.*--socket/ })
    assert.throws(() => socketPath(`/${'ä'.repeat(60)}`, null), { code: 'START_FAILED' })
  })
})
