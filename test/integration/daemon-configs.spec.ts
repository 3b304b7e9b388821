/** Every example of configs/ starts a daemon that serves; listening on loopback only, and looking for nobody. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { base64 } from './daemon-support.ts'

const CONFIGS = new URL('../../configs/', import.meta.url).pathname

const FILES = readdirSync(CONFIGS).filter(name => name.endsWith('.yaml'))
const ALONE = ['network.listen=/ip4/127.0.0.1/tcp/0', 'network.mdns=false', 'network.bootstrap=[]', 'network.publicSwarm=false']

describe('the example configurations', () => {
  it(`start a daemon each: ${FILES.join(', ')}`, async () => {
    await Promise.all(
      FILES.map(async file => {
        await using daemon = await DaemonProcess.start({ config: join(CONFIGS, file), set: ALONE })
        const { cid } = await daemon.client.call('content.put', { data: base64(file) })
        assert.equal((await daemon.client.call('content.get', { content: cid })).data, base64(file), file)
        assert.equal(await daemon.kill('SIGTERM'), 0, file)
      })
    )
  })
})
