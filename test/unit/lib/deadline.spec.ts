import assert from 'node:assert/strict'
import { abortable, follow, startDeadline, wait } from '../../../src/lib/deadline.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

describe('deadline', () => {
  it('fires with a TimeoutError when the time is used up, and not before', async () => {
    const clock = new VirtualClock()
    using deadline = startDeadline(clock, 100)
    await clock.advance(99)
    assert.equal(deadline.signal.aborted, false)
    assert.equal(deadline.remaining(), 1)
    await clock.advance(1)
    assert.equal(deadline.signal.reason.name, 'TimeoutError')
    assert.equal(deadline.remaining(), 0)
  })

  it('begins anew when it is used up, as long as it is told to', async () => {
    const clock = new VirtualClock()
    let rounds = 2
    using deadline = startDeadline(clock, 100, {}, () => rounds-- > 0)
    await clock.advance(299)
    assert.deepEqual([deadline.signal.aborted, deadline.remaining(), rounds], [false, 1, 0])
    await clock.advance(1)
    assert.equal(deadline.signal.reason.name, 'TimeoutError')
    assert.equal(clock.pending, 0)
  })

  it('fires with the reason of the caller who gives up', () => {
    const caller = new AbortController()
    using deadline = startDeadline(new VirtualClock(), 100, { signal: caller.signal })
    caller.abort(new Error('changed my mind'))
    assert.equal(deadline.signal.reason.message, 'changed my mind')
  })

  it('is fired from the start for a caller who already gave up', () => {
    using deadline = startDeadline(new VirtualClock(), 100, { signal: AbortSignal.abort(new Error('gone')) })
    assert.equal(deadline.signal.reason.message, 'gone')
  })

  it('leaves no timer and hears the caller no more once disposed', () => {
    const clock = new VirtualClock()
    const caller = new AbortController()
    const deadline = startDeadline(clock, 100, { signal: caller.signal })
    deadline[Symbol.dispose]()
    caller.abort()
    assert.equal(clock.pending, 0)
    assert.equal(deadline.signal.aborted, false)
  })
})

describe('abortable', () => {
  it('gives the result when it comes first', async () => {
    assert.equal(await abortable(Promise.resolve(7), { signal: new AbortController().signal }), 7)
    assert.equal(await abortable(Promise.resolve(8), {}), 8)
  })

  it('rejects with the reason when the caller leaves first', async () => {
    const caller = new AbortController()
    const waiting = abortable(new Promise(() => {}), { signal: caller.signal })
    caller.abort(new Error('left'))
    await assert.rejects(waiting, /left/)
    await assert.rejects(abortable(new Promise(() => {}), { signal: caller.signal }), /left/)
  })
})

describe('wait', () => {
  it('resolves when the time has passed', async () => {
    const clock = new VirtualClock()
    let passed = false
    const waiting = wait(clock, 50, {}).then(() => {
      passed = true
    })
    await clock.advance(49)
    assert.equal(passed, false)
    await clock.advance(1)
    assert.equal(passed, true)
    await waiting
  })

  it('ends with the signal and leaves no timer', async () => {
    const clock = new VirtualClock()
    await assert.rejects(wait(clock, 50, { signal: AbortSignal.abort(new Error('stop')) }), /stop/)
    assert.equal(clock.pending, 0)
  })
})

describe('follow', () => {
  it('without a signal does nothing', () => {
    const controller = new AbortController()
    follow(controller, undefined)()
    assert.equal(controller.signal.aborted, false)
  })
})
