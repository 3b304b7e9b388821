/** Places at a peer: who waits for one is told, and what comes is counted before a frame is whole. */
import assert from 'node:assert/strict'
import { AnswerReader } from '../../../src/exchange/answer-reader.ts'
import { frameParts } from '../../../src/exchange/frames.ts'
import { FRAME } from '../../../src/exchange/protocol.ts'
import { StreamPool, type Lease } from '../../../src/exchange/stream-pool.ts'
import { LINE_RATE_MIN } from '../../../src/model/slow-line.ts'
import { SourceError } from '../../../src/ports/block-source.ts'
import type { PeerStream } from '../../../src/ports/network.ts'
import { silentLog } from '../../support/silent-log.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { lonely } from '../retrieval/retriever-support.ts'

/** A stream on which the test says what arrives. */
class Wire implements PeerStream {
  readonly peer = 'a'
  readonly #arrived: Uint8Array[] = []
  #wake: () => void = () => {}

  arrive(bytes: Uint8Array): void {
    this.#arrived.push(bytes)
    this.#wake()
  }
  async read(): Promise<Uint8Array | null> {
    while (this.#arrived.length === 0)
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    return this.#arrived.shift() ?? null
  }
  async write(): Promise<void> {}
  async close(): Promise<void> {}
  abort(): void {}
}

describe('exchange/streams to a peer', () => {
  let clock: VirtualClock
  let wires: Wire[]
  let pool: StreamPool
  beforeEach(() => {
    clock = new VirtualClock()
    wires = []
    const open = async (): Promise<Wire> => {
      const wire = new Wire()
      wires.push(wire)
      return wire
    }
    pool = new StreamPool({ clock, log: silentLog, network: { ...lonely(), open } })
  })
  const acquire = async (told: string[], weight: 'content' | 'question' = 'content'): Promise<Lease> =>
    await pool.acquire('a', weight, { onQueued: () => told.push('queued'), onPlace: () => told.push('place') })

  it('tells who waits for a place, and when it is had; a question does not wait behind contents', async () => {
    const told: string[] = []
    const [first] = await Promise.all([acquire(told), acquire(told), acquire(told)])
    assert.deepEqual(told, ['place', 'place', 'place'])
    const fourth = acquire(told)
    assert.deepEqual(told.slice(3), ['queued'])
    await acquire(told, 'question')
    assert.deepEqual(told.slice(3), ['queued', 'place'])
    first.drop(new Error('it is done'))
    await fourth
    assert.deepEqual(told.slice(3), ['queued', 'place', 'place'])
  })

  /** Reads one block of a megabyte whose bytes the test sends. */
  const reading = async (): Promise<{ answer: Promise<unknown>; wire: Wire; block: Uint8Array }> => {
    const { frames } = await acquire([])
    const reader = new AnswerReader(frames, { clock, heard: () => pool.heard('a').bytes }, {})
    const [head, payload] = frameParts(FRAME.BLOCK, new Uint8Array(1_000_000))
    const [wire] = wires
    if (wire === undefined || head === undefined || payload === undefined) throw new Error('there is no stream')
    wire.arrive(head)
    const answer = reader.next().then(
      ({ payload: whole }) => whole.byteLength,
      (error: unknown) => (error instanceof SourceError ? error.outcome : error)
    )
    return { answer, wire, block: payload }
  }

  it('waits for a frame as long as its bytes come', async () => {
    const { answer, wire, block } = await reading()
    for (let at = 0; at < block.byteLength; at += 100_000) {
      await clock.advance(12_000)
      wire.arrive(block.subarray(at, at + 100_000))
    }
    assert.equal(await answer, 1_000_000)
    assert.deepEqual(pool.heard('a'), { bytes: 1_000_005, at: clock.monotonic() })
  })

  it('waits for a frame while the peer sends on its other streams', async () => {
    const { answer, wire, block } = await reading()
    const other = await acquire([])
    const next = other.frames.next({})
    wires[1]?.arrive(frameParts(FRAME.BLOCK, new Uint8Array(30 * LINE_RATE_MIN + 5))[0] ?? block)
    await clock.advance(29_000)
    wires[1]?.arrive(new Uint8Array(30 * LINE_RATE_MIN + 5))
    await next
    await clock.advance(29_000)
    wire.arrive(block)
    assert.equal(await answer, 1_000_000)
  })

  it('gives up a frame of which hardly anything comes', async () => {
    const { answer, wire } = await reading()
    await clock.advance(10_000)
    wire.arrive(new Uint8Array(1))
    await clock.advance(20_000)
    assert.equal(await answer, 'timeout')
  })
})
