import assert from 'node:assert/strict'
import { TokenBucket } from '../../../src/lib/token-bucket.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

describe('token bucket', () => {
  it('allows its burst at once, then its rate', async () => {
    const clock = new VirtualClock()
    const bucket = new TokenBucket({ clock }, { capacity: 3, perSecond: 2 })
    assert.deepEqual([bucket.take(), bucket.take(), bucket.take(), bucket.take()], [true, true, true, false])
    assert.equal(bucket.delayUntil(), 500)
    await clock.advance(499)
    assert.equal(bucket.take(), false)
    await clock.advance(1)
    assert.equal(bucket.take(), true)
  })

  it('never holds more than its capacity', async () => {
    const clock = new VirtualClock()
    const bucket = new TokenBucket({ clock }, { capacity: 2, perSecond: 100 })
    await clock.advance(60_000)
    assert.equal(bucket.take(3), false)
    assert.equal(bucket.delayUntil(3), Number.POSITIVE_INFINITY)
    assert.equal(bucket.take(2), true)
  })

  it('is not refilled by a jump of the wall clock', () => {
    const clock = new VirtualClock()
    const bucket = new TokenBucket({ clock }, { capacity: 1, perSecond: 1 })
    bucket.take()
    clock.jump(3_600_000)
    assert.equal(bucket.take(), false)
  })
})
