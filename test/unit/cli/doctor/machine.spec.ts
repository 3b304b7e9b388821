import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { diskFindings } from '../../../../src/cli/doctor/disk.ts'
import { NODE_MAJOR_MIN, nodeFindings } from '../../../../src/cli/doctor/node.ts'
import { portFindings } from '../../../../src/cli/doctor/ports.ts'
import { freePort } from '../../../support/free-port.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

const run = promisify(execFile)

describe('doctor on the disk', () => {
  it('says how much is free', async () => {
    await using home = await temporaryDirectory()
    const [found] = await diskFindings(join(home.path, 'not', 'there', 'yet'), 0)
    assert.deepEqual([found?.code, found?.severity], ['DISK', 'ok'])
  })

  it('warns below the reserve', async () => {
    await using home = await temporaryDirectory()
    const [found] = await diskFindings(home.path, 1)
    assert.deepEqual([found?.code, found?.severity], ['DISK_LOW', 'warning'])
  })

  it('finds a full disk', async function () {
    await using home = await temporaryDirectory()
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'kith-test', home.path]).then(
      () => true,
      () => false
    )
    if (!mounted) return this.skip() // needs root and a kernel that mounts
    try {
      assert.deepEqual(
        (await diskFindings(home.path, 0.05)).map(({ code }) => code),
        ['DISK']
      )
      await writeFile(join(home.path, 'filler'), Buffer.alloc(20 * 1024 * 1024))
      assert.deepEqual(
        (await diskFindings(home.path, 0.05)).map(({ code }) => code),
        ['DISK_FULL']
      )
    } finally {
      await run('umount', [home.path])
    }
  })
})

describe('doctor on Node', () => {
  const fakeNode = async (home: string, script: string): Promise<URL> => {
    await mkdir(join(home, 'node_modules/node/bin'), { recursive: true })
    await writeFile(join(home, 'node_modules/node/bin/node'), script)
    await chmod(join(home, 'node_modules/node/bin/node'), 0o755)
    return pathToFileURL(`${home}/`)
  }

  it('takes this one if it is new enough, as the launcher does', async () => {
    assert.deepEqual(
      (await nodeFindings({ version: '24.0.0' })).map(({ code }) => code),
      ['NODE']
    )
    const launcher = await readFile(new URL('../../../../bin/kithd.js', import.meta.url), 'utf8')
    assert.match(launcher, new RegExp(`NODE_MAJOR_MIN = ${NODE_MAJOR_MIN}\\b`))
  })

  it('else takes that of the checkout', async () => {
    await using home = await temporaryDirectory()
    await mkdir(join(home.path, 'node_modules/node/bin'), { recursive: true })
    await symlink(process.execPath, join(home.path, 'node_modules/node/bin/node'))
    const [found] = await nodeFindings({ version: '20.1.0', checkout: pathToFileURL(`${home.path}/`) })
    assert.deepEqual([found?.severity, found?.message.includes(process.versions.node)], ['ok', true])
  })

  it('finds that there is none, or one that is old or does not start', async () => {
    await using home = await temporaryDirectory()
    const code = async (checkout: URL): Promise<string | undefined> => (await nodeFindings({ version: '20.1.0', checkout }))[0]?.code
    assert.equal(await code(pathToFileURL(`${home.path}/`)), 'NODE_MISSING')
    assert.equal(await code(await fakeNode(home.path, '#!/bin/sh\necho v22.1.0\n')), 'NODE_OLD')
    assert.equal(await code(await fakeNode(home.path, '#!/bin/sh\nexit 3\n')), 'NODE_BROKEN')
    assert.equal(await code(await fakeNode(home.path, '\u007fELF of another machine')), 'NODE_BROKEN')
  })
})

describe('doctor on ports', () => {
  async function heldPort(): Promise<{ readonly port: number } & AsyncDisposable> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return {
      port,
      [Symbol.asyncDispose]: async () => {
        server.close()
        await once(server, 'close')
      }
    }
  }

  it('finds a configured port that another process holds', async () => {
    await using home = await temporaryDirectory()
    await using held = await heldPort()
    const [found] = await portFindings(home.path, [`/ip4/127.0.0.1/tcp/${held.port}`])
    assert.deepEqual([found?.code, found?.severity], ['PORT_TAKEN', 'error'])
    assert.match(found?.remedy ?? '', new RegExp(`${held.port}`))
  })

  it('warns that the port drawn before is taken now', async () => {
    await using home = await temporaryDirectory()
    await using held = await heldPort()
    await mkdir(join(home.path, 'state'))
    await writeFile(join(home.path, 'state/ports.json'), JSON.stringify({ '/ip4/127.0.0.1/tcp/0': held.port }))
    const found = await portFindings(home.path, ['/ip4/127.0.0.1/tcp/0'])
    assert.deepEqual(
      found.map(({ code, severity }) => [code, severity]),
      [['PORT_CHANGES', 'warning']]
    )
  })

  it('finds an address that is not of this machine', async () => {
    await using home = await temporaryDirectory()
    const found = await portFindings(home.path, ['/ip4/192.0.2.1/tcp/4001'])
    assert.match(found[0]?.message ?? '', /no address of this machine/)
  })

  it('gives the ports back', async () => {
    await using home = await temporaryDirectory()
    const listen = [`/ip4/127.0.0.1/tcp/${await freePort()}`, '/ip4/127.0.0.1/tcp/0']
    for (let turn = 0; turn < 2; turn++)
      assert.deepEqual(
        (await portFindings(home.path, listen)).map(({ code }) => code),
        ['PORTS']
      )
  })
})
