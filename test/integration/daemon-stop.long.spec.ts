/** How a daemon ends: what was acknowledged is there, what was not is refused with a code, and nobody can hold it up. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { KithError } from '../../src/errors.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { base64, KEPT_PORT, rejection, startWitness, writeBig } from './daemon-support.ts'
import { addressOf } from './exchange-support.ts'

const EXIT_FAILED = 1
/** Together more than is written before the signal arrives. */
const FILES = 6
const FILE_MEBIBYTES = 48
const SMALL = 300

/** A daemon that waits for a peer which never answers, for a client that waits, too. */
async function startStuck(): Promise<AsyncDisposable & { readonly daemon: DaemonProcess; readonly cut: Promise<KithError> }> {
  const parts = new AsyncDisposableStack()
  const witness = parts.use(await startWitness())
  const daemon = parts.use(await DaemonProcess.start())
  await daemon.client.call('peers.connect', { address: addressOf(witness.host) })
  const begun = Promise.withResolvers<void>()
  witness.content.gate = async ({ signal }) => {
    begun.resolve()
    await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  }
  const content = (await witness.content.addFile(new Uint8Array(3_000_000))).toString()
  const cut = rejection(daemon.client.call('content.get', { content }))
  await begun.promise
  return { daemon, cut, [Symbol.asyncDispose]: async () => await parts.disposeAsync() }
}

describe('the end of a daemon', () => {
  it('by SIGTERM amid puts loses none that was acknowledged, and refuses the others with a code', async () => {
    await using directory = await temporaryDirectory()
    const home = join(directory.path, 'home')
    const paths = Array.from({ length: FILES }, (_, index) => join(directory.path, String(index)))
    for (const [index, path] of paths.entries()) await writeBig(path, FILE_MEBIBYTES, index)
    const daemon = await DaemonProcess.start({ home, set: [KEPT_PORT] })
    const { client } = daemon
    const small = Array.from({ length: SMALL }, async (_, index) => await client.call('content.put', { data: base64(`small ${index}`) }))
    const puts = [...paths.map(async path => await client.call('content.put', { path })), ...small]
    const settled = Promise.allSettled(puts)
    await small[0]
    assert.equal(await daemon.kill('SIGTERM'), 0, 'in good order, and in time')
    const outcomes = await settled
    await using again = await DaemonProcess.start({ home, set: [KEPT_PORT] })
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        assert.equal(outcome.reason instanceof KithError && outcome.reason.code !== 'INTERNAL', true, String(outcome.reason))
        continue
      }
      const { cid, size, blocks } = outcome.value
      const stat = await again.client.call('content.stat', { content: cid })
      assert.deepEqual([stat.size, stat.blocks, stat.localBlocks], [size, blocks, blocks], 'acknowledged, so it is there, whole')
    }
    const { items } = await again.client.call('content.list', { limit: 1000 })
    assert.equal(items.length >= outcomes.filter(({ status }) => status === 'fulfilled').length, true)
    assert.equal([again.ready.peerId, again.address].join(), [daemon.ready.peerId, daemon.address].join(), 'identity and port are kept')
  })

  it('cuts a call that cannot end, telling its client, and still ends in good order', async () => {
    await using stuck = await startStuck()
    assert.equal(await stuck.daemon.kill('SIGTERM'), 0, 'a stop that takes too long ends with 1')
    assert.equal(['CANCELLED', 'UNAVAILABLE'].includes((await stuck.cut).code), true)
  })

  it('answers an upload that cannot end with 503', async () => {
    await using daemon = await DaemonProcess.start()
    const upload = request({
      socketPath: daemon.ready.socket,
      path: '/content',
      method: 'PUT',
      headers: { expect: '100-continue' },
      agent: false
    })
    upload.on('error', () => {})
    upload.write(Buffer.alloc(FILE_MEBIBYTES))
    await once(upload, 'continue') // the daemon has begun to take it
    const [[response], code]: [unknown[], number | null] = await Promise.all([once(upload, 'response'), daemon.kill('SIGTERM')])
    assert.ok(response instanceof IncomingMessage)
    assert.deepEqual([response.statusCode, code], [503, 0])
  })

  it('comes at once with a second signal', async () => {
    await using stuck = await startStuck()
    const ended = stuck.daemon.ended()
    // A process of its own for each signal: they come some time apart, as from a person.
    while (stuck.daemon.isRunning) await once(spawn('kill', ['-TERM', String(stuck.daemon.pid)], { stdio: 'ignore' }), 'exit')
    assert.equal(await ended, EXIT_FAILED, 'in good order it would have ended with 0')
    await stuck.cut
  })

  it('waits for no client that merely listens', async () => {
    await using daemon = await DaemonProcess.start()
    const events = daemon.client.events({ since: 0 })[Symbol.asyncIterator]()
    const next = events.next().catch(() => undefined)
    await daemon.client.call('daemon.version', {})
    assert.equal(await daemon.kill('SIGTERM'), 0)
    await next
  })
})
