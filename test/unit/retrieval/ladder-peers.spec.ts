/** How one peer after the other is asked: hedges, silence, losers, and what is measured of each. */
import assert from 'node:assert/strict'
import type { Candidate, Rung } from '../../../src/retrieval/rung.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { climb, Puppet, rung, settle } from './puppets.ts'

describe('Ladder, asking several peers', () => {
  let clock: VirtualClock
  beforeEach(() => {
    clock = new VirtualClock()
  })

  const peersRung = (puppets: Puppet[], more: Partial<Rung> = {}): Rung => ({ ...rung('peer', 0, puppets), ...more })
  const started = (puppets: readonly Puppet[]): number => puppets.filter(({ run }) => run !== undefined).length

  it('starts the next one when the last one is slower than it usually is', async () => {
    const puppets = [80, undefined, undefined].map((hedgeAfter, index) =>
      hedgeAfter === undefined ? new Puppet(clock, 'peer', `${index}`) : new Puppet(clock, 'peer', `${index}`, { hedgeAfter })
    )
    const { abort, ended } = climb(clock, [peersRung(puppets)])
    await clock.advance(79)
    assert.equal(started(puppets), 1)
    await clock.advance(1)
    assert.equal(started(puppets), 2)
    await clock.advance(249)
    assert.equal(started(puppets), 2, 'the second one is waited for as the rung says')
    abort.abort()
    await ended
  })

  it('starts the next one at once when one fails, whatever the budget', async () => {
    const puppets = ['a', 'b'].map(name => new Puppet(clock, 'peer', name))
    const { abort, ended } = climb(clock, [peersRung(puppets, { mayHedge: () => false, maxParallel: 1 })])
    puppets[0]?.fail('not-found')
    await settle()
    assert.equal(started(puppets), 2)
    abort.abort()
    await ended
  })

  it('hedges only within the budget, and replaces who was silent for two seconds without one', async () => {
    const puppets = ['a', 'b', 'c'].map(name => new Puppet(clock, 'peer', name))
    let budget = 1
    const { abort, ended } = climb(clock, [peersRung(puppets, { mayHedge: () => budget-- > 0 })])
    await clock.advance(250)
    assert.equal(started(puppets), 2)
    await clock.advance(1_999)
    assert.equal(started(puppets), 2)
    await clock.advance(1)
    assert.equal(started(puppets), 3)
    abort.abort()
    await ended
  })

  it('one at a time is a plain sequential loop, in which silence is a timeout', async () => {
    const puppets = ['a', 'b'].map(name => new Puppet(clock, 'peer', name))
    const { ladder, abort, ended } = climb(clock, [peersRung(puppets, { maxParallel: 1, silenceMax: 10_000 })])
    await clock.advance(9_999)
    assert.equal(started(puppets), 1)
    await clock.advance(1)
    assert.equal(started(puppets), 2)
    assert.deepEqual(
      ladder.attempts.map(({ peer, outcome }) => [peer, outcome]),
      [['a', 'timeout']]
    )
    assert.equal(puppets[0]?.isAborted, true)
    abort.abort()
    await ended
  })

  it('goes back to those that lost the race in the order in which they were asked', async () => {
    const puppets = ['a', 'b', 'c'].map(name => new Puppet(clock, 'peer', name))
    const { ladder, abort, ended } = climb(clock, [peersRung(puppets)])
    await clock.advance(500)
    puppets[2]?.deliver()
    puppets[2]?.fail('fault')
    await settle()
    abort.abort()
    await ended
    assert.deepEqual(
      ladder.attempts.map(({ peer, outcome }) => `${peer} ${outcome}`),
      ['b cancelled', 'a cancelled', 'c fault', 'a cancelled']
    )
  })

  it('asks the others whether they have it before the next stage begins', async () => {
    const [slow, ipfs] = [new Puppet(clock, 'peer', 'slow'), new Puppet(clock, 'ipfs', 'i')]
    let looked: number | undefined
    const more = async (): Promise<readonly Candidate[]> => {
      looked = clock.monotonic()
      return []
    }
    const { abort, ended } = climb(clock, [peersRung([slow], { hedgeDelay: Infinity, more }), rung('ipfs', 150, [ipfs])])
    await clock.advance(149)
    assert.equal(looked, undefined)
    await clock.advance(1)
    assert.deepEqual([looked, ipfs.startedAt], [150, 150])
    abort.abort()
    await ended
  })

  it('tells whoever measures how each run went: once, and without blame for those it left itself', async () => {
    const told: string[] = []
    const measured = (puppet: Puppet, name: string): Candidate => ({
      ...puppet.candidate,
      measure: () => ({
        firstByte: () => told.push(`${name} first byte`),
        end: (outcome, bytes) => told.push(`${name} ${outcome} ${bytes}`)
      })
    })
    const [slow, fast, late] = [new Puppet(clock, 'peer', 'slow'), new Puppet(clock, 'peer', 'fast'), new Puppet(clock, 'peer', 'late')]
    const candidates = [measured(slow, 'slow'), measured(fast, 'fast')]
    const { ended } = climb(clock, [{ ...rung('peer', 0, []), candidates }])
    await clock.advance(250)
    fast.deliver()
    fast.deliver()
    fast.finish()
    assert.equal(await ended, 'ok')
    assert.deepEqual(told, ['fast first byte', 'slow cancelled 0', 'fast ok 200'])
    told.length = 0
    const cut = climb(
      clock,
      [{ ...rung('peer', 0, []), candidates: [measured(slow, 'slow'), measured(late, 'late')], hedgeDelay: 2_500 }],
      {
        ttl: 3_000
      }
    )
    await clock.advance(3_000)
    assert.equal(await cut.ended, 'NOT_FOUND')
    assert.deepEqual(told, ['slow timeout 0', 'late cancelled 0'], 'who was hardly asked has not timed out')
  })
})
