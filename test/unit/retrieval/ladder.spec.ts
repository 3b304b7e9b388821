import assert from 'node:assert/strict'
import { KithError } from '../../../src/errors.ts'
import { Ladder, STALL_MS } from '../../../src/retrieval/ladder.ts'
import type { Candidate } from '../../../src/retrieval/rung.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { climb, Puppet, rung, settle } from './puppets.ts'

describe('Ladder', () => {
  let clock: VirtualClock
  beforeEach(() => {
    clock = new VirtualClock()
  })

  it('starts the first rung at once and the others after their delays', async () => {
    const [peer, ipfs, gateway] = [new Puppet(clock, 'peer', 'a'), new Puppet(clock, 'ipfs', 'i'), new Puppet(clock, 'gateway', 'g')]
    const { ended, abort } = climb(clock, [rung('peer', 0, [peer]), rung('ipfs', 150, [ipfs]), rung('gateway', 600, [gateway])])
    const zero = clock.monotonic()
    assert.notEqual(peer.run, undefined)
    await clock.advance(149)
    assert.equal(ipfs.run, undefined)
    await clock.advance(1000)
    assert.equal((ipfs.startedAt ?? 0) - zero, 150)
    assert.equal((gateway.startedAt ?? 0) - zero, 600)
    abort.abort(new KithError('CANCELLED', 'enough'))
    assert.equal(await ended, 'CANCELLED')
    assert.ok(peer.isAborted && ipfs.isAborted && gateway.isAborted)
  })

  it('counts delays from the climb, not from when it waited for a place', async () => {
    const [peer, ipfs] = [new Puppet(clock, 'peer', 'a'), new Puppet(clock, 'ipfs', 'i')]
    const ladder = new Ladder({ clock }, { rungs: [rung('peer', 0, [peer]), rung('ipfs', 150, [ipfs])], ttl: 30_000, strict: false })
    await clock.advance(5000)
    const abort = new AbortController()
    const ended = ladder.climb({ signal: abort.signal })
    await clock.advance(149)
    assert.equal(ipfs.run, undefined)
    abort.abort(new KithError('CANCELLED', 'enough'))
    await assert.rejects(ended)
  })

  it('goes on at once when nobody is left on the rungs before', async () => {
    const [peer, ipfs, gateway] = [new Puppet(clock, 'peer', 'a'), new Puppet(clock, 'ipfs', 'i'), new Puppet(clock, 'gateway', 'g')]
    const { ended } = climb(clock, [rung('peer', 0, [peer]), rung('ipfs', 150, [ipfs]), rung('gateway', 600, [gateway])])
    peer.fail('not-found')
    await settle()
    assert.notEqual(ipfs.run, undefined)
    ipfs.fail('not-found')
    await settle()
    assert.notEqual(gateway.run, undefined)
    gateway.fail('not-found')
    assert.equal(await ended, 'NOT_FOUND')
  })

  it('gives a source that asks for patience that much before IPFS is asked', async () => {
    const [peer, ipfs] = [new Puppet(clock, 'peer', 'a', { claims: true, patience: 1000 }), new Puppet(clock, 'ipfs', 'i')]
    const { abort, ended } = climb(clock, [rung('peer', 0, [peer]), rung('ipfs', 150, [ipfs])])
    await clock.advance(999)
    assert.equal(ipfs.run, undefined)
    await clock.advance(1)
    assert.notEqual(ipfs.run, undefined)
    abort.abort()
    await ended
  })

  it('cancels the others when the first verified byte comes, and does not blame them', async () => {
    const [slow, fast] = [new Puppet(clock, 'peer', 'slow'), new Puppet(clock, 'ipfs', 'fast')]
    const { ladder, ended } = climb(clock, [rung('peer', 0, [slow]), rung('ipfs', 150, [fast])])
    await clock.advance(200)
    fast.deliver()
    assert.ok(slow.isAborted)
    fast.finish()
    assert.equal(await ended, 'ok')
    assert.deepEqual(
      ladder.attempts.map(({ peer, outcome, bytes }) => [peer, outcome, bytes]),
      [
        ['slow', 'cancelled', 0],
        ['fast', 'ok', 100]
      ]
    )
  })

  it('goes back to a cancelled source when the winner fails midway', async () => {
    const [peer, ipfs] = [new Puppet(clock, 'peer', 'a'), new Puppet(clock, 'ipfs', 'i')]
    const { ladder, ended } = climb(clock, [rung('peer', 0, [peer]), rung('ipfs', 150, [ipfs])])
    await clock.advance(200)
    ipfs.deliver()
    ipfs.fail('fault')
    await settle()
    assert.equal(peer.isAborted, false, 'the peer runs again')
    peer.deliver()
    peer.finish()
    assert.equal(await ended, 'ok')
    assert.deepEqual(
      ladder.attempts.map(attempt => [attempt.peer, attempt.outcome]),
      [
        ['a', 'cancelled'],
        ['i', 'fault'],
        ['a', 'ok']
      ]
    )
  })

  it('hedges to the next peer, but never to more than maxParallel', async () => {
    const peers = ['a', 'b', 'c', 'd'].map(name => new Puppet(clock, 'peer', name))
    const { abort, ended } = climb(clock, [rung('peer', 0, peers)])
    const started = (): number => peers.filter(peer => peer.run !== undefined).length
    assert.equal(started(), 1)
    await clock.advance(250)
    assert.equal(started(), 2)
    await clock.advance(5000)
    assert.equal(started(), 3)
    abort.abort()
    await ended
  })

  it('asks for more candidates when the given ones are used up, and waits for the answer', async () => {
    const [known, found, ipfs] = [new Puppet(clock, 'peer', 'known'), new Puppet(clock, 'peer', 'found'), new Puppet(clock, 'ipfs', 'i')]
    const answer = Promise.withResolvers<readonly Candidate[]>()
    const { ended } = climb(clock, [rung('peer', 0, [known], async () => await answer.promise), rung('ipfs', 150, [ipfs])])
    known.fail('not-found')
    await settle()
    assert.equal(ipfs.run, undefined, 'a peer may still be found')
    answer.resolve([found.candidate])
    await settle()
    found.deliver()
    found.finish()
    assert.equal(await ended, 'ok')
    assert.equal(ipfs.run, undefined)
  })

  it('ends with NOT_FOUND at the ttl, with TIMEOUT if a claiming peer was still being asked', async () => {
    const silent = climb(clock, [rung('ipfs', 0, [new Puppet(clock, 'ipfs', 'i')])], { ttl: 1000 })
    const claimed = climb(clock, [rung('peer', 0, [new Puppet(clock, 'peer', 'a', { claims: true })])], { ttl: 1000 })
    await clock.advance(1000)
    assert.equal(await silent.ended, 'NOT_FOUND')
    assert.equal(await claimed.ended, 'TIMEOUT')
  })

  it('lets a transfer that moves outlive the ttl, and drops it when it stalls', async () => {
    const peer = new Puppet(clock, 'peer', 'a')
    const { ladder, ended } = climb(clock, [rung('peer', 0, [peer])], { ttl: 1000 })
    peer.deliver()
    await clock.advance(STALL_MS - 1)
    peer.deliver()
    await clock.advance(STALL_MS - 1)
    assert.equal(peer.isAborted, false)
    await clock.advance(1)
    assert.equal(peer.isAborted, true)
    assert.equal(await ended, 'TIMEOUT')
    assert.equal(ladder.attempts[0]?.outcome, 'timeout')
  })

  it('answers INTEGRITY when the only one that delivered sent wrong bytes', async () => {
    const liar = new Puppet(clock, 'gateway', 'liar')
    const { ended } = climb(clock, [rung('gateway', 0, [liar])])
    liar.fail('corrupt')
    assert.equal(await ended, 'INTEGRITY')
  })

  it('tells a source how long the search may last, and that a transfer has no end', async () => {
    const peer = new Puppet(clock, 'peer', 'a')
    const { ended } = climb(clock, [rung('peer', 0, [peer])], { ttl: 10_000 })
    await clock.advance(4_000)
    assert.equal(peer.run?.remaining(), 6_000)
    peer.deliver()
    assert.equal(peer.run?.remaining(), Infinity)
    peer.finish()
    assert.equal(await ended, 'ok')
  })

  it('is a plain ladder when strict', async () => {
    const [peer, ipfs] = [new Puppet(clock, 'peer', 'a'), new Puppet(clock, 'ipfs', 'i')]
    const { ended } = climb(clock, [rung('peer', 0, [peer]), rung('ipfs', 150, [ipfs])], { strict: true })
    await clock.advance(10_000)
    assert.equal(ipfs.run, undefined)
    peer.fail('timeout')
    await settle()
    ipfs.deliver()
    ipfs.finish()
    assert.equal(await ended, 'ok')
  })

  it('ends the whole retrieval on trouble of this node, without blaming anybody else', async () => {
    const full = new KithError('QUOTA_EXCEEDED', 'the cache is full')
    const [other] = [new Puppet(clock, 'ipfs', 'i')]
    const { ended, ladder } = climb(clock, [
      {
        stage: 'peer',
        delay: 0,
        hedgeDelay: 250,
        maxParallel: 1,
        candidates: [
          {
            id: { stage: 'peer' },
            claims: true,
            run: async () => {
              throw full
            }
          }
        ]
      },
      rung('ipfs', 150, [other])
    ])
    assert.equal(await ended, 'QUOTA_EXCEEDED')
    assert.equal(other.run, undefined)
    assert.deepEqual(
      ladder.attempts.map(({ outcome }) => outcome),
      ['cancelled']
    )
  })
})
