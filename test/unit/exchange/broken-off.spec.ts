/** Streams that end where nothing is whole: how a connection is lost, and nobody's offence. */
import assert from 'node:assert/strict'
import { frameParts } from '../../../src/exchange/frames.ts'
import { FRAME } from '../../../src/exchange/protocol.ts'
import type { Offence } from '../../../src/ports/standing.ts'
import { MemoryContent } from '../../integration/exchange-support.ts'
import { rawExchange, requestBytes } from '../../support/raw-exchange.ts'

describe('an exchange stream that breaks off inside a request', () => {
  const half = requestBytes({ kind: 'have' }).subarray(0, 20)

  it('is no offence of the peer, whether it ended or was reset', async () => {
    const { exchange, reports } = await started()
    const ended = exchange.open('A')
    ended.say(half)
    ended.say(null)
    const reset = exchange.open('B')
    reset.say(half)
    reset.abort(new Error('the connection is gone'))
    while (ended.aborted === undefined) await ended.change()
    assert.deepEqual(reports, [])
  })

  it('is told from a request that is whole and malformed', async () => {
    const { exchange, reports } = await started()
    const stream = exchange.open('A')
    stream.say(Buffer.concat(frameParts(FRAME.REQUEST, new Uint8Array([0xff, 1, 2]))))
    while (stream.aborted === undefined) await stream.change()
    assert.deepEqual(reports, ['A', 'protocol-violation'])
  })
})

async function started() {
  const reports: string[] = []
  const standing = { isTrusted: () => true, report: (peer: string, offence: Offence): void => void reports.push(peer, offence) }
  return { exchange: await rawExchange({ policy: new MemoryContent(), standing }), reports }
}
