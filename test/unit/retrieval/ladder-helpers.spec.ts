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
    const candidates = puppets.map(({ candidate }): Candidate => ({ ...candidate, help: () => isUseful }))
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

  it('gives a helper as long for its first leaf as any leaf may take, and twice as long as to one alone', async () => {
    const [a, b] = made('a', 'b')
    const { ladder } = start(
      [a, b].flatMap(each => each ?? []),
      { silenceMax: 10_000 }
    )
    a?.deliver()
    for (const ms of [29_000, 30_000]) {
      await clock.advance(ms)
      assert.equal(b?.isAborted, false)
      a?.deliver()
    }
    await clock.advance(1_500)
    assert.deepEqual(outcomes(ladder), ['b timeout 0'])
  })

  describe('of other stages', () => {
    const [NOW, NEVER] = [0, 60_000]
    const climbWith = (
      help: (asked: string, of: string) => boolean,
      { strict = false, more }: { strict?: boolean; more?: Rung['more'] } = {}
    ): { peer: Puppet; gateway: Puppet; ladder: Ladder; ended: Promise<void> } => {
      const [peer, gateway] = [new Puppet(clock, 'peer', 'a'), new Puppet(clock, 'gateway', 'g')]
      const rungs = [rung('peer', NOW, [peer], more), rung('gateway', NEVER, [gateway])].map(each => ({
        ...each,
        candidates: each.candidates.map((candidate): Candidate => ({ ...candidate, help: of => help(each.stage, of) }))
      }))
      const ladder = new Ladder({ clock }, { rungs, ttl: 30_000, strict, isComplete: () => isComplete })
      const ended = ladder.climb({})
      ended.catch(() => {})
      return { peer, gateway, ladder, ended }
    }

    it('join when they say so, and are told beside which stage; the first one goes on', async () => {
      isUseful = false
      const { peer, gateway, ladder, ended } = climbWith((asked, of) => isUseful && asked === 'gateway' && of === 'peer')
      peer.deliver()
      await clock.advance(5_000)
      assert.equal(gateway.startedAt, undefined)
      isUseful = true
      await clock.advance(320)
      gateway.deliver(900)
      assert.deepEqual([gateway.run?.remaining(), peer.isAborted], [Infinity, false])
      isComplete = true
      gateway.finish()
      await ended
      assert.deepEqual(outcomes(ladder), ['g ok 900', 'a ok 100'])
      assert.deepEqual([ladder.winner?.stage, clock.pending], ['peer', 0])
    })

    it('find that what is left to ask on earlier rungs is asked first, as when their time comes', async () => {
      let rounds = 0
      const { peer } = climbWith(() => true, {
        more: async () => {
          rounds += 1
          return []
        }
      })
      peer.deliver()
      await settle()
      assert.equal(rounds, 1)
    })

    it('never join on a strict ladder', async () => {
      const { peer, gateway } = climbWith(() => true, { strict: true })
      peer.deliver()
      await clock.advance(20_000)
      assert.equal(gateway.run, undefined)
    })

    it('give everybody longer: they may share one slow line', async () => {
      const { peer, gateway, ladder } = climbWith(() => true)
      peer.deliver()
      await clock.advance(59_999)
      assert.deepEqual([peer.isAborted, gateway.isAborted], [false, false])
      gateway.deliver()
      await clock.advance(1)
      assert.deepEqual(outcomes(ladder), ['a timeout 100'])
      gateway.deliver()
      await clock.advance(29_999)
      assert.equal(gateway.isAborted, false)
      await clock.advance(1)
      assert.equal(gateway.isAborted, true, 'it is alone again')
    })
  })
})
