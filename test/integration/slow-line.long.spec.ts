/** Connections over a line that is slow, silent or merely unused. Real hosts, the line is a proxy. */
import assert from 'node:assert/strict'
import { LinkProxy } from '../../scripts/lib/link-proxy.ts'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { KIB, MIB } from '../../src/model/units.ts'
import { startHeliaNode } from '../support/helia-node.ts'
import { addressOf, startTestHost } from './exchange-support.ts'

const PROTOCOL = '/test/slow/1.0.0'
/** A megabit a second. */
const SLOW = 128 * KIB
/** Longer on that line than any connection may be without a sign of life, and more than is ever on its way. */
const SIZE = 6 * MIB

describe('a connection', () => {
  let parts: AsyncDisposableStack
  let proxy: LinkProxy
  let near: Host
  let far: Host
  let viaDoor: string
  beforeEach(async () => {
    parts = new AsyncDisposableStack()
    proxy = parts.use(new LinkProxy({ clock: systemClock }))
    const door = await proxy.open({ to: 'far' })
    ;[near, far] = [await startTestHost({ listen: [] }), await startTestHost()]
    for (const host of [near, far]) parts.defer(async () => await host.stop())
    door.lead(Number(addressOf(far).split('/')[4]))
    viaDoor = `/ip4/127.0.0.1/tcp/${door.port}/p2p/${far.self}`
  })
  afterEach(async () => {
    await parts[Symbol.asyncDispose]()
  })

  it('lives while a transfer of a minute fills its line', async () => {
    await far.handle(PROTOCOL, async stream => {
      for (let sent = 0; sent < SIZE; sent += MIB) await stream.write([new Uint8Array(MIB)])
      await stream.close({ signal: AbortSignal.timeout(120_000) })
    })
    await near.connect(viaDoor)
    proxy.setLink('far', { bandwidth: SLOW, latency: 10 })
    const lost: string[] = []
    for (const host of [near, far]) host.on({ disconnected: peer => lost.push(peer) })
    const stream = await near.open(far.self, PROTOCOL)
    let received = 0
    for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
      received += chunk.byteLength
    }
    assert.equal(received, SIZE)
    assert.deepEqual(lost, [])
  })

  it('is ended when the other side is gone without a word; others that are merely quiet stay', async () => {
    const quiet = await startTestHost()
    parts.defer(async () => await quiet.stop())
    const helia = parts.use(await startHeliaNode())
    await near.connect(addressOf(quiet))
    await near.connect(String(helia.libp2p.getMultiaddrs()[0]))
    await far.handle(PROTOCOL, async stream => {
      for (;;) await stream.write([new Uint8Array(MIB)]) // it sends when the line falls silent, as much as anybody takes
    })
    await near.connect(viaDoor)
    await far.identified(near.self)
    await (await near.open(far.self, PROTOCOL)).read()
    const gone = Promise.all([near, far].map(async host => await new Promise(resolve => host.on({ disconnected: resolve }))))
    proxy.hold('far')
    assert.deepEqual(await gone, [far.self, near.self])
    assert.equal(near.peers().length, 2)
  })
})
