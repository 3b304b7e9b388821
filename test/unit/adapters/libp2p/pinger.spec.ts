import assert from 'node:assert/strict'
import { Pinger } from '../../../../src/adapters/libp2p/pinger.ts'
import { KithError } from '../../../../src/errors.ts'
import { abortable } from '../../../../src/lib/deadline.ts'
import type { AbortOptions } from '../../../../src/ports/options.ts'
import type { PeerStream } from '../../../../src/ports/network.ts'
import { VirtualClock } from '../../../support/virtual-clock.ts'

/** Takes what is written and says nothing. */
class MuteStream implements PeerStream {
  readonly peer = 'peer'
  aborted = false
  async read(options: AbortOptions = {}): Promise<null> {
    return await abortable(new Promise<null>(() => {}), options)
  }
  async write(): Promise<void> {}
  async close(): Promise<void> {}
  abort(): void {
    this.aborted = true
  }
}

describe('a ping without an answer', () => {
  let clock: VirtualClock
  let received: number
  let stream: MuteStream
  beforeEach(() => {
    clock = new VirtualClock()
    received = 5_000
    stream = new MuteStream()
  })

  async function failing(open: () => Promise<PeerStream>, meanwhile = (): void => {}): Promise<Error> {
    const pinger = new Pinger({ clock, open, liveness: { received: () => received } })
    const failed = pinger.ping('peer', {}).then(
      () => assert.fail('it was answered'),
      (error: Error) => error
    )
    await clock.advance(1_000)
    meanwhile()
    await clock.advance(9_000)
    return await failed
  }

  it('says that the peer lives when other bytes came meanwhile, and that it is silent when none did', async () => {
    const alive = await failing(
      async () => stream,
      () => {
        received += 1
      }
    )
    assert.match(alive.message, /^peer peer did not answer a ping within 10 s, but other bytes came from it: it is alive/)
    assert.equal(stream.aborted, true)
    const silent = await failing(async () => stream)
    assert.equal(silent.message, 'peer peer did not answer a ping')
  })

  it('says the same when not even a stream for it could be opened in that time', async () => {
    const alive = await failing(async () => {
      await clock.advance(10_000)
      received += 1
      throw new KithError('UNAVAILABLE', 'no stream could be opened')
    })
    assert.match(alive.message, /it is alive/)
  })

  it('says at once why it cannot be sent', async () => {
    const error = await failing(async () => {
      throw new KithError('UNAVAILABLE', 'peer peer is not connected')
    })
    assert.equal(error.message, 'peer peer is not connected')
  })
})
