/** A daemon whose IPFS is a Kubo beside it, or several. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { hashOfFile, rejection } from '../integration/daemon-support.ts'
import { KuboNode, needsKubo } from '../support/kubo-node.ts'
import { endAll, MIB, startDaemon, writeRandom, writeTree } from './interop-support.ts'
import { startPasswordProxy } from './password-proxy.ts'

describe('a daemon with ipfs.type kubo', () => {
  let daemon: DaemonProcess
  let first: KuboNode
  let second: KuboNode
  const at = (name: string): string => join(daemon.home, name)

  before(async function () {
    await needsKubo(this)
    ;[first, second] = await Promise.all([KuboNode.start(), KuboNode.start()])
    daemon = await startDaemon('ipfs.type=kubo', `ipfs.api=["${first.api}", "${second.apiUrl}"]`, 'ipfs.timeout=5s', 'p2pIpfs.preferP2P=[]')
  })
  after(async () => {
    await endAll([daemon, first, second])
  })

  it('says which Kubos it uses', async () => {
    const { ipfs } = await daemon.client.call('daemon.status', {})
    assert.deepEqual([ipfs.type, ipfs.totalNodes, ipfs.primaryNode], ['kubo', 2, first.apiUrl])
    assert.deepEqual(
      ipfs.nodes.map(({ url, type, healthy }) => [url, type, healthy]),
      [
        [first.apiUrl, 'kubo', true],
        [second.apiUrl, 'kubo', true]
      ]
    )
  })

  it('gets files and folders from them, whole and verified', async () => {
    const sha256 = await writeRandom(at('file'), 30 * MIB + 7)
    const got = await daemon.client.call('content.get', { content: await first.add(at('file')), path: at('file-again') })
    assert.deepEqual([got.source.stage, got.source.url, got.sha256], ['ipfs', first.apiUrl, sha256])
    assert.equal(await hashOfFile(at('file-again')), sha256)
    await writeTree(at('tree'))
    const cid = await first.add(at('tree'))
    await daemon.client.call('content.get', { content: cid, path: at('tree-again') })
    assert.equal(await first.add(at('tree-again')), cid)
  })

  it('finds what only the second has, and says not found for what neither has', async () => {
    await writeRandom(at('elsewhere'), 3 * MIB)
    const got = await daemon.client.call('content.get', { content: await second.add(at('elsewhere')) })
    assert.equal(got.source.stage, 'ipfs')
    const nowhere = 'bafybeigjlpad4kropgqbvvtp4leb45zzlmlgtwcnswuiq4au36xg6a4ibq'
    const error = await rejection(daemon.client.call('content.get', { content: nowhere, metadata: { privacy: 'public' } }))
    assert.equal(error.code, 'NOT_FOUND')
  })

  it('gives them what is put as public, and nothing that is private', async () => {
    await writeRandom(at('public'), 2 * MIB + 1)
    await writeRandom(at('private'), 2 * MIB + 2)
    const hidden = await daemon.client.call('content.put', { path: at('private') })
    const { cid } = await daemon.client.call('content.put', { path: at('public'), privacy: 'public' })
    // Kubo waits for the block until it comes.
    assert.equal((await first.ipfsBytes('--timeout=50s', 'cat', cid)).byteLength, 2 * MIB + 1)
    await assert.rejects(first.ipfs('--offline', 'block', 'get', hidden.cid))
  })

  it('gets in with a name and a password, and says so when they are wrong', async () => {
    await using proxy = await startPasswordProxy(first.apiUrl, 'me', 's3cret')
    await writeRandom(at('behind'), 2 * MIB)
    const content = await first.add(at('behind'))
    const set = ['ipfs.type=kubo', `ipfs.api="${proxy.url}"`, 'ipfs.projectId=me']
    await using welcome = await startDaemon(...set, 'ipfs.projectSecret=s3cret')
    assert.equal((await welcome.client.call('content.get', { content })).source.url, proxy.url)
    assert.doesNotMatch(JSON.stringify(await welcome.client.call('config.get', {})), /s3cret/)
    await using stranger = await startDaemon(...set, 'ipfs.projectSecret=wrong')
    assert.equal((await rejection(stranger.client.call('content.get', { content }))).code, 'NOT_FOUND')
  })

  it('goes on with the second when the first is killed', async () => {
    const sha256 = await writeRandom(at('last'), 5 * MIB)
    const content = await second.add(at('last'))
    await first.kill('SIGKILL')
    const got = await daemon.client.call('content.get', { content })
    assert.deepEqual([got.source.stage, got.sha256], ['ipfs', sha256])
  })
})
