/** A real daemon and clients that ask for much and give nothing back: it holds little for them, and serves the others. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { RawLines } from '../support/raw-lines.ts'
import { assertClean, residentBytes, unharmed } from './bad-input-support.ts'
import { base64, MIB } from './daemon-support.ts'
import { patterned } from './exchange-support.ts'

/** What the daemon may hold for a hundred clients at once, beyond what it held before. Bytes. */
const HELD_BYTES_MAX = 400 * MIB

/** The same where 4 GB of answers were asked for: what each made is several copies, until they are collected. Bytes. */
const UNREAD_BYTES_MAX = 640 * MIB

/** How much more may be held the third time than the first: what the allocator keeps differs from time to time. */
const GROWTH_MAX = 1.5

/** Times the daemon is made to need memory, so that it frees what nobody holds; what is held stays however often. */
const COLLECTIONS_MAX = 20

describe('a daemon and rude clients at its socket', () => {
  let daemon: DaemonProcess
  const open = async (): Promise<RawLines> => await RawLines.open(daemon.ready.socket)
  const isServed = async (lines: RawLines): Promise<void> => assert.equal((await lines.ask('daemon.version')).error, undefined)

  /** What nobody holds any more is freed when more is needed, so the daemon is made to need more. */
  const collected = async (): Promise<void> => {
    const { cid } = await daemon.client.call('content.put', { data: base64(patterned(3 * MIB)) })
    for (let round = 0; round < 50; round++) await daemon.client.call('content.get', { content: cid })
  }

  /**
   * The first time the process grows, and the allocator keeps much of it for the next time. What is needed the third time
   * is about what was needed the first time, and after it nothing is held that was not held during one of them.
   */
  const doesNotAddUp = async (round: () => Promise<number>): Promise<void> => {
    const held = [await round(), await round(), await round()]
    const [first = 0, , third = 0] = held
    assert.ok(third < GROWTH_MAX * first, `${held.join(', then ')} bytes were held`)
    await assertClean(daemon)
    let after = await residentBytes(daemon)
    for (let more = 0; after > Math.max(...held) && more < COLLECTIONS_MAX; more++) {
      await collected()
      after = await residentBytes(daemon)
    }
    assert.ok(after <= Math.max(...held), `${held.join(', then ')} bytes were held, and ${after} at the end`)
  }

  before(async () => {
    daemon = await DaemonProcess.start()
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
  })

  it('holds little for a hundred clients that never finish 8 MiB of a line, and goes on serving others', async () => {
    const hold = async (): Promise<number> => {
      const before = await residentBytes(daemon)
      const clients = await Promise.all(Array.from({ length: 100 }, open))
      const outcomes = clients.map(async lines => await lines.line())
      for (const lines of clients) lines.write(`{"jsonrpc":"2.0","id":1,"method":"${'x'.repeat(8 * MIB - 100)}`)
      // Those beyond the limit are told so, and cut; the others wait for ever.
      const refusal = await Promise.race(outcomes)
      assert.equal(JSON.parse(refusal ?? '{}').error?.data?.code, 'RATE_LIMITED')
      using other = await open()
      await isServed(other)
      const held = (await residentBytes(daemon)) - before
      assert.ok(held < HELD_BYTES_MAX, `${held} bytes are held`)
      for (const lines of clients) lines.socket.destroy()
      await Promise.all(outcomes)
      await collected()
      return before + held
    }
    await doesNotAddUp(hold)
  }).timeout(120_000)

  it('holds little for clients that ask for much and never read', async () => {
    const { cid } = await daemon.client.call('content.put', { data: base64(patterned(3 * MIB)) })
    const ask = async (): Promise<number> => {
      const before = await residentBytes(daemon)
      const clients = await Promise.all(Array.from({ length: 50 }, open))
      for (const lines of clients) {
        lines.socket.pause()
        for (let id = 0; id < 20; id++) lines.call('content.get', { content: cid }, id)
        lines.call('daemon.version', {}, 'last')
      }
      using other = await open()
      for (let round = 0; round < 20; round++) await isServed(other)
      const held = (await residentBytes(daemon)) - before
      assert.ok(held < UNREAD_BYTES_MAX, `${held} bytes are held`)
      for (const lines of clients) lines.socket.destroy()
      await collected()
      return before + held
    }
    await doesNotAddUp(ask)
  }).timeout(120_000)

  it('survives clients that vanish while they are being answered', async () => {
    const { cid } = await daemon.client.call('content.put', { data: base64(patterned(3 * MIB)) })
    await unharmed(daemon, async () => {
      for (let round = 0; round < 30; round++) {
        const lines = await open()
        for (let id = 0; id < 5; id++) lines.call('content.get', { content: cid }, id)
        lines.call('content.put', { data: base64(patterned(100_000)), name: 'x' })
        if (round % 2 === 0) await once(lines.socket, 'data')
        lines.socket.destroy()
        const request = createConnection({ path: daemon.ready.socket })
        request.on('error', () => {})
        request.write(`GET /content/${cid} HTTP/1.1\r\nHost: k\r\n\r\n`)
        if (round % 2 === 0) await once(request, 'data')
        request.destroy()
      }
    })
  })

  it('turns away the connections beyond its limit with a reason, and takes new ones when others close', async () => {
    await unharmed(daemon, async () => {
      const clients: RawLines[] = []
      const first = async (): Promise<string | undefined> => {
        const lines = await open()
        clients.push(lines)
        lines.call('daemon.version')
        return await lines.line()
      }
      const answers: (string | undefined)[] = []
      // A hundred at a time: the kernel queues a few hundred and refuses the rest itself.
      while (answers.length < 1000) answers.push(...(await Promise.all(Array.from({ length: 100 }, first))))
      const served = answers.filter(text => text?.includes('"result"') === true)
      const told = answers.filter(text => text?.includes('"UNAVAILABLE"') === true)
      assert.ok(served.length >= 200 && served.length <= 256, `${served.length} were served`)
      assert.equal(served.length + told.length, 1000)
      for (const lines of clients) lines.socket.destroy()
      await isServed(await untilTaken())
    })
  }).timeout(120_000)

  /** A closed connection is noticed in its turn: until then new ones are turned away. */
  const untilTaken = async (): Promise<RawLines> => {
    for (;;) {
      const lines = await open()
      lines.call('daemon.version')
      if ((await lines.line())?.includes('"result"') === true) return lines
    }
  }
})
