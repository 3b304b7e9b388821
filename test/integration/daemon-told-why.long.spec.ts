/** A get that fails says who was asked: when its time is used up, and when the bytes had begun to flow. */
import assert from 'node:assert/strict'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { abortable } from '../../src/lib/deadline.ts'
import { isRecord } from '../../src/rpc/error-body.ts'
import type { KithError } from '../../src/errors.ts'
import { addressOf, patterned } from './exchange-support.ts'
import { base64, MIB, rejection, startPair, startWitness } from './daemon-support.ts'

/** Time enough to ask a peer, on a busy machine as well, and less than the 2 s it has to say whether a content is private. Seconds. */
const DEADLINE = 1.5

function peersAsked({ data: { attempts } }: KithError): unknown[] {
  assert.ok(Array.isArray(attempts))
  const made: readonly unknown[] = attempts
  return made.filter(isRecord).flatMap(({ stage, peer, outcome }) => (stage === 'peer' ? [[peer, outcome]] : []))
}

describe('a get that fails', () => {
  it('names the trusted peers that were silent, at the deadline of a bare address and of a private one', async () => {
    await using pair = await startPair()
    const { a, b } = pair
    await b.client.call('trust.set', { did: a.ready.did, level: 60 })
    const { cid } = await a.client.call('content.put', { data: base64('silence') })
    process.kill(a.pid, 'SIGSTOP')
    try {
      for (const content of [cid, `kith://${cid}`]) {
        const error = await rejection(b.client.call('content.get', { content, deadline: DEADLINE }))
        assert.equal(error.code, 'TIMEOUT')
        assert.deepEqual(peersAsked(error), [[a.ready.peerId, 'cancelled']], content)
      }
    } finally {
      process.kill(a.pid, 'SIGCONT')
    }
  })

  it('tells a reader behind the bytes why they ended, and who had sent them', async () => {
    await using daemon = await DaemonProcess.start()
    const witness = await startWitness()
    const address = addressOf(witness.host)
    const peer = address.split('/p2p/')[1]
    await daemon.client.call('peers.connect', { address })
    const content = (await witness.content.addFile(patterned(20 * MIB))).toString()
    let reads = 0
    const [begun, never] = [Promise.withResolvers<void>(), new Promise<never>(() => {})]
    witness.content.gate = async ({ signal }) => {
      if (++reads <= 5) return
      begun.resolve()
      await abortable(never, signal === undefined ? {} : { signal })
    }
    const stream = await daemon.client.get(content)
    const read = rejection(
      (async () => {
        for await (const _part of stream.body) continue
      })()
    )
    await begun.promise
    await witness[Symbol.asyncDispose]()
    const error = await read
    assert.equal(error.code, 'TIMEOUT')
    assert.match(error.message, /^the transfer broke off after \d+ bytes: the source that had begun to deliver stopped/)
    assert.equal(Number(error.data['received']) < stream.length, true)
    assert.deepEqual(peersAsked(error)[0], [peer, 'fault'])
  })
})
