/** A real daemon that gets one content from two others, each behind a link of its own. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { LinkProxy } from '../../scripts/lib/link-proxy.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { hashOfFile, MIB, writeBig } from './daemon-support.ts'

const SIZE_MIB = 24

describe('a content at two holders', () => {
  const parts = new AsyncDisposableStack()
  let proxy: LinkProxy
  let asker: DaemonProcess
  const holders: DaemonProcess[] = []
  before(async () => {
    proxy = parts.use(new LinkProxy({ clock: systemClock }))
    asker = parts.use(await DaemonProcess.start({ set: ['network.listen=[]'] }))
    for (const name of ['a', 'b']) {
      const door = await proxy.open({ to: name })
      const holder = parts.use(await DaemonProcess.start())
      door.lead(Number(/\/tcp\/(\d+)/.exec(holder.address)?.[1]))
      await asker.client.call('peers.connect', { address: `/ip4/127.0.0.1/tcp/${door.port}/p2p/${holder.ready.peerId}` })
      await asker.client.call('trust.set', { did: holder.ready.did, level: 60 })
      holders.push(holder)
    }
  })
  after(async () => {
    await parts[Symbol.asyncDispose]()
  })

  async function putAtBoth(name: string, seed: number): Promise<{ cid: string; sha256: string }> {
    let put = { cid: '', sha256: '' }
    for (const holder of holders) {
      const path = join(holder.home, name)
      const sha256 = await writeBig(path, SIZE_MIB, seed)
      put = { cid: (await holder.client.call('content.put', { path, privacy: 'public' })).cid, sha256 }
    }
    return put
  }

  it('comes from both, and hardly anything twice', async () => {
    for (const name of ['a', 'b']) proxy.setLink(name, { latency: 5, bandwidth: 6 * MIB })
    const { cid, sha256 } = await putAtBoth('shared', 1)
    const before = ['a', 'b'].map(name => proxy.carried(name).up)
    const path = join(asker.home, 'shared')
    const got = await asker.client.call('content.get', { content: `ipfs://${cid}`, path })
    assert.equal(await hashOfFile(path), sha256)
    const carried = ['a', 'b'].map((name, index) => proxy.carried(name).up - (before[index] ?? 0))
    assert.equal(Math.min(...carried) > 4 * MIB, true, `they sent ${carried.join(' and ')} bytes`)
    assert.equal(carried.reduce((sum, bytes) => sum + bytes, 0) < 1.5 * SIZE_MIB * MIB, true, `they sent ${carried.join(' and ')} bytes`)
    const delivered = got.attempts.filter(({ outcome }) => outcome === 'ok').map(({ peer }) => peer)
    assert.deepEqual(new Set(delivered), new Set(holders.map(({ ready }) => ready.peerId)))
    assert.equal(got.bytes.peer >= SIZE_MIB * MIB && got.bytes.peer < 1.5 * SIZE_MIB * MIB, true)
  })

  it('comes whole when one of them falls silent on the way', async () => {
    const { cid, sha256 } = await putAtBoth('silent', 2)
    const path = join(asker.home, 'silent')
    const [beforeA, beforeB] = [proxy.carried('a').up, proxy.carried('b').up]
    let held: string | undefined
    const got = await asker.client.call(
      'content.get',
      { content: `ipfs://${cid}`, path },
      {
        onProgress: () => {
          if (held !== undefined) return
          held = proxy.carried('a').up - beforeA > proxy.carried('b').up - beforeB ? 'a' : 'b'
          proxy.hold(held)
        }
      }
    )
    assert.equal(held === undefined, false)
    proxy.release(held ?? '')
    assert.equal(await hashOfFile(path), sha256)
    const other = holders[held === 'a' ? 1 : 0]?.ready.peerId
    assert.equal(
      got.attempts.some(({ peer, outcome, bytes }) => peer === other && outcome === 'ok' && bytes > 4 * MIB),
      true
    )
    assert.equal(
      got.attempts.some(({ outcome }) => outcome === 'timeout'),
      false,
      'it was overtaken before it stalled'
    )
  })
})
