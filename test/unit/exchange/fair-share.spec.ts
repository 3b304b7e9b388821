import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { FairShare } from '../../../src/exchange/fair-share.ts'
import { KIB, MIB } from '../../../src/model/units.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const BATCH = 256 * KIB

describe('sending in turns', () => {
  let clock: VirtualClock
  let share: FairShare
  let sent: Map<string, number>
  let going: AbortController
  let streams: Promise<void>[]
  beforeEach(() => {
    clock = new VirtualClock()
    share = new FairShare({ clock })
    sent = new Map()
    going = new AbortController()
    streams = []
  })
  afterEach(async () => {
    going.abort()
    await Promise.all(streams)
    assert.equal(clock.pending, 0, 'no timer is left')
  })

  const total = (...peers: string[]): number => peers.reduce((sum, peer) => sum + (sent.get(peer) ?? 0), 0)

  /** A stream that always has a batch to send, and takes one turn of the event loop for each. */
  function stream(peer: string, { isTrusted = false, bytes = BATCH } = {}): void {
    streams.push(
      (async () => {
        while (!going.signal.aborted) {
          using _turn = await share.enter({ peer, isTrusted }, bytes, {})
          await turn()
          sent.set(peer, total(peer) + bytes)
        }
      })()
    )
  }
  async function until(bytes: number): Promise<void> {
    while (total(...sent.keys()) < bytes) await turn()
  }

  it('lets one who is alone send at once, without waiting for anybody', () => {
    for (let i = 0; i < 3; i++) {
      const got = share.enter({ peer: 'a', isTrusted: false }, BATCH, {})
      assert.ok(!(got instanceof Promise))
      got[Symbol.dispose]()
    }
  })

  it('gives one stream of a peer as much as 32 of another', async () => {
    for (let i = 0; i < 32; i++) stream('greedy')
    stream('modest')
    await until(100 * MIB)
    const ratio = total('greedy') / total('modest')
    assert.ok(ratio > 0.8 && ratio < 1.25, `${ratio}`)
  })

  it('counts bytes, not batches', async () => {
    stream('large', { bytes: 2 * MIB })
    stream('large', { bytes: 2 * MIB })
    for (let i = 0; i < 4; i++) stream('small', { bytes: 64 * KIB })
    await until(200 * MIB)
    const ratio = total('large') / total('small')
    assert.ok(ratio > 0.66 && ratio < 1.5, `${ratio}`)
  })

  it('does not give the floor to who has thousands of tiny answers to send', async () => {
    for (let i = 0; i < 32; i++) stream('chatty', { bytes: 30 })
    stream('modest')
    await until(20 * MIB)
    const turns = total('chatty') / 30
    assert.ok(turns < 20 * (total('modest') / BATCH), `${turns} turns`)
  })

  it('puts trusted peers first, and leaves a crowd of strangers a fifth', async () => {
    stream('friend', { isTrusted: true })
    const strangers = Array.from({ length: 48 }, (_, i) => `stranger ${i}`)
    for (const peer of strangers) stream(peer)
    await until(200 * MIB)
    const part = total(...strangers) / total('friend', ...strangers)
    assert.ok(part > 0.17 && part < 0.25, `strangers have ${part}`)
    assert.ok(
      strangers.every(peer => total(peer) > 0),
      'each of them gets something'
    )
  })

  it('lets strangers have all that trusted peers do not want', async () => {
    stream('stranger')
    stream('another')
    await until(20 * MIB)
    assert.ok(total('stranger') > 8 * MIB)
  })

  it('passes the turn on when a peer does not take its batch, and nothing waits for it', async () => {
    const stuck = share.enter({ peer: 'slow', isTrusted: true }, BATCH, {})
    assert.ok(!(stuck instanceof Promise))
    const other = share.enter({ peer: 'quick', isTrusted: false }, BATCH, {})
    await clock.advance(2)
    using _turn = await other
    stuck[Symbol.dispose]()
    const third = share.enter({ peer: 'third', isTrusted: false }, BATCH, {})
    assert.ok(third instanceof Promise, 'the turn is with the second still')
    _turn[Symbol.dispose]()
    ;(await third)[Symbol.dispose]()
  })

  it('forgets who leaves the line', async () => {
    const held = await share.enter({ peer: 'a', isTrusted: false }, BATCH, {})
    const controller = new AbortController()
    const waiting = share.enter({ peer: 'b', isTrusted: false }, BATCH, { signal: controller.signal })
    const after = share.enter({ peer: 'c', isTrusted: false }, BATCH, {})
    controller.abort(new Error('gone'))
    await assert.rejects(Promise.resolve(waiting), /gone/)
    held[Symbol.dispose]()
    ;(await after)[Symbol.dispose]()
  })
})
