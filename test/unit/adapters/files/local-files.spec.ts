import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, readlink, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openByName, openFolder } from '../../../../src/adapters/files/folder.ts'
import { guardedFiles, localFiles } from '../../../../src/adapters/files/local-files.ts'
import { KithError } from '../../../../src/errors.ts'
import type { LocalFiles } from '../../../../src/ports/local-files.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../../../support/temporary-directory.ts'

async function bytesOf(files: LocalFiles, path: string): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of files.read(path, {})) parts.push(part)
  return Buffer.concat(parts).toString()
}

async function walked(files: LocalFiles, path: string): Promise<string[]> {
  const entries: string[] = []
  for await (const entry of files.walk(path, {})) entries.push(`${entry.kind} ${entry.path}`)
  return entries
}

async function written(files: LocalFiles, path: string, text: string): Promise<void> {
  const sink = await files.createFile(path)
  await sink.write(Buffer.from(text))
  await sink.commit()
}

/** What this process has open of `path`, what is below it, and the folders it lies in; other specs may have other files open. */
async function openAround(path: string): Promise<string[]> {
  const numbers = await readdir('/proc/self/fd')
  // The one by which the list was read is closed again.
  const targets = await Promise.all(numbers.map(async number => await readlink(join('/proc/self/fd', number)).catch(() => '')))
  return targets.filter(target => target.startsWith('/') && (target.startsWith(path) || `${path}/`.startsWith(target.replace(/\/*$/, '/'))))
}

/** Every way in but walks. */
async function assertRefused(files: LocalFiles, path: string, code: string): Promise<void> {
  const ways: [string, () => Promise<unknown>][] = [
    ['kindOf', async () => await files.kindOf(path)],
    ['exists', async () => await files.exists(path)],
    ['read', async () => await bytesOf(files, path)],
    ['makeFolder', async () => await files.makeFolder(path)],
    ['createFolder', async () => await files.createFolder(path)],
    ['createFile', async () => await files.createFile(path)]
  ]
  for (const [name, way] of ways)
    await assert.rejects(way(), (error: unknown) => error instanceof KithError && error.code === code, `${name} ${path}`)
}

describe('a source file that cannot be read to its end', () => {
  it('is told as what the world did, with its path, and not as a bug', async () => {
    // A plain file that opens and then answers EIO: nothing is mapped at its beginning.
    await assert.rejects(bytesOf(localFiles, '/proc/self/mem'), (error: unknown) => {
      assert.ok(error instanceof KithError)
      assert.deepEqual([error.code, error.fault, error.data['path']], ['UNAVAILABLE', 'world', '/proc/self/mem'])
      assert.match(error.message, /EIO/)
      return true
    })
  })
})

describe('files of this machine', () => {
  let folder: TemporaryDirectory
  let at: (...names: string[]) => string
  beforeEach(async () => {
    folder = await temporaryDirectory()
    at = (...names) => join(folder.path, ...names)
    await Promise.all([mkdir(at('open', 'sub'), { recursive: true }), mkdir(at('user', 'home', 'store'), { recursive: true })])
    await Promise.all([writeFile(at('open', 'a.txt'), 'free'), writeFile(at('user', 'home', 'lock'), 'locked')])
    await writeFile(at('user', 'home', 'store', 'index.db'), 'records')
    await writeFile(at('user', 'b.txt'), 'beside')
  })
  afterEach(async () => {
    await folder[Symbol.asyncDispose]()
  })

  it('are read, walked and written by their names', async () => {
    assert.equal(await localFiles.kindOf(at('open')), 'directory')
    assert.equal(await bytesOf(localFiles, at('open', 'a.txt')), 'free')
    await localFiles.makeFolder(at('open', 'new'))
    await written(localFiles, at('open', 'new', 'c.txt'), 'made')
    assert.deepEqual(await walked(localFiles, at('open')), ['file a.txt', 'directory new', 'file new/c.txt', 'directory sub'])
    await assert.rejects(written(localFiles, at('open', 'a.txt'), 'again'), { code: 'CONFLICT' })
    assert.deepEqual(await readdir(at('open')), ['a.txt', 'new', 'sub'])
    assert.equal(await localFiles.exists(at('nowhere', 'at all')), false)
    await assert.rejects(localFiles.kindOf(at('nowhere', 'x')), /does not exist/)
    assert.equal(await localFiles.kindOf('/'), 'directory')
  })

  it('of the home are refused under each of its names', async () => {
    const files = await guardedFiles(at('user', 'home'))
    await symlink(at('user', 'home'), at('open', 'link'))
    for (const path of [
      at('user', 'home', 'lock'),
      at('user', 'home', 'store', 'index.db'),
      at('user', 'home', 'store', 'new'),
      at('open', 'link', 'lock'),
      at('open', 'link', 'store', 'new'),
      `${at('open')}/../user/home/config.yaml`,
      at('user', 'home', 'lock-journal'),
      at('user', 'home', 'identity.key.new')
    ])
      await assertRefused(files, path, 'INVALID_PARAMS')
    for (const path of [at('user', 'home'), `${at('user', 'home')}/.`])
      await assert.rejects(files.exists(path), { code: 'INVALID_PARAMS', message: /belongs to the home of this daemon/ })
    for (const path of [at('user', 'home'), at('user', 'home', 'store'), at('open', 'link', 'store')])
      await assert.rejects(walked(files, path), { code: 'INVALID_PARAMS', message: /belongs to the home of this daemon/ })
    assert.deepEqual(await readdir(at('user', 'home')), ['lock', 'store'])
    await written(files, at('user', 'home', 'lockers.txt'), 'what somebody else keeps there is his')
    assert.deepEqual((await readdir(at('user', 'home'))).toSorted(), ['lock', 'lockers.txt', 'store'])
  })

  it('of the home stay refused once it has another name, also by a link it was opened with', async () => {
    await symlink(at('user', 'home'), at('given'))
    const files = await guardedFiles(at('given'))
    await rename(at('user', 'home'), at('user', 'moved'))
    await assertRefused(files, at('user', 'moved', 'lock'), 'INVALID_PARAMS')
    await assertRefused(files, at('user', 'moved', 'store', 'index.db'), 'INVALID_PARAMS')
    assert.deepEqual(await walked(files, at('user')), ['file b.txt', 'other moved'])
  })

  it('are walked around the home, and read beside it', async () => {
    const files = await guardedFiles(at('user', 'home'))
    assert.deepEqual(await walked(files, at('user')), ['file b.txt', 'other home'])
    assert.equal(await bytesOf(files, at('user', 'b.txt')), 'beside')
    assert.deepEqual(await walked(files, at('open')), ['file a.txt', 'directory sub'])
    await written(files, at('user', 'homely'), 'a name that begins alike')
  })

  it('are held within folders by what is opened, not by its name', async () => {
    const files = localFiles.within([at('open')])
    await symlink(at('user'), at('open', 'out'))
    for (const path of [at('user', 'b.txt'), at('open', 'out', 'b.txt'), at('open', 'out', 'new'), at('open-and-more')])
      await assertRefused(files, path, 'UNAUTHORIZED')
    for (const path of [at('user'), at('open', 'out', 'home')]) await assert.rejects(walked(files, path), { code: 'UNAUTHORIZED' })
    await assert.rejects(walked(files, at('open', 'out')), { code: 'INVALID_PARAMS' })
    assert.deepEqual(await walked(files, at('open')), ['file a.txt', 'other out', 'directory sub'])
    await written(files, at('open', 'sub', 'new'), 'below')
    assert.equal(await bytesOf(files, at('open', 'sub', 'new')), 'below')
    assert.deepEqual(await readdir(at('user')), ['b.txt', 'home'])
  })

  it('are no files at all within no folders, and guarded within others', async () => {
    await assertRefused(localFiles.within([]), at('open', 'a.txt'), 'UNAUTHORIZED')
    const files = await guardedFiles(at('user', 'home'))
    await assertRefused(files.within([at('user')]), at('user', 'home', 'lock'), 'INVALID_PARAMS')
    await assertRefused(files.within(undefined), at('user', 'home', 'lock'), 'INVALID_PARAMS')
  })

  it('being written stay in the folder that was looked at, whatever takes its name', async () => {
    const sink = await localFiles.within([at('open')]).createFile(at('open', 'sub', 'new'))
    await rename(at('open', 'sub'), at('open', 'aside'))
    await symlink(at('user'), at('open', 'sub'))
    await sink.write(Buffer.from('kept'))
    await (process.platform === 'linux' ? sink.commit() : assert.rejects(sink.commit(), /replaced/))
    assert.deepEqual(await readdir(at('user')), ['b.txt', 'home'])
    if (process.platform === 'linux') assert.equal(await readFile(at('open', 'aside', 'new'), 'utf8'), 'kept')
  })

  it('below a new folder appear with it, and in no other way', async () => {
    const files = localFiles.within([at('open', 'new')]) // as narrow as it can be: the folder itself
    const sink = await files.createFolder(at('open', 'new'))
    await sink.files.makeFolder(join(sink.path, 'sub'))
    await written(sink.files, join(sink.path, 'sub', 'a.txt'), 'whole')
    await assert.rejects(written(sink.files, at('open', 'other'), 'x'), { code: 'UNAUTHORIZED' })
    assert.equal(await localFiles.exists(at('open', 'new')), false)
    await sink.commit()
    assert.equal(await bytesOf(files, at('open', 'new', 'sub', 'a.txt')), 'whole')
    assert.deepEqual(await readdir(at('open')), ['a.txt', 'new', 'sub'])
    await assertRefused(files, sink.path, 'UNAUTHORIZED')
  })

  it('of a new folder replace nothing, not even an empty one, and are gone then', async () => {
    const taken = [
      async (path: string) => await mkdir(path),
      async (path: string) => await writeFile(path, 'theirs'),
      async (path: string) => await symlink(at('user'), path),
      async (path: string) => await mkdir(join(path, 'sub'), { recursive: true })
    ]
    for (const [index, take] of taken.entries()) {
      const path = at('open', `new ${index}`)
      const sink = await localFiles.createFolder(path)
      await sink.files.makeFolder(join(sink.path, 'sub'))
      await written(sink.files, join(sink.path, 'sub', 'a.txt'), 'mine')
      await take(path)
      await assert.rejects(sink.commit(), { code: 'CONFLICT' })
    }
    assert.deepEqual(await readdir(at('open')), ['a.txt', 'new 0', 'new 1', 'new 2', 'new 3', 'sub'])
    assert.deepEqual(await readdir(at('open', 'new 0')), [])
    assert.equal(await readFile(at('open', 'new 1'), 'utf8'), 'theirs')
  })

  it('beyond a link that somebody put into a new folder are not removed with it', async () => {
    const sink = await localFiles.createFolder(at('open', 'new'))
    await sink.files.makeFolder(join(sink.path, 'sub'))
    await rename(join(sink.path, 'sub'), join(sink.path, 'aside'))
    await symlink(at('user'), join(sink.path, 'sub'))
    await sink.discard()
    assert.deepEqual(await readdir(at('user')), ['b.txt', 'home'])
    assert.deepEqual(await readdir(at('open')), ['a.txt', 'sub'])
  })

  it('give a folder swapped for a link in the middle of a walk to nobody', async () => {
    await writeFile(at('open', 'sub', 'b.txt'), 'harmless')
    const files = localFiles.within([at('open')])
    const walk = files.walk(at('open'), {})[Symbol.asyncIterator]()
    assert.deepEqual((await walk.next()).value, { path: 'a.txt', kind: 'file' })
    assert.deepEqual((await walk.next()).value, { path: 'sub', kind: 'directory' })
    await rename(at('open', 'sub'), at('open', 'aside'))
    await symlink(at('user'), at('open', 'sub'))
    await assert.rejects(async () => await walk.next(), { code: 'INVALID_PARAMS' })
  })

  it('leave no folder open', async function () {
    if (process.platform !== 'linux') return this.skip() // only Linux lists what a process has open
    const files = (await guardedFiles(at('user', 'home'))).within([at('open')])
    await assertRefused(files, at('user', 'home', 'lock'), 'UNAUTHORIZED')
    await walked(files, at('open'))
    await bytesOf(files, at('open', 'a.txt'))
    await written(files, at('open', 'one'), 'x')
    await (await files.createFile(at('open', 'two'))).discard()
    const late = await files.createFile(at('open', 'three'))
    await written(files, at('open', 'three'), 'first')
    await assert.rejects(late.commit(), { code: 'CONFLICT' })
    await (await files.createFolder(at('open', 'four'))).discard()
    await (await files.createFolder(at('open', 'four'))).commit()
    const taken = await files.createFolder(at('open', 'five'))
    await files.makeFolder(at('open', 'five'))
    await assert.rejects(taken.commit(), { code: 'CONFLICT' })
    assert.deepEqual(await openAround(folder.path), [])
  })

  for (const [name, opener] of [
    ['by name', openByName],
    ['as this system can', openFolder]
  ] as const)
    it(`lie in folders that are opened ${name}, where they really lie`, async () => {
      await symlink(at('open'), at('link'))
      await using direct = await opener(at('link', 'sub'), { follow: false })
      assert.deepEqual([direct.real, await direct.isSame()], [at('open', 'sub'), true])
      await using followed = await opener(at('link'), { follow: true })
      assert.equal(followed.real, at('open'))
      await assert.rejects(opener(at('link'), { follow: false }), { code: 'ENOTDIR' })
      await assert.rejects(opener(at('nothing'), { follow: true }), { code: 'ENOENT' })
    })

  it('in a folder opened by name are no longer the same once it is replaced', async () => {
    await using opened = await openByName(at('open', 'sub'), { follow: true })
    await rename(at('open', 'sub'), at('open', 'aside'))
    assert.equal(await opened.isSame(), false)
    await symlink(at('user'), at('open', 'sub'))
    assert.equal(await opened.isSame(), false)
  })
})
