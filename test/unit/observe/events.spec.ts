import assert from 'node:assert/strict'
import { EventBus, type KithEvent } from '../../../src/observe/events.ts'
import { Meter } from '../../../src/observe/meter.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

describe('EventBus', () => {
  it('numbers events from 1 without gaps, and says when they happened', async () => {
    const clock = new VirtualClock()
    const bus = new EventBus({ clock })
    assert.equal(bus.seq, 0)
    bus.emit('content.stored', { cid: 'a' })
    await clock.advance(1500)
    bus.emit('gc.done')
    const [first, second] = bus.since(0)
    assert.deepEqual([first?.seq, first?.type, first?.['cid'], second?.seq, bus.seq], [1, 'content.stored', 'a', 2, 2])
    assert.equal(Date.parse(second?.at ?? '') - Date.parse(first?.at ?? ''), 1500)
  })

  it('lets no field of an event stand for its number, type or time', () => {
    const bus = new EventBus({ clock: new VirtualClock() })
    bus.emit('peer.connected', { seq: 99, type: 'gc.done', at: 'never' })
    assert.deepEqual([bus.since(0)[0]?.seq, bus.since(0)[0]?.type, bus.since(0)[0]?.at === 'never'], [1, 'peer.connected', false])
  })

  it('tells its listeners at once, in order, until they leave', () => {
    const bus = new EventBus({ clock: new VirtualClock() })
    const [all, some]: [KithEvent[], KithEvent[]] = [[], []]
    bus.subscribe(event => {
      all.push(event)
    })
    const leave = bus.subscribe(event => {
      some.push(event)
      if (event.seq === 2) leave()
    })
    for (let index = 0; index < 4; index++) bus.emit('gc.done')
    assert.deepEqual(
      [all.map(({ seq }) => seq), some.map(({ seq }) => seq)],
      [
        [1, 2, 3, 4],
        [1, 2]
      ]
    )
  })

  it('remembers the last 10,000 at least, and not many more', () => {
    const bus = new EventBus({ clock: new VirtualClock() })
    for (let index = 0; index < 35_000; index++) bus.emit('gc.done')
    const kept = bus.since(0)
    assert.equal(kept.length >= 10_000 && kept.length <= 11_000, true, `${kept.length} are kept`)
    assert.equal(kept.at(-1)?.seq, 35_000)
    assert.deepEqual(
      bus.since(34_998).map(({ seq }) => seq),
      [34_999, 35_000]
    )
    assert.deepEqual(bus.since(35_000), [])
  })
})

describe('Meter', () => {
  it('rounds the way the contract says', async () => {
    const clock = new VirtualClock()
    const meter = new Meter({ clock })
    assert.deepEqual(meter.performance(), { avg_response_time: 0, cache_hit_rate: 0, operations_per_second: 0 })
    for (let index = 0; index < 2127; index++) meter.retrieved({ ms: 123.4, isHit: index < 1840 })
    const { avg_response_time: average, cache_hit_rate: rate } = meter.performance()
    assert.deepEqual([average, rate], [0.123, 0.87])
  })

  it('forgets response times after five minutes and operations after one', async () => {
    const clock = new VirtualClock()
    const meter = new Meter({ clock })
    for (let index = 0; index < 30; index++) meter.retrieved({ ms: 1000, isHit: true })
    assert.equal(meter.performance().operations_per_second, 0.5)
    await clock.advance(61_000)
    assert.deepEqual([meter.performance().operations_per_second, meter.performance().avg_response_time], [0, 1])
    await clock.advance(240_000)
    assert.equal(meter.performance().avg_response_time, 0)
    assert.equal(meter.performance().cache_hit_rate, 1)
  })
})
