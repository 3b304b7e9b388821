import assert from 'node:assert/strict'
import { KithError } from '../../../src/errors.ts'
import { DAY, didOf, peerOf, trustFixture } from './people.ts'

const [ANA, BEN] = [peerOf(1), peerOf(2)]
const PERSON = 'did:web:ana.example'

describe('access', () => {
  it('is what the operator set, a tenth of the level, and 0 for a stranger', async () => {
    const { book, standing } = trustFixture()
    assert.deepEqual([standing.accessOf(ANA), standing.isTrusted(ANA), standing.trustedPeers()], [0, false, []])
    await book.setLevel(didOf(1), 75, 'Ana')
    assert.deepEqual([standing.accessOf(ANA), standing.trustOf(ANA), standing.isTrusted(ANA)], [7.5, 7.5, true])
    assert.deepEqual([standing.nameOf(ANA), standing.trustedPeers()], ['Ana', [ANA]])
    await book.setLevel(ANA, 49)
    assert.deepEqual([standing.accessOf(ANA), standing.isTrusted(ANA), standing.nameOf(ANA)], [4.9, false, 'Ana'])
    await book.forgetLevel(didOf(1))
    assert.deepEqual([standing.accessOf(ANA), book.get(didOf(1))], [0, undefined])
  })

  it('of whom nobody set a level for is `trust.default`', () => {
    const { standing } = trustFixture({ default: 3 })
    assert.deepEqual([standing.accessOf(ANA), standing.trustOf(ANA)], [3, 3])
  })

  it('of a level 0 is 0, whatever the default', async () => {
    const { book, standing } = trustFixture({ default: 3 })
    await book.setLevel(ANA, 0)
    assert.deepEqual([standing.accessOf(ANA), standing.trustOf(ANA)], [0, 0])
  })

  it('is 0 while blocked, for a level set meanwhile too, and comes back after', async () => {
    const { book, standing } = trustFixture()
    await book.setLevel(ANA, 80)
    await book.block(ANA.startsWith('did:') ? ANA : didOf(1))
    await book.setLevel(ANA, 90)
    assert.deepEqual([standing.accessOf(ANA), standing.isShunned(ANA), standing.whyShunned(ANA)], [0, true, 'blocked'])
    assert.deepEqual(standing.trustedPeers(), [])
    await book.unblock(didOf(1))
    assert.deepEqual([standing.accessOf(ANA), standing.isShunned(ANA)], [9, false])
  })

  it("is nobody's who is shunned, even where everybody counts as trusted", async () => {
    const { book, standing } = trustFixture({ default: 10 })
    assert.equal(standing.isTrusted(ANA), true)
    await book.block(ANA)
    assert.equal(standing.isTrusted(ANA), false)
  })

  it('is refused for what is no DID, and for levels out of bounds', async () => {
    const { book } = trustFixture()
    for (const did of ['did:key:alice', 'alice', 'did:web:', 'did:web:UPPER.example', `did:web:${'a'.repeat(300)}`, 'did:key:z6Mk#x'])
      await assert.rejects(book.setLevel(did, 50), (error: unknown) => error instanceof KithError && error.code === 'INVALID_PARAMS', did)
    for (const level of [-1, 101, Number.NaN]) await assert.rejects(book.setLevel(ANA, level), /no level/)
    assert.deepEqual([...book.entries()], [])
  })

  it('comes through a person who speaks for the node, and what was set for the node itself comes first', async () => {
    const bindings = {
      boundDids: (peer: string) => (peer === ANA ? [PERSON] : []),
      boundPeers: (did: string) => (did === PERSON ? [ANA] : [])
    }
    const { book, standing } = trustFixture({ bindings })
    await book.setLevel(PERSON, 80, 'Ana')
    assert.deepEqual([standing.accessOf(ANA), standing.nameOf(ANA), standing.trustedPeers(), standing.accessOf(BEN)], [8, 'Ana', [ANA], 0])
    await book.setLevel(ANA, 20)
    assert.deepEqual([standing.accessOf(ANA), standing.trustedPeers()], [2, []])
    await book.block(PERSON)
    assert.deepEqual([standing.accessOf(ANA), standing.isShunned(ANA)], [0, true])
  })

  it('survives a restart', async () => {
    const before = trustFixture()
    await before.book.setLevel(ANA, 60, 'Ana')
    await before.book.block(BEN)
    before.standing.report(ANA, 'protocol-violation')
    await before.say(1, 3, 50)
    const { standing } = trustFixture({ before })
    assert.deepEqual([standing.accessOf(ANA), standing.trustOf(ANA), standing.nameOf(ANA)], [6, 5, 'Ana'])
    assert.deepEqual([standing.isShunned(BEN), standing.trustOf(peerOf(3))], [true, 3])
  })

  it('tells its listeners whose rights changed', async () => {
    const { book, standing } = trustFixture()
    const told: string[] = []
    const stop = standing.onChange(peer => told.push(peer))
    await book.setLevel(ANA, 80)
    await book.block(BEN)
    standing.report(ANA, 'wrong-bytes')
    standing.report(ANA, 'timeout')
    assert.deepEqual(told, [ANA, BEN, ANA])
    stop()
    await book.unblock(BEN)
    assert.equal(told.length, 3)
  })
})

