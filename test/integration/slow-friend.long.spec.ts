/** A real daemon that gets private contents from one friend, over a line that takes longer than silence may. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { LinkProxy } from '../../scripts/lib/link-proxy.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { KIB, MIB, type Rate } from '../../src/model/units.ts'
import { until } from '../support/until.ts'
import { hashOfFile, writeBig } from './daemon-support.ts'

/** Seconds: more than a busy machine needs. */
const TTL = 150

describe('a friend behind a slow line', () => {
  const parts = new AsyncDisposableStack()
  let proxy: LinkProxy
  let asker: DaemonProcess
  let friend: DaemonProcess
  before(async () => {
    proxy = parts.use(new LinkProxy({ clock: systemClock }))
    asker = parts.use(await DaemonProcess.start({ set: ['network.listen=[]'] }))
    friend = parts.use(await DaemonProcess.start())
    const door = await proxy.open({ to: 'friend' })
    door.lead(Number(/\/tcp\/(\d+)/.exec(friend.address)?.[1]))
    await asker.client.call('peers.connect', { address: `/ip4/127.0.0.1/tcp/${door.port}/p2p/${friend.ready.peerId}` })
    await asker.client.call('trust.set', { did: friend.ready.did, level: 60 })
    await friend.client.call('trust.set', { did: asker.ready.did, level: 60 })
  })
  after(async () => {
    await parts[Symbol.asyncDispose]()
  })

  const behaviour = async (): Promise<number> => (await asker.client.call('trust.get', { did: friend.ready.did })).behaviour

  const put = async (name: string, mib: number, seed: number): Promise<{ uri: string; sha256: string }> => {
    const path = join(friend.home, name)
    const sha256 = await writeBig(path, mib, seed)
    const { uri } = await friend.client.call('content.put', { path })
    return { uri, sha256 }
  }

  const get = async (content: string, name: string): Promise<string> => {
    const path = join(asker.home, name)
    await asker.client.call('content.get', { content, path, ttl: TTL })
    return await hashOfFile(path)
  }
  const setLink = (bandwidth: Rate): void => proxy.setLink('friend', { latency: 20, bandwidth })

  it('gives a block that is under way for longer than silence may last', async () => {
    const { uri, sha256 } = await put('block', 1, 1)
    setLink(60 * KIB) // 17 s
    assert.equal(await get(uri, 'block'), sha256)
    assert.equal(await behaviour(), 0)
  })

  it('gives what is asked for while all places at it are taken', async () => {
    setLink(100 * MIB)
    const large = [await put('one', 5, 2), await put('two', 5, 3), await put('three', 5, 4)]
    const last = await put('last', 1, 5)
    setLink(MIB) // 15 s for the three
    const before = proxy.carried('friend').up
    const coming = Promise.all(large.map(async ({ uri }, index) => await get(uri, `large ${index}`)))
    await until(() => proxy.carried('friend').up - before > MIB)
    assert.equal(await get(last.uri, 'last'), last.sha256)
    assert.deepEqual(
      await coming,
      large.map(({ sha256 }) => sha256)
    )
    assert.equal(await behaviour(), 0)
  })
})
