/** A transfer that nobody waits for any more ends, at the other side too. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { abortable } from '../../src/lib/deadline.ts'
import { bomb } from '../support/dag-nodes.ts'
import { addressOf, patterned } from './exchange-support.ts'
import { MIB, rejection, startWitness, type Witness } from './daemon-support.ts'

describe('a transfer that is given up', () => {
  let daemon: DaemonProcess
  let witness: Witness
  let content: string
  /** Resolves when the peer has sent a few blocks and holds back the next. */
  let begun: Promise<void>
  /** Resolves when the peer hears that nobody reads any more. */
  let left: Promise<void>
  /** The peer goes on. */
  let release: () => void

  before(async () => {
    ;[daemon, witness] = await Promise.all([DaemonProcess.start(), startWitness()])
    await daemon.client.call('peers.connect', { address: addressOf(witness.host) })
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
    await witness[Symbol.asyncDispose]()
  })
  let run = 0
  beforeEach(async () => {
    content = (await witness.content.addFile(patterned(20 * MIB + ++run))).toString()
    let reads = 0
    const [begin, leave, open] = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    begun = begin.promise
    left = leave.promise
    release = () => {
      open.resolve()
    }
    witness.content.gate = async ({ signal }) => {
      signal?.addEventListener('abort', () => {
        leave.resolve()
      })
      if (++reads <= 5) return
      begin.resolve()
      await abortable(open.promise, signal === undefined ? {} : { signal })
    }
  })

  /** A connection of its own with one get under way, of which some bytes have come. */
  async function startGet(): Promise<{ socket: ReturnType<typeof createConnection>; answer: Promise<string> }> {
    const socket = createConnection({ path: daemon.ready.socket })
    await once(socket, 'connect')
    const firstAnswer = once(socket, 'data').then(
      ([chunk]) => String(chunk),
      () => ''
    )
    socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'content.get', params: { content } })}\n`)
    await begun
    return { socket, answer: firstAnswer }
  }

  it('ends at the peer when the call is cancelled, and is answered CANCELLED at once', async () => {
    const { socket, answer } = await startGet()
    socket.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'call.cancel', params: { id: 1 } })}\n`)
    const { error } = JSON.parse(await answer) as { error: { code: number; data: { code: string } } }
    assert.deepEqual([error.code, error.data.code], [-32011, 'CANCELLED'])
    await left
    socket.destroy()
  })

  it('ends at the peer when the connection closes', async () => {
    const { socket } = await startGet()
    socket.destroy()
    await left
  })

  it('ends at the peer when an HTTP reader leaves', async () => {
    const stream = await daemon.client.get(content)
    stream.close()
    await left
  })

  it('ends although five blocks unfold for hours: a file at its deadline, a folder before it is begun; nobody is held up', async () => {
    for (const [kind, code] of [
      ['file', 'TIMEOUT'],
      ['directory', 'INTEGRITY']
    ] as const) {
      const { root, blocks } = bomb(kind)
      for (const block of blocks) witness.content.put(block)
      witness.content.gate = async () => {}
      const path = join(daemon.home, `never-${kind}`)
      const [error] = await Promise.all([
        rejection(daemon.client.call('content.get', { content: root.toString(), deadline: 1, path })),
        daemon.client.call('daemon.version', {})
      ])
      assert.equal(error.code, code)
      await daemon.client.call('daemon.version', {})
    }
  })

  it('is refused before its leaves are fetched when it is larger than limits.maxFileSize', async () => {
    await using small = await DaemonProcess.start({ set: ['limits.maxFileSize=10MiB'] })
    await small.client.call('peers.connect', { address: addressOf(witness.host) })
    for (const error of [await rejection(small.client.call('content.get', { content })), await rejection(small.client.get(content))])
      assert.equal(error.code, 'TOO_LARGE') // the peer holds back all but the first blocks: nobody waited for them
  })

  it('ends at its deadline, with TIMEOUT, and says who was asked', async () => {
    const error = await rejection(daemon.client.call('content.get', { content, deadline: 0.5 }))
    assert.deepEqual([error.code, error.data['fault']], ['TIMEOUT', 'world'])
    const { attempts } = error.data
    assert.ok(Array.isArray(attempts))
    const asked: readonly Record<string, unknown>[] = attempts
    assert.deepEqual(
      asked.filter(({ stage }) => stage === 'peer').map(({ peer, outcome }) => [peer, outcome]),
      [[addressOf(witness.host).split('/p2p/')[1], 'cancelled']]
    )
    await left
    const atOnce = await rejection(daemon.client.call('content.get', { content: `kith://${content}`, deadline: 0.001 }))
    assert.equal(Array.isArray(atOnce.data['attempts']), true, atOnce.code)
  })

  it('stays open for the other caller when one of two leaves', async () => {
    const { socket, answer } = await startGet()
    const other = daemon.client.call('content.get', { content })
    await daemon.client.call('daemon.version', {}) // answered after the call before it was begun
    socket.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'call.cancel', params: { id: 1 } })}\n`)
    assert.match(await answer, /CANCELLED/)
    release()
    const got = await other
    assert.deepEqual(
      got.attempts.filter(({ stage }) => stage === 'peer').map(({ outcome }) => outcome),
      ['ok']
    )
    assert.equal(got.size, 20 * MIB + run)
    socket.destroy()
  })

  it('keeps what had come: asking again goes on from there', async () => {
    const before = await rejection(daemon.client.call('content.get', { content, deadline: 0.5 }))
    assert.equal(before.code, 'TIMEOUT')
    await left
    witness.content.gate = async () => {}
    const got = await daemon.client.call('content.get', { content })
    assert.equal(got.bytes.local >= 2 * MIB, true, JSON.stringify(got.bytes))
    assert.equal(got.bytes.peer + got.bytes.local <= 20 * MIB + 10_000, true)
  })
})
