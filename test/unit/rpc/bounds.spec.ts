import assert from 'node:assert/strict'
import { LineMemory, Pool } from '../../../src/rpc/line-memory.ts'
import { LineSplitter, NOT_UTF8 } from '../../../src/rpc/line-splitter.ts'
import { settle } from '../../support/virtual-clock.ts'
import { RawLines, rpcFixture } from './support.ts'

const MIB = 2 ** 20

describe('Pool', () => {
  it('is full when its holders together have what there is, and wakes those who wait when one gives back', () => {
    const pool = new Pool({ limit: 10 })
    const [one, two] = [pool.share(), pool.share()]
    let woken = 0
    one.set(6)
    assert.equal(pool.isFull, false)
    two.set(5)
    pool.whenRoom(() => woken++)
    pool.whenRoom(() => woken++)
    assert.deepEqual([pool.isFull, pool.used, woken], [true, 11, 0])
    two.set(4)
    assert.deepEqual([pool.isFull, woken], [true, 0])
    one.set(0)
    one.set(0)
    assert.deepEqual([pool.isFull, pool.used, woken], [false, 4, 2])
  })

  it('forgets who no longer waits', () => {
    const pool = new Pool({ limit: 1 })
    const share = pool.share()
    let woken = 0
    const wake = (): void => void woken++
    share.set(1)
    pool.whenRoom(wake)
    pool.forget(wake)
    share.set(0)
    assert.equal(woken, 0)
  })

  it('bounds everything lines may hold', () => {
    const { unfinished, running, unread, making } = new LineMemory()
    for (const pool of [unfinished, running, unread, making]) {
      pool.share().set(512 * MIB)
      assert.equal(pool.isFull, true)
    }
  })
})

describe('LineSplitter', () => {
  it('shows how much is unfinished, and forgets it', () => {
    const splitter = new LineSplitter({ limit: () => MIB })
    assert.deepEqual(splitter.push(Buffer.from('one\ntw')), ['one'])
    assert.equal(splitter.unfinished, 2)
    splitter.clear()
    assert.equal(splitter.unfinished, 0)
    assert.deepEqual(splitter.push(Buffer.from('three\n')), ['three'])
  })

  it('takes out the lines that are not UTF-8, and them only', () => {
    const bytes = Buffer.concat([Buffer.from('ü\n'), Buffer.of(0xff, 0x0a), Buffer.from('€\n\n'), Buffer.of(0xe2, 0x82)])
    const splitter = new LineSplitter({ limit: () => MIB })
    assert.deepEqual(splitter.push(bytes), ['ü', NOT_UTF8, '€'])
    assert.deepEqual(splitter.end(), [NOT_UTF8])
  })
})

describe('the connections of a socket', () => {
  it('are at most 256: one more is told so and closed, until another closes', async () => {
    await using fixture = await rpcFixture()
    const { socketPath, server } = fixture
    const clients = await Promise.all(Array.from({ length: 256 }, async () => await RawLines.open(socketPath)))
    assert.equal((await clients[255]?.ask('daemon.version'))?.error, undefined)
    using late = await RawLines.open(socketPath)
    const { id, error } = await late.next()
    assert.deepEqual([id, error?.data['code'], error?.data['limit']], [null, 'UNAVAILABLE', 256])
    assert.equal(await late.line(), undefined)
    clients[0]?.socket.destroy()
    while (server.connections() > 255) await settle()
    using next = await RawLines.open(socketPath)
    assert.equal((await next.ask('daemon.version')).error, undefined)
    for (const lines of clients) lines.socket.destroy()
  })

  it('that read nothing while all that may be unread is unread are cut off, and the others go on', async () => {
    await using fixture = await rpcFixture()
    const { socketPath, clock, services } = fixture
    using reader = await RawLines.open(socketPath)
    const content = (await reader.ask('content.put', { data: Buffer.alloc(4 * MIB, 1).toString('base64') })).result?.['cid']
    const clients = await Promise.all(Array.from({ length: 30 }, async () => await RawLines.open(socketPath)))
    const closed = clients.map(async lines => await new Promise<void>(resolve => lines.socket.on('close', () => resolve())))
    for (const lines of clients) {
      lines.socket.pause()
      lines.call('content.get', { content })
    }
    const made = (): number => services.calls.filter(call => call === 'get').length
    for (let before = -1; before !== made();) {
      before = made()
      for (let turn = 0; turn < 10; turn++) await settle()
    }
    assert.ok(made() < 30, 'not all of them are made')
    const served = reader.ask('content.get', { content })
    for (let round = 0; round < 4; round++) await clock.advance(10_000)
    assert.equal((await served).result?.['size'], 4 * MIB)
    for (const lines of clients) lines.socket.resume()
    await Promise.race(closed)
  })
})
