/**
 * A daemon whose disk is full, a small file system in memory: it starts, reads, removes whatever it is asked to, and the
 * space comes back; only puts are refused.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { KIB } from '../../src/model/units.ts'
import { base64, rejection } from '../integration/daemon-support.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { cannotMount, missing, skipIf } from './machine.ts'
import { DISK_BYTES, SmallDisk } from './small-disk.ts'

const CONTENT_BYTES = 200 * KIB

/** Puts until it is refused. @returns the CIDs of what was stored */
async function putUntilFull(daemon: DaemonProcess, privacy: 'private' | 'public'): Promise<string[]> {
  const cids: string[] = []
  for (;;) {
    const put = daemon.client.call('content.put', { data: base64(randomBytes(CONTENT_BYTES)), privacy })
    const failed = put.then(
      () => false,
      () => true
    )
    if (await failed) {
      const { code, message } = await rejection(put)
      assert.equal(code, 'QUOTA_EXCEEDED')
      assert.match(message, /disk is full/)
      return cids
    }
    cids.push((await put).cid)
  }
}

async function removeAll(daemon: DaemonProcess, cids: readonly string[]): Promise<void> {
  for (const content of cids) assert.deepEqual(await daemon.client.call('content.rm', { content, force: true }), { removed: true })
}

async function freeBytes(disk: SmallDisk): Promise<number> {
  const { bavail, bsize } = await statfs(disk.path)
  return bavail * bsize
}

describe('a daemon on a full disk', () => {
  before(function () {
    skipIf(this, missing('mount', 'unshare') ?? cannotMount())
  })

  for (const reserve of ['0 %', '5 %'])
    it(`removes all that filled it, private and public, with a reserve of ${reserve}, and has the space back`, async () => {
      await using directory = await temporaryDirectory()
      await using disk = await SmallDisk.make(directory.path)
      await using daemon = await DaemonProcess.start({ home: join(disk.path, 'home'), set: [`storage.reserve=${reserve}`] })
      for (const privacy of ['private', 'public'] as const) {
        const cids = await putUntilFull(daemon, privacy)
        assert.ok(cids.length * CONTENT_BYTES > DISK_BYTES / 3, `${cids.length} stored`)
        await removeAll(daemon, cids)
        await until(async () => (await freeBytes(disk)) > DISK_BYTES / 2)
      }
    })

  it('names the reserve that a put would use', async () => {
    await using directory = await temporaryDirectory()
    await using disk = await SmallDisk.make(directory.path)
    await using daemon = await DaemonProcess.start({ home: join(disk.path, 'home'), set: ['storage.reserve=95 %'] })
    const { code, message } = await rejection(daemon.client.call('content.put', { data: base64('much') }))
    assert.equal(code, 'QUOTA_EXCEEDED')
    assert.match(message, /95 % of it, storage\.reserve/)
  })

  for (const signal of ['SIGTERM', 'SIGKILL'] as const)
    it(`starts after ${signal} with not one byte left, reads on and removes`, async () => {
      await using directory = await temporaryDirectory()
      await using disk = await SmallDisk.make(directory.path)
      const home = join(disk.path, 'home')
      const data = base64(randomBytes(CONTENT_BYTES))
      const first = await DaemonProcess.start({ home })
      const { cid } = await first.client.call('content.put', { data })
      await first.kill(signal)
      await disk.fill()
      await using daemon = await DaemonProcess.start({ home })
      assert.equal((await daemon.client.call('content.get', { content: cid })).data, data)
      assert.equal((await rejection(daemon.client.call('content.put', { data: base64('more') }))).code, 'QUOTA_EXCEEDED')
      await removeAll(daemon, [cid])
    })
})
