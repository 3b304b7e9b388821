/** A daemon and a Kubo get from each other by bitswap: what is public, and nothing else. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { sha256Hex } from '../integration/daemon-support.ts'
import { KuboNode, needsKubo } from '../support/kubo-node.ts'
import { endAll, MIB, startDaemon, writeCrowd, writeRandom, writeTree } from './interop-support.ts'

describe('a daemon and a Kubo that are connected', () => {
  let daemon: DaemonProcess
  let kubo: KuboNode
  const at = (name: string): string => join(daemon.home, name)

  before(async function () {
    await needsKubo(this)
    ;[daemon, kubo] = await Promise.all([startDaemon(), KuboNode.start()])
    await daemon.client.call('peers.connect', { address: kubo.address })
  })
  after(async () => {
    await endAll([daemon, kubo])
  })

  it('the daemon gets a file of Kubo: stage ipfs, whole and verified', async () => {
    const sha256 = await writeRandom(at('theirs'), 5 * MIB + 3)
    const cid = await kubo.add(at('theirs'))
    const got = await daemon.client.call('content.get', { content: cid })
    assert.deepEqual([got.source.stage, got.sha256, got.size], ['ipfs', sha256, 5 * MIB + 3])
  })

  it('the daemon gets a folder of Kubo, with all that is below it', async () => {
    await writeTree(at('tree'))
    await daemon.client.call('content.get', { content: await kubo.add(at('tree')), path: at('tree-again') })
    assert.equal(await kubo.add(at('tree-again')), await kubo.add(at('tree')))
  })

  it('the daemon gets a folder of 5,000 entries of Kubo', async () => {
    await writeCrowd(at('crowd'), 5000)
    const { entries } = await daemon.client.call('content.ls', { content: await kubo.add(at('crowd')) })
    assert.equal(entries.length, 5000)
  })

  it('Kubo gets what the daemon has put as public, files and folders', async () => {
    const sha256 = await writeRandom(at('ours'), 30 * MIB + 1)
    const file = await daemon.client.call('content.put', { path: at('ours'), privacy: 'public' })
    assert.equal(sha256Hex(await kubo.ipfsBytes('cat', file.cid)), sha256)
    await writeTree(at('folder'))
    await writeRandom(at('folder/only-here'), 1000)
    const folder = await daemon.client.call('content.put', { path: at('folder'), privacy: 'public' })
    await kubo.ipfs('get', '-o', at('folder-again'), folder.cid)
    assert.equal((await daemon.client.call('content.put', { path: at('folder-again') })).cid, folder.cid)
  })

  it('Kubo does not get what is private here', async () => {
    await writeRandom(at('secret'), 2 * MIB)
    const { cid } = await daemon.client.call('content.put', { path: at('secret') })
    const { cid: barrier } = await daemon.client.call('content.put', { data: 'YmFycmllcg==', privacy: 'public' })
    // While it asks in vain, something public comes through: it was heard.
    const refused = assert.rejects(kubo.ipfs('--timeout=3s', 'block', 'get', cid), /deadline/)
    assert.equal(await kubo.ipfs('cat', barrier), 'barrier')
    await refused
  })
})
