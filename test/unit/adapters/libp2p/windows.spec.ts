import assert from 'node:assert/strict'
import type { Stream, StreamMuxer } from '@libp2p/interface'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { fittedWindows } from '../../../../src/adapters/libp2p/windows.ts'
import { until } from '../../../support/until.ts'
import { VirtualClock } from '../../../support/virtual-clock.ts'

const KIB = 1024
const [LEAST, MOST] = [256 * KIB, 4096 * KIB]

describe('the windows of a connection', () => {
  let clock: VirtualClock
  let muxers: StreamMuxer[]
  let sender: Stream
  let receiver: Stream
  beforeEach(async () => {
    clock = new VirtualClock()
    const plain = yamux({ enableKeepAlive: false, streamOptions: { maxStreamWindowSize: LEAST, maxReadBufferLength: MOST } })
    const [near, far] = multiaddrConnectionPair()
    const reading = fittedWindows(plain, { clock }, { least: LEAST, most: MOST })().createStreamMuxer(near)
    Reflect.set(reading, 'rtt', 1_000_000) // a round trip so long that each frame doubles the window
    const writing = plain().createStreamMuxer(far)
    muxers = [reading, writing]
    const opened = Promise.withResolvers<Stream>()
    reading.addEventListener('stream', ({ detail }) => {
      detail.addEventListener('message', () => {})
      opened.resolve(detail)
    })
    sender = await writing.createStream()
    receiver = await opened.promise
  })
  afterEach(async () => {
    await Promise.all(muxers.map(async muxer => await muxer.close()))
  })

  /** Sends so much, and waits until the receiver has it. */
  async function pass(bytes: number): Promise<void> {
    let arrived = 0
    const count = ({ data }: { readonly data: { readonly byteLength: number } }): void => {
      arrived += data.byteLength
    }
    receiver.addEventListener('message', count)
    for (let sent = 0; sent < bytes; sent += 64 * KIB) {
      sender.send(new Uint8Array(64 * KIB))
      await until(() => arrived >= sent + 64 * KIB)
    }
    receiver.removeEventListener('message', count)
  }

  const window = (): number => Number(Reflect.get(receiver, 'recvWindow'))

  it('stay the first of the protocol on a slow line, however long it is used', async () => {
    for (let second = 0; second < 100; second++) {
      await pass(128 * KIB)
      await clock.advance(1_000)
    }
    assert.equal(window(), LEAST)
  })

  it('grow as far as the line fills them, and no further than they may', async () => {
    await pass(1024 * KIB)
    assert.ok(window() > LEAST && window() <= 1100 * KIB, `${window()}`)
    await pass(8192 * KIB)
    assert.equal(window(), MOST)
  })

  it('become less when the line does', async () => {
    await pass(8192 * KIB)
    await clock.advance(10_000)
    for (let second = 0; second < 100; second++) {
      await pass(128 * KIB)
      await clock.advance(1_000)
    }
    assert.equal(window(), LEAST)
  })
})