describe('behaviour', () => {
  it('takes trust off, less with every week, and never moves access', async () => {
    const { book, clock, standing } = trustFixture()
    await book.setLevel(ANA, 60)
    for (let time = 0; time < 3; time++) standing.report(ANA, 'protocol-violation')
    assert.deepEqual([standing.accessOf(ANA), standing.trustOf(ANA), standing.isShunned(ANA)], [6, 3, false])
    await clock.advance(7 * DAY)
    assert.ok(Math.abs(standing.trustOf(ANA) - (6 - 3 * 0.95)) < 1e-9)
    await clock.advance(2 * 365 * DAY)
    assert.equal(standing.trustOf(ANA), 6)
  })

  it('never counts for less than -5', async () => {
    const { book, standing } = trustFixture()
    await book.setLevel(ANA, 80)
    for (let time = 0; time < 100; time++) standing.report(ANA, 'equivocation')
    assert.deepEqual([standing.judge(didOf(1)).behaviour, standing.trustOf(ANA), standing.isShunned(ANA)], [-5, 3, false])
  })

  it('shuts a stranger out that breaks the protocol, says why, and forgives it after two weeks, a repeat after a season', async () => {
    const { clock, standing } = trustFixture()
    standing.report(ANA, 'protocol-violation')
    assert.deepEqual([standing.trustOf(ANA), standing.isShunned(ANA)], [-1, true])
    assert.equal(standing.whyShunned(ANA), 'trust is below 0: it broke the protocol')
    await clock.advance(13 * DAY)
    assert.equal(standing.isShunned(ANA), true)
    await clock.advance(DAY)
    assert.deepEqual([standing.isShunned(ANA), standing.trustOf(ANA)], [false, 0])
    standing.report(ANA, 'protocol-violation')
    await clock.advance(100 * DAY)
    assert.equal(standing.isShunned(ANA), true)
    await clock.advance(7 * DAY)
    assert.equal(standing.isShunned(ANA), false)
  })

  it('forgives a stranger ten time-outs, and shuts out who goes on, for a season', async () => {
    const { clock, standing } = trustFixture()
    for (let time = 0; time < 10; time++) standing.report(ANA, 'timeout')
    assert.deepEqual([standing.trustOf(ANA), standing.isShunned(ANA)], [0, false])
    for (let time = 0; time < 90; time++) standing.report(ANA, 'timeout')
    assert.deepEqual([standing.trustOf(ANA), standing.isShunned(ANA)], [-2, true])
    await clock.advance(100 * DAY)
    assert.equal(standing.isShunned(ANA), false)
  })

  it('of a sleeping laptop closes no door: time-outs never shut out who has a level', async () => {
    const { book, standing } = trustFixture()
    await book.setLevel(ANA, 10)
    for (let time = 0; time < 1000; time++) standing.report(ANA, 'timeout')
    assert.deepEqual([standing.accessOf(ANA), standing.trustOf(ANA), standing.isShunned(ANA)], [1, 0, false])
  })
})

