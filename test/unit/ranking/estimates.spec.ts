import assert from 'node:assert/strict'
import fc from 'fast-check'
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import type { Outcome } from '../../../src/model/source.ts'
import type { StateStore } from '../../../src/ports/state-table.ts'
import { MeasuredEstimates, type EstimatesInit } from '../../../src/ranking/estimates.ts'
import { HandClock, play } from './support.ts'

const KIB = 1024
const MINUTE = 60_000

interface Opened {
  readonly estimates: MeasuredEstimates
  readonly clock: HandClock
  readonly state: StateStore
}

interface Given extends EstimatesInit {
  readonly trusted?: readonly string[]
  readonly state?: StateStore
  readonly clock?: HandClock
}

function open({ trusted = [], state = memoryState(), clock = new HandClock(), ...init }: Given = {}): Opened {
  return { estimates: new MeasuredEstimates({ clock, state, isTrusted: peer => trusted.includes(peer) }, init), clock, state }
}

describe('ranking: estimates', () => {
  it('knows nothing of a source it never asked', () => {
    const { estimates } = open()
    const { failShare, precision, ...rest } = estimates.of('a')
    assert.deepEqual(rest, {
      firstByteMs: null,
      firstByteP90Ms: null,
      latencyMs: null,
      rate: null,
      bandwidth: null,
      hits: { yes: 0, no: 0 },
      inFlight: 0,
      samples: 0
    })
    assert.equal(Math.round(failShare * 1000), 91, 'the prior: 0.4 of 4.4')
    assert.equal(precision, 0.95)
    assert.deepEqual(estimates.ledger('a'), {})
  })

  it('takes a slow first byte at once and lets the peak fade', () => {
    const { estimates, clock } = open()
    for (let request = 0; request < 5; request++) play(estimates, clock, 'a', { firstByteMs: 20 })
    assert.equal(estimates.of('a').firstByteMs, 20)
    play(estimates, clock, 'a', { firstByteMs: 800 })
    assert.equal(estimates.of('a').firstByteMs, 800)
    const seen: number[] = []
    for (let request = 0; request < 5; request++) {
      clock.pass(5_000)
      play(estimates, clock, 'a', { firstByteMs: 20 })
      seen.push(Math.round(estimates.of('a').firstByteMs ?? 0))
    }
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => b - a)
    )
    assert.ok((seen.at(-1) ?? 0) < 100, `${seen.join(' ')} ms`)
  })

  it('lets an idle peer recover towards what is usual', () => {
    const { estimates, clock } = open()
    for (const peer of ['a', 'b', 'c']) play(estimates, clock, peer, { firstByteMs: 50 })
    play(estimates, clock, 'slow', { firstByteMs: 5_000 })
    clock.pass(10 * MINUTE)
    const once = estimates.of('slow').firstByteMs ?? 0
    assert.ok(Math.abs(once - 500) < 5, `half the way from 5,000 to 50 in factors, not ${once}`)
    clock.pass(60 * MINUTE)
    assert.ok((estimates.of('slow').firstByteMs ?? 0) < 55)
  })

  it('learns of an answer that was cut short how fast the source was at most, if that is news', () => {
    const rateAfter = (known: number | undefined, bytes: number, awaited: number): number | null => {
      const { estimates, clock } = open()
      if (known !== undefined) play(estimates, clock, 'a', { firstByteMs: 10, bytes: known, totalMs: 1_010 })
      const measurement = estimates.begin('a')
      clock.pass(10)
      measurement.firstByte(100)
      clock.pass(1_000)
      measurement.end('ok', bytes, awaited)
      const { rate } = estimates.of('a')
      return rate === null ? null : Math.round(rate / KIB)
    }
    const MIB = 1024 * KIB
    assert.equal((rateAfter(4 * MIB, 100, MIB) ?? Infinity) < 3_500, true, 'at most 1 MiB/s')
    assert.equal(Math.abs((rateAfter(4 * MIB, 3.5 * MIB, MIB) ?? 0) - 4096) < 100, true, 'anything between 3.5 and 4.5 MiB/s')
    assert.equal((rateAfter(undefined, 100, MIB) ?? 0) <= 1025, true, 'slower than hoped of anybody')
    assert.equal(rateAfter(undefined, 100, 100 * KIB), null, 'too little to say anything')
  })

  it('gives a 90th percentile from five times on', () => {
    const { estimates, clock } = open()
    for (const firstByteMs of [10, 20, 30, 40]) play(estimates, clock, 'a', { firstByteMs })
    assert.equal(estimates.of('a').firstByteP90Ms, null)
    for (const firstByteMs of [50, 60, 70, 80, 90, 100]) play(estimates, clock, 'a', { firstByteMs })
    assert.equal(estimates.of('a').firstByteP90Ms, 90)
    for (let request = 0; request < 20; request++) play(estimates, clock, 'a', { firstByteMs: 5 })
    assert.equal(estimates.of('a').firstByteP90Ms, 5, 'only the last ones count')
  })

  it('measures rates of transfers that are long enough, less a round trip', () => {
    const { estimates, clock } = open()
    play(estimates, clock, 'a', { firstByteMs: 100, totalMs: 1100, bytes: 63 * KIB })
    assert.deepEqual([estimates.of('a').rate, estimates.of('a').bandwidth], [null, null])
    play(estimates, clock, 'a', { firstByteMs: 100, totalMs: 1100, bytes: 100_000 })
    assert.equal(estimates.of('a').rate, null)
    assert.equal(Math.round(estimates.of('a').bandwidth ?? 0), Math.round(100_000 / 1.1))
    clock.pass(100)
    estimates.latency('a', 100)
    play(estimates, clock, 'a', { firstByteMs: 1100, totalMs: 1100, bytes: 1024 * KIB })
    assert.equal(Math.round(estimates.of('a').rate ?? 0), 1024 * KIB, 'one block, which came with the first byte')
  })

  it('does not take for a round trip what waited behind a transfer, either way', () => {
    const { estimates, clock } = open()
    estimates.latency('a', 20)
    const request = estimates.begin('a')
    estimates.latency('a', 8_900)
    clock.pass(1_000)
    request.end('ok', 1_000_000)
    estimates.latency('a', 999)
    clock.pass(20)
    const answer = estimates.serving('a')
    estimates.latency('a', 8_900)
    answer[Symbol.dispose]()
    assert.equal(estimates.of('a').latencyMs, 20)
    clock.pass(30)
    estimates.latency('a', 30)
    assert.equal(Math.round(estimates.of('a').latencyMs ?? 0), 22, 'and begins again when nothing is under way')
    const second = estimates.begin('a')
    estimates.latency('a', 12)
    assert.equal(Math.round(estimates.of('a').latencyMs ?? 0), 20, 'what is quicker all the same is news')
    second.end('cancelled', 0)
  })

  it('does not take a short first block for a round trip when it came beside another transfer', () => {
    const { estimates, clock } = open()
    const [large, small] = [estimates.begin('a'), estimates.begin('a')]
    clock.pass(3_000)
    small.firstByte(1_000)
    small.end('ok', 1_000)
    large.firstByte(1_000)
    large.end('ok', 1_000_000)
    assert.equal(estimates.of('a').latencyMs, null)
    play(estimates, clock, 'a', { firstByteMs: 20, bytes: 1_000, firstBlock: 1_000 })
    assert.equal(estimates.of('a').latencyMs, 20)
  })

  it('does not take the transfer of the first block for waiting', () => {
    const { estimates, clock } = open()
    const block = { firstByteMs: 220, bytes: 200_000, firstBlock: 200_000 }
    play(estimates, clock, 'a', { firstByteMs: 20, bytes: 1_000, firstBlock: 1_000 })
    assert.equal(estimates.of('a').latencyMs, 20, 'an answer that is short is a round trip')
    for (let request = 0; request < 10; request++) play(estimates, clock, 'a', block)
    assert.equal(Math.round(estimates.of('a').bandwidth ?? 0), 1_000_000)
    assert.equal(Math.round(estimates.of('a').firstByteMs ?? 0), 20)
    assert.equal(estimates.of('a').firstByteP90Ms, 220, 'whoever waits for the first block waits for all of it')
    play(estimates, clock, 'a', { ...block, firstByteMs: 1_800 })
    assert.ok((estimates.of('a').firstByteMs ?? 0) > 1_500, 'what it takes longer than usual was waiting')
    play(estimates, clock, 'b', { firstByteMs: 100, bytes: 500_000, firstBlock: 500_000 })
    assert.equal(Math.round(estimates.of('b').firstByteMs ?? 0), 50, 'half of what nobody can tell apart')
  })

  it('counts faults, timeouts and wrong bytes, and nothing else, against a source', () => {
    const innocent: Outcome[] = ['not-found', 'refused', 'cancelled', 'skipped', 'ok']
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...innocent), fc.nat(60_000), fc.boolean()), { maxLength: 30 }), ends => {
        const { estimates, clock } = open()
        const before = estimates.of('a').failShare
        for (const [outcome, ms, delivers] of ends) {
          play(estimates, clock, 'a', { outcome, totalMs: ms, ...(delivers ? { firstByteMs: ms } : {}) })
          assert.ok(estimates.of('a').failShare <= before)
        }
      })
    )
    for (const outcome of ['fault', 'timeout', 'corrupt'] as const) {
      const { estimates, clock } = open()
      const before = estimates.of('a').failShare
      play(estimates, clock, 'a', { outcome })
      assert.ok(estimates.of('a').failShare > before, outcome)
    }
  })

  it('sees a burst of failures whatever was before, and forgets it after a while', () => {
    const { estimates, clock } = open()
    for (let request = 0; request < 2_000; request++) play(estimates, clock, 'a', { firstByteMs: 10 })
    assert.ok(estimates.of('a').failShare < 0.05)
    for (let failure = 0; failure < 3; failure++) play(estimates, clock, 'a', { outcome: 'fault' })
    assert.ok(estimates.of('a').failShare > 0.25, `${estimates.of('a').failShare}`)
    clock.pass(60 * MINUTE)
    assert.ok(estimates.of('a').failShare < 0.1)
  })

  it('halves the weight of faults each day', () => {
    const { estimates, clock } = open()
    for (let failure = 0; failure < 8; failure++) play(estimates, clock, 'a', { outcome: 'timeout' })
    clock.pass(2 * 24 * 60 * MINUTE)
    assert.equal(estimates.of('a').failShare.toFixed(3), (2.4 / 6.4).toFixed(3))
  })

  it('learns from a race that was lost only what the waiting tells', () => {
    const { estimates, clock } = open()
    for (let request = 0; request < 6; request++) play(estimates, clock, 'a', { firstByteMs: 50 })
    play(estimates, clock, 'a', { outcome: 'cancelled', totalMs: 49 })
    assert.equal(estimates.of('a').firstByteMs, 50)
    play(estimates, clock, 'a', { outcome: 'cancelled', totalMs: 400 })
    assert.equal(estimates.of('a').firstByteMs, 400)
    assert.equal(estimates.of('a').firstByteP90Ms, 400, 'left out, waits that are cut short would make it shrink')
    assert.equal(estimates.of('a').samples, 6)
  })

  it('believes no longer in a newcomer that never answers', () => {
    const { estimates, clock } = open()
    play(estimates, clock, 'known', { firstByteMs: 50 })
    clock.pass(2_000)
    play(estimates, clock, 'mute', { outcome: 'cancelled', totalMs: 5 })
    assert.equal(estimates.of('mute').firstByteMs, null)
    play(estimates, clock, 'mute', { outcome: 'cancelled', totalMs: 300 })
    assert.equal(estimates.of('mute').firstByteMs, 300)
  })

  it('counts the waiting that goes on right now', () => {
    const { estimates, clock } = open()
    play(estimates, clock, 'a', { firstByteMs: 50 })
    const measurement = estimates.begin('a')
    clock.pass(40)
    assert.deepEqual([estimates.of('a').inFlight, Math.round(estimates.of('a').firstByteMs ?? 0)], [1, 50])
    clock.pass(2_000)
    assert.equal(estimates.of('a').firstByteMs, 2_040)
    measurement.firstByte()
    measurement.end('ok', 10)
    measurement.end('fault', 10)
    assert.equal(estimates.of('a').inFlight, 0)
    assert.deepEqual(estimates.ledger('a'), { asked: 2, ok: 2, bytesReceived: 10 })
  })

  it('finds out in a handful of questions who claims what it has not', () => {
    const { estimates } = open()
    for (let miss = 0; miss < 6; miss++) estimates.observeClaim('liar', false)
    assert.ok(estimates.of('liar').precision < 0.5)
    for (let hit = 0; hit < 1_000; hit++) estimates.observeClaim('turned', true)
    for (let miss = 0; miss < 100; miss++) estimates.observeClaim('turned', false)
    assert.ok(estimates.of('turned').precision < 0.45, 'a long good record does not cover a liar for ever')
    assert.deepEqual(estimates.of('turned').hits, { yes: 1_000, no: 100 })
  })

  it('keeps figures and ledger over a restart', () => {
    const first = open()
    play(first.estimates, first.clock, 'a', { firstByteMs: 30, totalMs: 1030, bytes: 1024 * KIB })
    first.estimates.observeClaim('a', true)
    const again = open(first)
    assert.deepEqual(again.estimates.of('a'), first.estimates.of('a'))
    assert.deepEqual(again.estimates.ledger('a'), { asked: 1, ok: 1, bytesReceived: 1024 * KIB })
  })

  it('takes figures it does not understand for none', () => {
    const state = memoryState()
    state.table<unknown>('estimates', stored => stored).note('a', { firstByteMs: 'soon', recentMs: [1, null, 'x'], ok: -1 })
    state.table<unknown>('estimates', stored => stored).note('b', 7)
    state.table<unknown>('ledger', stored => stored).note('a', { asked: 'often', ok: 3 })
    const { estimates } = open({ state })
    assert.deepEqual([estimates.of('a').firstByteMs, estimates.of('b').samples, estimates.ledger('a')], [null, 0, { ok: 3 }])
  })

  it('forgets strangers first, the one not heard of for longest before others', () => {
    const { estimates, clock, state } = open({ sourcesMax: 3, trusted: ['friend'] })
    for (const peer of ['friend', 's1', 's2', 's3']) play(estimates, clock, peer, { firstByteMs: 10 })
    const known = ['friend', 's1', 's2', 's3'].filter(peer => estimates.of(peer).samples > 0)
    assert.deepEqual(known, ['friend', 's2', 's3'])
    const stored = [...state.table('estimates', value => value).entries()].map(([peer]) => peer)
    assert.deepEqual(stored, known)
  })

  it('writes nothing down for strangers who only take', () => {
    const { estimates, state } = open({ sourcesMax: 10, trusted: ['friend'] })
    for (let stranger = 0; stranger < 100; stranger++) estimates.served(`s${stranger}`, 1000)
    estimates.served('friend', 1000)
    assert.deepEqual(estimates.ledger('s99'), { served: 1, bytesSent: 1000 })
    assert.deepEqual(
      [...state.table('ledger', value => value).entries()].map(([peer]) => peer),
      ['friend']
    )
  })

  it('counts a clock that was set back as no time passed', () => {
    const { estimates, clock } = open()
    play(estimates, clock, 'a', { firstByteMs: 100 })
    clock.pass(-60 * MINUTE)
    assert.equal(estimates.of('a').firstByteMs, 100)
    play(estimates, clock, 'a', { firstByteMs: 40 })
    assert.equal(estimates.of('a').firstByteMs, 100)
  })
})
