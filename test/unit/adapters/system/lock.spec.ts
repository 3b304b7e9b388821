import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { prepareHome } from '../../../../src/adapters/system/home.ts'
import { lockHome } from '../../../../src/adapters/system/lock.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

const LOCK_MODULE = new URL('../../../../src/adapters/system/lock.ts', import.meta.url).href
const SCRIPT = `
  const { lockHome } = await import(process.argv[1])
  try {
    await lockHome(process.argv[2])
    process.stdout.write('held')
  } catch (error) {
    process.stdout.write(error.message)
    process.exit()
  }
  process.stdin.resume()
`

/** Another process that asks for the lock, and keeps it if it can: its process and its first words. */
async function contender(home: string): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, LOCK_MODULE, home], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [said] = await once(child.stdout, 'data')
  return { child, said: String(said) }
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

describe('lock of the home', () => {
  it('refuses a second daemon and names the process that holds it', async () => {
    await using directory = await temporaryDirectory()
    const home = await prepareHome(directory.path)
    await using lock = await lockHome(home)
    const { said } = await contender(home)
    assert.match(said, new RegExp(`another kithd \\(process ${process.pid}\\) already runs in ${home}`))
    await assert.rejects(lockHome(home), { code: 'START_FAILED' }, 'within one process, too')
    assert.match((await contender(home)).said, /already runs/, 'and the refusal within has not let go of it')
    assert.ok(lock)
  })

  it('is free again after kill -9, whatever the dead process left behind', async () => {
    await using directory = await temporaryDirectory()
    const home = await prepareHome(directory.path)
    const { child, said } = await contender(home)
    assert.equal(said, 'held')
    await assert.rejects(lockHome(home), { message: new RegExp(`process ${child.pid}`) })
    await kill(child)
    await using lock = await lockHome(home)
    assert.ok(lock)
  })

  it('goes to exactly one of many that start at once', async () => {
    await using directory = await temporaryDirectory()
    const home = await prepareHome(directory.path)
    const contenders = await Promise.all(Array.from({ length: 4 }, async () => await contender(home)))
    const held = contenders.filter(({ said }) => said === 'held')
    assert.equal(held.length, 1)
    for (const { child } of held) await kill(child)
  })

  it('can be given back and taken again, and its file is private', async () => {
    await using directory = await temporaryDirectory()
    const home = await prepareHome(directory.path)
    const first = await lockHome(home)
    await first[Symbol.asyncDispose]()
    await first[Symbol.asyncDispose]()
    await using second = await lockHome(home)
    assert.ok(second)
    assert.equal((await stat(join(home, 'lock'))).mode & 0o777, 0o600)
    assert.deepEqual(
      (await readdir(home)).filter(name => name.startsWith('lock')),
      ['lock']
    )
  })

  it("says so when the file is not Kith's", async () => {
    await using directory = await temporaryDirectory()
    const home = await prepareHome(directory.path)
    await writeFile(join(home, 'lock'), 'this is not a database, and is long enough to be one'.repeat(20))
    await assert.rejects(lockHome(home), { code: 'START_FAILED', message: /lock cannot be locked/ })
  })
})
