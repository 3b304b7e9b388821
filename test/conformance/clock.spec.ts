import { systemClock } from '../../src/adapters/system/clock.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { clockConformance } from './clock.ts'

clockConformance('virtual', () => {
  const clock = new VirtualClock()
  return { clock, pass: async time => await clock.advance(time) }
})

// The one place where tests wait for real time, since the real clock is what is tested.
clockConformance('system', () => ({
  clock: systemClock,
  pass: async time => await new Promise<void>(resolve => setTimeout(resolve, time))
}))
