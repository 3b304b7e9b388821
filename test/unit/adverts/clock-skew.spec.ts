import assert from 'node:assert/strict'
import { ClockSkew } from '../../../src/adverts/clock-skew.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { advertOf, gossip, identity } from './support.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

describe('clock skew', () => {
  let peers: Identity[]
  let ours: VirtualClock
  let theirs: VirtualClock
  let told: number[]
  let skew: ClockSkew
  before(async () => {
    peers = await Promise.all([1, 2, 3, 4, 5, 6, 7].map(identity))
  })
  beforeEach(() => {
    ;[ours, theirs, told] = [new VirtualClock(), new VirtualClock(), []]
    skew = new ClockSkew({
      clock: ours,
      onSkew: ms => {
        told.push(ms)
      }
    })
  })

  async function hear(from: readonly Identity[], via: 'itself' | 'another' = 'itself'): Promise<void> {
    for (const peer of from) {
      const message = gossip(peer, (await advertOf(peer, theirs)).message)
      skew.gossip(via === 'itself' ? message : { ...message, via: 'another' })
    }
  }

  it('is told when three peers agree that the own clock is ahead or behind, and not before', async () => {
    ours.jump(DAY)
    await hear(peers.slice(0, 2))
    assert.deepEqual(told, [])
    await hear(peers.slice(2, 3))
    assert.deepEqual(told, [DAY])
    await hear(peers.slice(3, 5))
    assert.deepEqual(told, [DAY])
  })

  it('says behind with a minus, and 0 when the clock was set', async () => {
    ours.jump(-DAY)
    await hear(peers.slice(0, 3))
    ours.jump(DAY)
    await ours.advance(MINUTE)
    await theirs.advance(MINUTE)
    await hear(peers.slice(0, 3))
    assert.deepEqual(told, [-DAY, 0])
  })

  it('is not misled by a few liars, by one who repeats itself, or by old messages passed on', async () => {
    await hear(peers.slice(0, 4))
    theirs.jump(DAY)
    await hear(peers.slice(4))
    await hear(peers, 'another')
    const lone = new ClockSkew({ clock: ours, onSkew: ms => told.push(ms) })
    for (let n = 0; n < 5; n++) lone.gossip(gossip(peers[0] ?? assert.fail(), (await advertOf(peers[0] ?? assert.fail(), theirs)).message))
    assert.deepEqual(told, [])
  })

  it('lets small differences be, forgets old words, and survives what is no advert', async () => {
    ours.jump(4 * MINUTE)
    await hear(peers)
    theirs.jump(-DAY)
    await ours.advance(MINUTE)
    await hear(peers.slice(0, 3))
    assert.deepEqual(told, [])
    await ours.advance(20 * MINUTE)
    for (const peer of peers) skew.gossip(gossip(peer, new Uint8Array(100)))
    skew.pulled('nobody', new Uint8Array(0))
    assert.deepEqual(told, [])
  })

  it('learns from adverts it pulled at least how much time lies between', async () => {
    ours.jump(DAY)
    for (const peer of peers.slice(0, 3)) skew.pulled(peer.peerId, (await advertOf(peer, theirs)).message)
    assert.deepEqual(told, [DAY - 420_000])
    ours.jump(-2 * DAY)
    await ours.advance(MINUTE)
    for (const peer of peers.slice(0, 3)) skew.pulled(peer.peerId, (await advertOf(peer, theirs)).message)
    assert.deepEqual(told.slice(1), [0, MINUTE - DAY])
  })
})
