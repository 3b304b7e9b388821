/** Who joins a source that delivers, and what becomes of each of them. */
import assert from 'node:assert/strict'
import { Ladder } from '../../../src/retrieval/ladder.ts'
import type { Candidate, Rung } from '../../../src/retrieval/rung.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { Puppet, rung, settle } from './puppets.ts'

describe('Ladder, with several that deliver', () => {
  let clock: VirtualClock
  let isUseful: boolean
  let isComplete: boolean
  beforeEach(() => {
    clock = new VirtualClock()
    isUseful = true
    isComplete = false
  })

  const start = (puppets: readonly Puppet[], more: Partial<Rung> = {}): { ladder: Ladder; ended: Promise<void> } => {
    const candidates = puppets.map(({ candidate }): Candidate => ({ ...candidate, help: () => (isUseful ? 'part' : 'no') }))
    const ladder = new Ladder(
      { clock },
      { rungs: [{ ...rung('peer', 0, []), candidates, ...more }], ttl: 30_000, strict: false, isComplete: () => isComplete }
    )
    const ended = ladder.climb({})
    ended.catch(() => {})
    return { ladder, ended }
  }
  const made = (...names: string[]): Puppet[] => names.map(name => new Puppet(clock, 'peer', name))
  const outcomes = (ladder: Ladder): string[] => ladder.attempts.map(({ peer, outcome, bytes }) => `${peer} ${outcome} ${bytes}`)

  it('lets others join once a byte is here, as many as may run, and books what each delivered', async () => {
    const [a, b, c, d] = made('a', 'b', 'c', 'd')
    const { ladder, ended } = start([a, b, c, d].flatMap(each => each ?? []))
    assert.equal(b?.run, undefined)
    a?.deliver()
    await settle()
    assert.deepEqual(
      [b, c, d].map(each => each?.run !== undefined),
      [true, true, false]
    )
    b?.deliver(50)
    isComplete = true
    a?.finish()
    await ended
    assert.deepEqual(outcomes(ladder), ['a ok 100', 'b ok 50', 'c cancelled 0'])
    assert.equal(ladder.winner?.peer, 'a')
  })

  it('asks again and again whether help is of use, ever more seldom', async () => {
    isUseful = false
    const [a, b] = made('a', 'b')
    start([a, b].flatMap(each => each ?? []))
    a?.deliver()
    await clock.advance(1_000)
    assert.equal(b?.run, undefined)
    isUseful = true
    await clock.advance(320)
    assert.equal(b?.run === undefined, false)
  })

  it('goes on with the helper when the first one fails, and does not begin again', async () => {
    const [a, b] = made('a', 'b')
    const { ladder, ended } = start([a, b].flatMap(each => each ?? []))
    a?.deliver()
    await settle()
    b?.deliver()
    a?.fail('corrupt')
    await settle()
    assert.deepEqual([ladder.winner?.peer, b?.isAborted], ['b', false])
    isComplete = true
    b?.finish()
    await ended
    assert.deepEqual(outcomes(ladder), ['a corrupt 100', 'b ok 100'])
  })

  it('keeps who has done its part for later, and begins again when nobody is left', async () => {
    const [a, b] = made('a', 'b')
    const { ladder, ended } = start([a, b].flatMap(each => each ?? []))
    a?.deliver()
    await settle()
    isUseful = false
    a?.finish()
    await settle()
    const first = a?.run
    b?.fail('fault')
    await settle()
    assert.notEqual(a?.run, first, 'it is asked once more')
    a?.deliver()
    isComplete = true
    a?.finish()
    await ended
    assert.deepEqual(outcomes(ladder), ['a ok 100', 'b fault 0', 'a ok 100'])
  })

  it('gives a helper as long for its first leaf as any leaf may take', async () => {
    const [a, b] = made('a', 'b')
    const { ladder } = start(
      [a, b].flatMap(each => each ?? []),
      { silenceMax: 10_000 }
    )
    a?.deliver()
    await clock.advance(29_000)
    assert.equal(b?.isAborted, false)
    a?.deliver()
    await clock.advance(1_500)
    assert.deepEqual(outcomes(ladder), ['b timeout 0'])
  })
})
