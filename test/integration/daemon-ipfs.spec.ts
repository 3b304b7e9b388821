/** A daemon among plain IPFS nodes: it gets from them and serves them, what is public and nothing else. */
import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { distinctBytes } from '../support/dag-builder.ts'
import { startHeliaNode, type HeliaNode } from '../support/helia-node.ts'
import { base64, MIB, sha256Hex } from './daemon-support.ts'

describe('a daemon and a plain Helia node', () => {
  let daemon: DaemonProcess
  let helia: HeliaNode

  before(async () => {
    ;[daemon, helia] = await Promise.all([DaemonProcess.start(), startHeliaNode()])
    await daemon.client.call('peers.connect', { address: helia.libp2p.getMultiaddrs()[0]?.toString() ?? '' })
  })
  after(async () => {
    await Promise.all([daemon[Symbol.asyncDispose](), helia[Symbol.asyncDispose]()])
  })

  it('is got from by bitswap: stage ipfs, whole and verified', async () => {
    const bytes = distinctBytes(5 * MIB + 3, 1)
    const cid = (await helia.add(bytes)).toString()
    const got = await daemon.client.call('content.get', { content: cid })
    assert.deepEqual([got.source.stage, got.sha256, got.size], ['ipfs', sha256Hex(bytes), bytes.byteLength])
    assert.equal(got.bytes.ipfs >= bytes.byteLength, true)
    assert.equal(
      got.attempts.some(({ stage, outcome }) => stage === 'ipfs' && outcome === 'ok'),
      true
    )
    assert.equal((await daemon.client.call('content.stat', { content: cid })).pinned, false)
  })

  it('gets what the daemon put as public, small and large', async () => {
    for (const size of [10, 3 * MIB + 1]) {
      const bytes = distinctBytes(size, 2)
      const { cid } = await daemon.client.call('content.put', { data: base64(bytes), privacy: 'public' })
      assert.deepEqual(Buffer.from(await helia.cat(CID.parse(cid), { signal: AbortSignal.timeout(40_000) })), Buffer.from(bytes))
    }
  })

  it('gets what becomes public while it waits for it', async () => {
    const bytes = distinctBytes(50_000, 3)
    const cid = CID.parse((await daemon.client.call('content.put', { data: base64(bytes) })).cid)
    const waiting = helia.cat(cid, { signal: AbortSignal.timeout(40_000) })
    await daemon.client.call('content.rm', { content: cid.toString(), force: true })
    await daemon.client.call('content.put', { data: base64(bytes), privacy: 'public' })
    assert.deepEqual(Buffer.from(await waiting), Buffer.from(bytes))
  })

  it('is not served what the daemon merely fetched, nor what is private, nor what was removed', async () => {
    await using other = await startHeliaNode()
    const fetched = distinctBytes(1000, 4)
    const cached = await other.add(fetched)
    await daemon.client.call('peers.connect', { address: other.libp2p.getMultiaddrs()[0]?.toString() ?? '' })
    assert.equal((await daemon.client.call('content.get', { content: cached.toString() })).source.stage, 'ipfs')
    const secret = CID.parse((await daemon.client.call('content.put', { data: base64(distinctBytes(1000, 5)) })).cid)
    const gone = CID.parse((await daemon.client.call('content.put', { data: base64(distinctBytes(1000, 6)), privacy: 'public' })).cid)
    await daemon.client.call('content.rm', { content: gone.toString(), force: true })
    await Promise.all(
      [cached, secret, gone].map(async cid => {
        await assert.rejects(helia.cat(cid, { signal: AbortSignal.timeout(1_000) }), cid.toString())
      })
    )
  })

  it('shows in daemon.status that IPFS is connected', async () => {
    const { ipfs } = await daemon.client.call('daemon.status', {})
    assert.deepEqual([ipfs.type, ipfs.connected, ipfs.healthy, ipfs.primaryNode], ['helia', true, true, 'embedded'])
  })
})
