/** Peers that are not silent: their bytes come slowly, or wait behind others of this node, or they were not asked yet. */
import assert from 'node:assert/strict'
import { BLOCK_MS_MAX, LINE_RATE_MIN } from '../../../src/model/slow-line.ts'
import { STALL_MS } from '../../../src/retrieval/ladder.ts'
import type { Candidate, Rung } from '../../../src/retrieval/rung.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { climb, Puppet, rung, settle, type Setup } from './puppets.ts'

const SILENCE = 10_000

/** A peer whose bytes can be seen before a block is whole, and that may have to be waited for. */
class Distant {
  readonly puppet: Puppet
  received = 0

  constructor(clock: VirtualClock, name: string, more: Partial<Omit<Candidate, 'id' | 'run'>> = {}) {
    this.puppet = new Puppet(clock, 'peer', name, { received: () => this.received, ...more })
  }

  place(): void {
    this.puppet.run?.onPlace?.()
  }
  queue(): void {
    this.puppet.run?.onQueued?.()
  }
}

describe('Ladder, with peers that are slow or waited for', () => {
  let clock: VirtualClock
  beforeEach(() => {
    clock = new VirtualClock()
  })

  const start = (peers: readonly Distant[], more: Partial<Rung> = {}, settings: { ttl?: number; rungs?: Rung[] } = {}): Setup => {
    const { ttl = 120_000, rungs = [] } = settings
    const candidates = peers.map(({ puppet }) => puppet)
    return climb(clock, [{ ...rung('peer', 0, candidates), maxParallel: 1, silenceMax: SILENCE, ...more }, ...rungs], { ttl })
  }
  const outcomes = ({ ladder }: Setup): string[] => ladder.attempts.map(({ peer, outcome }) => `${peer} ${outcome}`)
  /** So many seconds pass, in which a peer sends at a rate. */
  const send = async (peer: Distant, rate: number, seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      peer.received += rate
      await clock.advance(1_000)
    }
  }

  it('does not count the time in which a request of ours waits for a place at the peer', async () => {
    const peer = new Distant(clock, 'a')
    const setup = start([peer])
    peer.queue()
    await clock.advance(59_000)
    assert.deepEqual([peer.puppet.isAborted, outcomes(setup)], [false, []])
    peer.place()
    await clock.advance(SILENCE - 1)
    assert.equal(peer.puppet.isAborted, false, 'it has all its time from when it is asked')
    await clock.advance(1)
    assert.equal(await setup.ended, 'NOT_FOUND')
    assert.deepEqual(outcomes(setup), ['a timeout'])
  })

  it('lets others be asked meanwhile, as if it had failed', async () => {
    const [queued, next] = [new Distant(clock, 'queued'), new Distant(clock, 'next')]
    const ipfs = new Puppet(clock, 'ipfs', 'i')
    const setup = start([queued, next], {}, { rungs: [rung('ipfs', 20_000, [ipfs])] })
    queued.queue()
    await clock.advance(SILENCE)
    assert.equal(next.puppet.startedAt, SILENCE)
    next.puppet.fail('not-found')
    await settle()
    assert.equal(ipfs.startedAt, SILENCE, 'nobody is left who keeps the next stage waiting')
    ipfs.fail('not-found')
    queued.place()
    await settle()
    queued.puppet.deliver()
    queued.puppet.finish()
    assert.equal(await setup.ended, 'ok')
  })

  it('hedges and measures from when the peer is asked', async () => {
    const told: string[] = []
    const measure = (): ReturnType<NonNullable<Candidate['measure']>> => ({
      asked: () => told.push(`asked ${clock.monotonic()}`),
      firstByte: () => told.push(`byte ${clock.monotonic()}`),
      end() {}
    })
    const [first, next] = [new Distant(clock, 'first', { measure, hedgeAfter: 1_000 }), new Distant(clock, 'next')]
    const setup = start([first, next], { maxParallel: 2 })
    first.queue()
    await clock.advance(900)
    first.place()
    await clock.advance(999)
    assert.deepEqual([told, next.puppet.run], [['asked 900'], undefined])
    await clock.advance(1)
    assert.equal(next.puppet.startedAt, 1_900)
    first.puppet.deliver()
    assert.deepEqual(told, ['asked 900', 'byte 1900'])
    first.puppet.finish()
    assert.equal(await setup.ended, 'ok')
  })

  it('begins nothing for a place that comes when it is over', async () => {
    const told: string[] = []
    const peer = new Distant(clock, 'a', {
      measure: () => ({ asked: () => told.push('asked'), firstByte() {}, end: () => told.push('end') })
    })
    const setup = start([peer])
    peer.queue()
    setup.abort.abort()
    peer.place()
    await setup.ended
    assert.deepEqual([told, clock.pending], [['end'], 0])
  })

  it('waits for a block whose bytes come, as long as they do', async () => {
    const peer = new Distant(clock, 'a')
    const setup = start([peer])
    peer.place()
    await send(peer, 20_000, 50)
    assert.equal(peer.puppet.isAborted, false)
    peer.puppet.deliver(1_000_000)
    peer.puppet.finish()
    assert.equal(await setup.ended, 'ok')
    assert.deepEqual(outcomes(setup), ['a ok'])
  })

  it('takes a transfer whose next block comes slowly for no stall', async () => {
    const peer = new Distant(clock, 'a')
    const setup = start([peer])
    peer.place()
    peer.puppet.deliver()
    await send(peer, 10_000, 100)
    assert.equal(peer.puppet.isAborted, false)
    peer.puppet.deliver()
    await clock.advance(STALL_MS)
    assert.equal(await setup.ended, 'TIMEOUT')
  })

  it('takes a byte now and then for silence', async () => {
    const peer = new Distant(clock, 'a')
    const setup = start([peer])
    peer.place()
    await send(peer, LINE_RATE_MIN - 1, SILENCE / 1000)
    assert.equal(await setup.ended, 'NOT_FOUND')
    assert.deepEqual(outcomes(setup), ['a timeout'])
  })

  it('lets who comes slowly keep nobody out, and keeps no more of them than there are places', async () => {
    const peers = ['a', 'b', 'c'].map(name => new Distant(clock, name))
    const [a, b, c] = peers
    const ipfs = new Puppet(clock, 'ipfs', 'i')
    const setup = start(peers, {}, { rungs: [rung('ipfs', 60_000, [ipfs])] })
    const all = async (): Promise<void> => {
      for (let second = 0; second < SILENCE / 1000; second++) {
        for (const peer of peers) peer.received += LINE_RATE_MIN
        await clock.advance(1_000)
      }
    }
    a?.place()
    await all()
    assert.equal(b?.puppet.startedAt, SILENCE)
    b?.place()
    await all()
    assert.deepEqual(outcomes(setup), ['b timeout'], 'there is one such place, and a has it')
    c?.place()
    await all()
    assert.deepEqual([outcomes(setup), a?.puppet.isAborted], [['b timeout', 'c timeout'], false])
    assert.equal(ipfs.startedAt, 3 * SILENCE)
    ipfs.deliver()
    ipfs.finish()
    assert.equal(await setup.ended, 'ok')
    assert.deepEqual(outcomes(setup).slice(2), ['a cancelled', 'i ok'])
  })

  it('gives no block more time than the largest takes on the slowest line', async () => {
    const peer = new Distant(clock, 'a')
    const setup = start([peer], {}, { ttl: 10 * BLOCK_MS_MAX })
    peer.place()
    await send(peer, 1_000_000, BLOCK_MS_MAX / 1000 + SILENCE / 1000)
    assert.equal(await setup.ended, 'NOT_FOUND')
    assert.deepEqual(outcomes(setup), ['a timeout'])
  })

  it('ends at the ttl with what happened, and nobody is blamed who was not silent', async () => {
    const [slow, queued] = [new Distant(clock, 'slow'), new Distant(clock, 'queued')]
    const sending = start([slow], {}, { ttl: 30_000 })
    slow.place()
    await send(slow, 20_000, 30)
    assert.equal(await sending.ended, 'TIMEOUT')
    assert.deepEqual(outcomes(sending), ['slow cancelled'])
    const waiting = start([queued], {}, { ttl: 30_000 })
    queued.queue()
    await clock.advance(30_000)
    assert.equal(await waiting.ended, 'TIMEOUT')
    assert.deepEqual(outcomes(waiting), ['queued cancelled'])
    assert.match(waiting.ladder.attempts[0]?.reason ?? '', /not asked yet/)
  })

  it('calls a peer that was never reached a fault, not silent', async () => {
    const setup = start([new Distant(clock, 'away')])
    await clock.advance(SILENCE)
    assert.equal(await setup.ended, 'NOT_FOUND')
    assert.deepEqual(outcomes(setup), ['away fault'])
  })
})