describe('wrong bytes', () => {
  it('suspend for a day, then two, then four: nothing is asked and nothing served', async () => {
    const { book, clock, standing } = trustFixture()
    await book.setLevel(ANA, 80)
    for (const days of [1, 2, 4]) {
      standing.report(ANA, 'wrong-bytes')
      const until = new Date(clock.now() + days * DAY).toISOString()
      assert.deepEqual([standing.accessOf(ANA), standing.isTrusted(ANA), standing.isShunned(ANA)], [0, false, true])
      assert.equal(standing.whyShunned(ANA), `suspended until ${until}: it sent wrong bytes`)
      await clock.advance(days * DAY - 1)
      assert.equal(standing.isShunned(ANA), true)
      await clock.advance(1)
      assert.deepEqual([standing.accessOf(ANA), standing.isShunned(ANA)], [8, false])
    }
  })

  it('are forgotten after thirty days', async () => {
    const { clock, standing, behaviour } = trustFixture()
    standing.report(ANA, 'wrong-bytes')
    await clock.advance(30 * DAY)
    standing.report(ANA, 'wrong-bytes')
    assert.equal(behaviour.suspension(didOf(1))?.until, clock.now() + DAY)
  })

  it('of answers that were under way count once', async () => {
    const { clock, standing, behaviour } = trustFixture()
    for (let time = 0; time < 20; time++) standing.report(ANA, 'wrong-bytes')
    assert.equal(behaviour.suspension(didOf(1))?.until, clock.now() + DAY)
    assert.equal(behaviour.get(didOf(1))?.counts['wrong-bytes'], 20)
  })

  it('of a stranger are over when the suspension is: it may try again', async () => {
    const { clock, standing } = trustFixture()
    standing.report(ANA, 'wrong-bytes')
    assert.equal(standing.isShunned(ANA), true)
    await clock.advance(DAY)
    assert.deepEqual([standing.isShunned(ANA), standing.trustOf(ANA)], [false, 0])
  })

  it('survive a restart', async () => {
    const before = trustFixture()
    before.standing.report(ANA, 'wrong-bytes')
    const { standing } = trustFixture({ before })
    assert.equal(standing.isShunned(ANA), true)
  })
})

describe('what is remembered of strangers', () => {
  it('is bounded, oldest out first; who is known stays', async () => {
    const { behaviour, book, clock, standing, state } = trustFixture()
    await book.setLevel(peerOf(0), 10)
    for (let n = 0; n < 4_200; n++) standing.report(peerOf(n), 'flood')
    await clock.advance(1)
    const kept = state.table('behaviour', stored => stored).size
    assert.equal(kept, 4_097)
    assert.deepEqual(
      [behaviour.get(didOf(0))?.counts, behaviour.get(didOf(1)), behaviour.get(didOf(4_199))?.counts],
      [{ flood: 1 }, undefined, { flood: 1 }]
    )
  })

  it('is nothing for a peer that has no DID, and nothing throws', () => {
    const { standing, state } = trustFixture()
    for (const odd of ['QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N', '', 'x'.repeat(10_000)]) {
      standing.report(odd, 'wrong-bytes')
      assert.deepEqual(
        [standing.accessOf(odd), standing.trustOf(odd), standing.isShunned(odd), standing.isTrusted(odd)],
        [0, 0, false, false]
      )
    }
    assert.equal(state.table('behaviour', stored => stored).size, 0)
  })
})
