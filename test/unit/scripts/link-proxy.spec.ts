import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { LinkLane } from '../../../scripts/lib/link-lane.ts'
import { ON_THE_WAY_BYTES_MAX } from '../../../scripts/lib/link-pipe.ts'
import { LinkProxy } from '../../../scripts/lib/link-proxy.ts'
import { systemClock } from '../../../src/adapters/system/clock.ts'
import { KIB, MIB } from '../../../src/model/units.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'

/** A reset is an end as well. */
async function closed(socket: Socket): Promise<void> {
  await new Promise<void>(resolve => {
    socket.on('close', () => resolve())
  })
}

describe('a lane of a link', () => {
  it('lets bytes leave at its rate, those of whoever asked first first', async () => {
    const clock = new VirtualClock()
    const lane = new LinkLane({ clock }, { bandwidth: 100 * KIB })
    const left: [string, number][] = []
    const pass = (name: string, bytes: number): void => void lane.pass(bytes).then(() => left.push([name, clock.monotonic()]))
    await clock.advance(1_000)
    pass('a', 10 * KIB)
    pass('b', 20 * KIB)
    pass('a again', 10 * KIB)
    await clock.advance(1_000)
    assert.deepEqual(
      left.map(([name, at]) => [name, Math.round(at)]),
      [
        ['a', 1_090],
        ['b', 1_290],
        ['a again', 1_390]
      ],
      'each some hundredths of a second early: a lane makes up for timers that come late'
    )
  })

  it('changes its rate for what comes after', async () => {
    const clock = new VirtualClock()
    const lane = new LinkLane({ clock })
    await lane.pass(100 * MIB)
    lane.set({ bandwidth: KIB, latency: 7 })
    assert.equal(lane.latency, 7)
    let left = false
    void lane.pass(10 * KIB).then(() => (left = true))
    await clock.advance(9_900)
    assert.equal(left, false)
    await clock.advance(100)
    assert.equal(left, true)
  })

  it('lets nothing leave while it is held, and all of it after', async () => {
    const lane = new LinkLane({ clock: new VirtualClock() })
    let left = false
    lane.hold()
    void lane.pass(1).then(() => (left = true))
    await settle()
    assert.equal(left, false)
    lane.release()
    await settle()
    assert.equal(left, true)
  })
})

describe('a proxy that gives each node its link', () => {
  let proxy: LinkProxy
  const servers: Server[] = []
  const sockets: Socket[] = []
  beforeEach(() => {
    proxy = new LinkProxy({ clock: systemClock })
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await proxy[Symbol.asyncDispose]()
    await Promise.all(servers.splice(0).map(async server => await new Promise(resolve => server.close(resolve))))
  })

  /** A node that does with each connection what the test says. @returns a connection to it through the proxy, and its own end of it */
  async function joined(names: { to: string; from?: string }): Promise<{ near: Socket; far: Socket }> {
    const server = createServer({ allowHalfOpen: true })
    servers.push(server.listen(0, '127.0.0.1'))
    await once(server, 'listening')
    const address = server.address()
    assert.ok(address !== null && typeof address === 'object')
    const door = await proxy.open(names)
    door.lead(address.port)
    const arrived = once(server, 'connection')
    const near = connect({ port: door.port, host: '127.0.0.1', allowHalfOpen: true })
    const [far] = await arrived
    sockets.push(near, far)
    for (const socket of [near, far]) socket.on('error', () => {})
    return { near, far }
  }

  it('brings all bytes both ways, in order, whatever the links do', async () => {
    proxy.setLink('ana', { latency: 5, bandwidth: 20 * MIB })
    proxy.setLink('you', { latency: 1 })
    const { near, far } = await joined({ to: 'ana', from: 'you' })
    const [question, answer] = [randomBytes(300_001), randomBytes(2 * MIB + 7)]
    near.end(question)
    assert.deepEqual(await buffer(far), question)
    far.end(answer.subarray(0, MIB))
    proxy.setLink('ana', { latency: 0 })
    const received = await buffer(near)
    assert.deepEqual(received, answer.subarray(0, MIB))
    assert.deepEqual(proxy.carried('ana'), { up: MIB, down: question.byteLength })
    assert.deepEqual(proxy.carried('you'), { up: question.byteLength, down: MIB })
  })

  it('holds a bounded number of bytes: who sends to one that does not read waits', async () => {
    const { near, far } = await joined({ to: 'ana' })
    proxy.hold('ana')
    // What the system's own buffers take besides is some megabytes.
    near.write(randomBytes(64 * MIB))
    const waits = once(near, 'drain')
    while (proxy.carried('ana').down === 0) await settle()
    for (let turn = 0; turn < 20; turn++) await settle()
    assert.ok(proxy.carried('ana').down <= ON_THE_WAY_BYTES_MAX, `${proxy.carried('ana').down} bytes were taken`)
    assert.ok(near.writableLength > 0)
    proxy.release('ana')
    far.resume()
    await waits
  })

  it('keeps what is sent while a link is held, and delivers it after', async () => {
    const { near, far } = await joined({ to: 'ana' })
    proxy.hold('ana')
    near.write('still here')
    far.once('data', () => {
      assert.equal(released, true)
    })
    let released = false
    await settle()
    released = true
    proxy.release('ana')
    const [bytes] = await once(far, 'data')
    assert.equal(String(bytes), 'still here')
  })

  it('ends connections when a link is cut, refuses new ones, and takes them again when it is mended', async () => {
    const { near, far } = await joined({ to: 'ana' })
    assert.equal(proxy.connections('ana'), 1)
    const ended = [near, far].map(closed)
    for (const socket of [near, far]) socket.resume()
    proxy.cut('ana')
    await Promise.all(ended)
    assert.equal(proxy.connections('ana'), 0)
    const door = await proxy.open({ to: 'ana' })
    const refused = connect({ port: door.port, host: '127.0.0.1' })
    refused.on('error', () => {})
    await closed(refused)
    proxy.mend('ana')
    const again = await joined({ to: 'ana' })
    again.near.write('x')
    assert.equal(String((await once(again.far, 'data'))[0]), 'x')
  })

  it('hangs up on whoever comes before the node behind the door is there', async () => {
    const door = await proxy.open({ to: 'nobody' })
    const early = connect({ port: door.port, host: '127.0.0.1' })
    early.on('error', () => {}).resume()
    await closed(early)
  })
})
