/** What every clock keeps to. */
import assert from 'node:assert/strict'
import type { Ms } from '../../src/model/units.ts'
import type { Clock } from '../../src/ports/clock.ts'

export interface ClockUnderTest {
  readonly clock: Clock
  /** Lets at least this much time pass on it. */
  readonly pass: (time: Ms) => Promise<void>
}

export function clockConformance(name: string, create: () => ClockUnderTest): void {
  describe(`clock: ${name}`, () => {
    it('tells the time in Unix milliseconds', () => {
      assert.ok(create().clock.now() > Date.UTC(2025, 0, 1))
    })

    it('never goes back', async () => {
      const { clock, pass } = create()
      const before = clock.monotonic()
      await pass(5)
      assert.ok(clock.monotonic() - before >= 4)
    })

    it('calls once after the delay, in the order of the moments', async () => {
      const { clock, pass } = create()
      const order: string[] = []
      clock.after(20, () => order.push('later'))
      clock.after(1, () => order.push('sooner'))
      assert.deepEqual(order, [], 'never at once')
      await pass(60)
      await pass(60)
      assert.deepEqual(order, ['sooner', 'later'])
    })

    it('does not call what was cancelled; cancelling late does no harm', async () => {
      const { clock, pass } = create()
      let calls = 0
      const cancel = clock.after(1, () => calls++)
      const cancelLater = clock.after(2, () => calls++)
      cancel()
      await pass(30)
      cancelLater()
      assert.equal(calls, 1)
    })

    it('does not call before a delay of a month', async () => {
      const { clock, pass } = create()
      let calls = 0
      const cancel = clock.after(31 * 86_400_000, () => calls++)
      await pass(10)
      cancel()
      assert.equal(calls, 0)
    })
  })
}
