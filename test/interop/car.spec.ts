/** What one of them exports as CAR, the other imports. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { KuboNode, needsKubo } from '../support/kubo-node.ts'
import { endAll, MIB, startDaemon, writeCrowd, writeRandom, writeTree } from './interop-support.ts'

describe('CAR files between a daemon and a Kubo', () => {
  let daemon: DaemonProcess
  let kubo: KuboNode
  const at = (name: string): string => join(daemon.home, name)

  before(async function () {
    await needsKubo(this)
    ;[daemon, kubo] = await Promise.all([startDaemon(), KuboNode.start()])
    await writeRandom(at('file'), 5 * MIB + 3)
    await writeTree(at('tree'))
    await writeCrowd(at('crowd'), 5000)
  })
  after(async () => {
    await endAll([daemon, kubo])
  })

  for (const name of ['file', 'tree', 'crowd']) {
    it(`the daemon imports what Kubo exports: ${name}`, async () => {
      const root = await kubo.add(at(name))
      await writeFile(at(`${name}.kubo.car`), await kubo.ipfsBytes('dag', 'export', '--progress=false', root))
      const imported = await daemon.client.call('content.import', { path: at(`${name}.kubo.car`) })
      assert.deepEqual(imported.roots, [root])
      assert.equal((await daemon.client.call('content.has', { content: root })).local, true)
      assert.deepEqual((await daemon.client.call('content.verify', { content: root })).missing, [])
    })

    it(`Kubo imports what the daemon exports: ${name}`, async () => {
      await using empty = await KuboNode.start()
      const { cid } = await daemon.client.call('content.put', { path: at(name) })
      const exported = await daemon.client.call('content.export', { content: cid, path: at(`${name}.kith.car`) })
      assert.deepEqual(exported.roots, [cid])
      assert.match(await empty.ipfs('dag', 'import', '--pin-roots=true', at(`${name}.kith.car`)), new RegExp(cid))
      assert.match(await empty.ipfs('pin', 'ls', '--type=recursive', cid), /recursive/)
    })
  }
})
