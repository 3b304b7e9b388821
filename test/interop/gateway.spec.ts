/** The gateway of a Kubo serves the last stage. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { rejection } from '../integration/daemon-support.ts'
import { KuboNode, needsKubo } from '../support/kubo-node.ts'
import { endAll, MIB, startDaemon, writeRandom, writeTree } from './interop-support.ts'

describe('a daemon beside the gateway of a Kubo', () => {
  let daemon: DaemonProcess
  let kubo: KuboNode
  const at = (name: string): string => join(daemon.home, name)

  before(async function () {
    await needsKubo(this)
    kubo = await KuboNode.start([['Gateway.NoFetch', true]])
    daemon = await startDaemon('ipfs.type=gateway-only', `gateways=["${kubo.gatewayUrl}"]`)
  })
  after(async () => {
    await endAll([daemon, kubo])
  })

  it('gets a file from it, whole and verified', async () => {
    const sha256 = await writeRandom(at('file'), 20 * MIB + 7)
    const got = await daemon.client.call('content.get', { content: await kubo.add(at('file')) })
    assert.deepEqual([got.source, got.sha256], [{ stage: 'gateway', url: kubo.gatewayUrl }, sha256])
  })

  it('gets a folder from it', async () => {
    await writeTree(at('tree'))
    const cid = await kubo.add(at('tree'))
    await daemon.client.call('content.get', { content: cid, path: at('tree-again') })
    assert.equal(await kubo.add(at('tree-again')), cid)
  })

  it('takes what it does not have as not found, and does not hold that against it', async () => {
    const { cid } = await daemon.client.call('content.put', { data: 'bm90IGhlcmU=', privacy: 'public' })
    await daemon.client.call('content.rm', { content: cid, force: true })
    const error = await rejection(daemon.client.call('content.get', { content: cid, metadata: { privacy: 'public' } }))
    assert.equal(error.code, 'NOT_FOUND')
    assert.equal((await daemon.client.call('daemon.status', {})).ipfs.nodes[0]?.healthy, true)
  })
})
