/** The same bytes have the same address, whether Kith or Kubo adds them. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { KuboNode, needsKubo } from '../support/kubo-node.ts'
import { endAll, MIB, startDaemon, writeCrowd, writeRandom, writeTree } from './interop-support.ts'

describe('addresses of Kith and Kubo', () => {
  let daemon: DaemonProcess
  let kubo: KuboNode
  const at = (name: string): string => join(daemon.home, name)

  before(async function () {
    await needsKubo(this)
    ;[daemon, kubo] = await Promise.all([startDaemon(), KuboNode.start()])
  })
  after(async () => {
    await endAll([daemon, kubo])
  })

  async function assertSame(path: string): Promise<void> {
    const [{ cid }, theirs] = await Promise.all([daemon.client.call('content.put', { path }), kubo.add(path)])
    assert.equal(cid, theirs)
  }

  for (const size of [0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB, 30 * MIB + 13]) {
    it(`agree for a file of ${size} bytes`, async () => {
      const path = at(`file-${size}`)
      await writeRandom(path, size)
      await assertSame(path)
    })
  }

  it('agree for folders within folders, empty ones, and names that are not ASCII', async () => {
    await writeTree(at('tree'))
    await assertSame(at('tree'))
    await assertSame(at('tree/hollow'))
  })

  for (const entries of [100, 5000]) {
    it(`agree for a folder of ${entries} entries`, async () => {
      await writeCrowd(at(`crowd-${entries}`), entries)
      await assertSame(at(`crowd-${entries}`))
    })
  }
})
