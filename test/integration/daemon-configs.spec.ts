/** Every example of configs/ starts a daemon that serves; listening on loopback only, and looking for nobody beyond it. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { connect } from '../../src/rpc/client.ts'
import { base64 } from './daemon-support.ts'

const CONFIGS = new URL('../../configs/', import.meta.url).pathname
const TOKEN = 'a token for this test alone'
const ADMIN = { name: 'operator', sha256: createHash('sha256').update(TOKEN).digest('hex'), scopes: ['admin'] }

/** What would reach outside, turned inwards. Nobody listens on port 9 of loopback. */
const ALONE = [
  'network.listen=/ip4/127.0.0.1/tcp/0',
  'network.mdns=false',
  'network.bootstrap=[]',
  'network.publicSwarm=false',
  'ipfs.api=/ip4/127.0.0.1/tcp/9'
]
/** What an example leaves to whoever uses it. */
const COMPLETED: Readonly<Record<string, readonly string[]>> = {
  'kubo-cluster.yaml': ['ipfs.projectId=me', 'ipfs.projectSecret=hush'],
  'tokens.yaml': [`access.tokens=${JSON.stringify([ADMIN])}`]
}

describe('the example configurations', () => {
  for (const file of readdirSync(CONFIGS).filter(name => name.endsWith('.yaml')))
    it(`${file} starts a daemon that serves`, async () => {
      await using daemon = await DaemonProcess.start({ config: join(CONFIGS, file), set: [...ALONE, ...(COMPLETED[file] ?? [])] })
      const client = await connect({ socket: daemon.ready.socket, token: file === 'tokens.yaml' ? TOKEN : undefined })
      const { cid } = await client.call('content.put', { data: base64(file) })
      assert.equal((await client.call('content.get', { content: cid })).data, base64(file))
      assert.deepEqual(
        daemon.log.filter(line => / warn | error |"level":[45]0/.test(line)),
        [],
        'nothing to complain of'
      )
      client.close()
      assert.equal(await daemon.kill('SIGTERM'), 0)
    })
})
