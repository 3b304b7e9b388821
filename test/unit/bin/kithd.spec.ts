import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const LAUNCHER = join(import.meta.dirname, '../../../bin/kithd.js')
/** Makes the Node that loads it look like an old one; the Node it starts is as new as it is. */
const OLD_NODE = 'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.1.2"}})'
/** Stands in for the daemon: says its process number, and how it was told to end. */
const MAIN = `
  export async function main (argv) {
    process.on('SIGTERM', () => process.exit(7))
    console.log(process.pid + ' ' + argv.join(' '))
    setInterval(() => {}, 1000)
  }
`

async function checkout(directory: string, { node }: { readonly node: boolean }): Promise<string> {
  for (const name of ['bin', 'dist', 'node_modules/node/bin']) await mkdir(join(directory, name), { recursive: true })
  await writeFile(join(directory, 'package.json'), '{"type":"module"}')
  await writeFile(join(directory, 'dist/main.js'), MAIN)
  if (node) await symlink(process.execPath, join(directory, 'node_modules/node/bin/node'))
  await copyFile(LAUNCHER, join(directory, 'bin/kithd.js'))
  return join(directory, 'bin/kithd.js')
}

function launch(launcher: string): ChildProcess {
  return spawn(process.execPath, ['--import', OLD_NODE, launcher, '--home', '/x y'], { stdio: ['ignore', 'pipe', 'pipe'] })
}

async function firstLine(input: NodeJS.ReadableStream | null): Promise<string> {
  assert.ok(input)
  const [line] = await once(createInterface({ input }), 'line')
  return String(line)
}

describe('launcher of kithd on an old Node', () => {
  it("starts the checkout's Node with the same arguments, passes signals on and ends as it ends", async () => {
    await using directory = await temporaryDirectory()
    const launcher = launch(await checkout(directory.path, { node: true }))
    const [pid, ...argv] = (await firstLine(launcher.stdout)).split(' ')
    assert.deepEqual(argv, ['--home', '/x', 'y'])
    assert.notEqual(Number(pid), launcher.pid)
    launcher.kill('SIGTERM')
    const [code] = await once(launcher, 'exit')
    assert.equal(code, 7)
  })

  it('takes the daemon along when it is killed', async () => {
    await using directory = await temporaryDirectory()
    const launcher = launch(await checkout(directory.path, { node: true }))
    await firstLine(launcher.stdout)
    launcher.kill('SIGKILL')
    // The pipe ends when the last process that holds it has: the daemon.
    launcher.stdout?.resume()
    await once(launcher, 'close')
  })

  it('names the remedy when there is no newer Node, or nothing built', async () => {
    await using directory = await temporaryDirectory()
    const without = launch(await checkout(directory.path, { node: false }))
    assert.match(await firstLine(without.stderr), /needs Node 24 or newer, this is 20\.1\.2.*npm run build/)
    await using empty = await temporaryDirectory()
    await mkdir(join(empty.path, 'bin'))
    await writeFile(join(empty.path, 'package.json'), '{"type":"module"}')
    await copyFile(LAUNCHER, join(empty.path, 'bin/kithd.js'))
    const unbuilt = spawn(process.execPath, [join(empty.path, 'bin/kithd.js')], { stdio: ['ignore', 'ignore', 'pipe'] })
    assert.match(await firstLine(unbuilt.stderr), /not built yet.*npm run build/)
  })
})
