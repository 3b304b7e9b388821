/** A transfer that nobody waits for any more ends, at the other side too. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { abortable } from '../../src/lib/deadline.ts'
import { bomb } from '../support/dag-nodes.ts'
import { RawLines, type Message } from '../support/raw-lines.ts'
import { addressOf, patterned } from './exchange-support.ts'
import { MIB, rejection, startWitness, until, type Witness } from './daemon-support.ts'

/** Time enough to ask a peer, on a busy machine as well; little for a test that waits for it. Seconds. */
const DEADLINE = 2

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

  interface Get {
    readonly lines: RawLines
    /** Its answer, behind what is told of its progress. */
    readonly answer: Promise<Message>
    readonly cancel: () => void
  }

  async function answerOf(lines: RawLines, id: number): Promise<Message> {
    for (;;) {
      const message = await lines.next()
      if (message.id === id) return message
    }
  }

  /** A connection of its own with one get under way, of which some bytes have come. */
  async function startGet(): Promise<Get> {
    const lines = await RawLines.open(daemon.ready.socket)
    lines.call('content.get', { content })
    const answer = answerOf(lines, 1)
    answer.catch(() => {}) // whoever hangs up gets none
    await begun
    const cancel = (): void => lines.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'call.cancel', params: { id: 1 } })}\n`)
    return { lines, answer, cancel }
  }

  it('ends at the peer when the call is cancelled, and is answered CANCELLED at once', async () => {
    const { lines, answer, cancel } = await startGet()
    cancel()
    const { error } = await answer
    assert.deepEqual([error?.code, error?.data['code']], [-32011, 'CANCELLED'])
    await left
    lines.socket.destroy()
  })

  it('ends at the peer when the connection closes', async () => {
    const { lines } = await startGet()
    lines.socket.destroy()
    await left
  })

  it('ends at the peer when an HTTP reader leaves', async () => {
    const stream = await daemon.client.get(content)
    stream.close()
    await left
  })

  it('ends although five blocks unfold for hours: a file at its deadline, a folder before it is begun; nobody is held up', async () => {
    for (const [kind, code, limit] of [
      ['file', 'TIMEOUT', { deadline: 1 }],
      ['directory', 'INTEGRITY', {}]
    ] as const) {
      const { root, blocks } = bomb(kind)
      for (const block of blocks) witness.content.put(block)
      witness.content.gate = async () => {}
      const path = join(daemon.home, `never-${kind}`)
      const [error] = await Promise.all([
        rejection(daemon.client.call('content.get', { content: root.toString(), path, ...limit })),
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
    const error = await rejection(daemon.client.call('content.get', { content, deadline: DEADLINE }))
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
    const { lines, answer, cancel } = await startGet()
    const other = daemon.client.call('content.get', { content })
    await daemon.client.call('daemon.version', {}) // answered after the call before it was begun
    cancel()
    assert.equal((await answer).error?.data['code'], 'CANCELLED')
    release()
    const got = await other
    assert.deepEqual(
      got.attempts.filter(({ stage }) => stage === 'peer').map(({ outcome }) => outcome),
      ['ok']
    )
    assert.equal(got.size, 20 * MIB + run)
    lines.socket.destroy()
  })

  it('keeps what had come: asking again goes on from there', async () => {
    const cached = async (): Promise<number> => (await daemon.client.call('daemon.status', {})).store['cache']?.bytes ?? 0
    const before = await cached()
    const { lines, answer, cancel } = await startGet()
    await until(cached, bytes => bytes >= before + 2 * MIB)
    cancel()
    assert.equal((await answer).error?.data['code'], 'CANCELLED')
    await left
    lines.socket.destroy()
    witness.content.gate = async () => {}
    const got = await daemon.client.call('content.get', { content })
    assert.equal(got.bytes.local >= 2 * MIB, true, JSON.stringify(got.bytes))
    assert.equal(got.bytes.peer + got.bytes.local <= 20 * MIB + 10_000, true)
  })
})
