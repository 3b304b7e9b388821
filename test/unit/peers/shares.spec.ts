import assert from 'node:assert/strict'
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import { rawCid } from '../../../src/model/content-id.ts'
import { didFromPublicKey, peerIdFromDid } from '../../../src/peers/did-key.ts'
import { Shares } from '../../../src/peers/shares.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const [ANA, BEN] = [1, 2].map(byte => didFromPublicKey(new Uint8Array(32).fill(byte)))
const [ROOT, OTHER] = [1, 2].map(byte => rawCid(new Uint8Array(32).fill(byte)))
assert.ok(ANA !== undefined && BEN !== undefined && ROOT !== undefined && OTHER !== undefined)
const [ana, ben] = [peerIdFromDid(ANA), peerIdFromDid(BEN)]

describe('shares', () => {
  it('give one root to one peer until their time, and survive a restart', async () => {
    const [clock, state] = [new VirtualClock(), memoryState()]
    const shares = new Shares({ clock, state })
    await shares.grant(ROOT, ANA, clock.now() + 1000)
    await shares.grant(OTHER, ANA)
    for (const each of [shares, new Shares({ clock, state })]) {
      assert.deepEqual([each.mayHave(ana, ROOT), each.mayHave(ben, ROOT), each.mayHave(ana, OTHER)], [true, false, true])
      assert.deepEqual(each.grantsOf(ana).map(String).toSorted(), [ROOT, OTHER].map(String).toSorted())
      assert.deepEqual(each.grantsOf(ben), [])
    }
    await clock.advance(1000)
    for (const each of [shares, new Shares({ clock, state })]) {
      assert.deepEqual([each.mayHave(ana, ROOT), each.grantsOf(ana).map(String)], [false, [String(OTHER)]])
    }
  })

  it('are never cut short by a later one', async () => {
    const clock = new VirtualClock()
    const shares = new Shares({ clock, state: memoryState() })
    await shares.grant(ROOT, ANA, clock.now() + 1000)
    await shares.grant(ROOT, ANA, clock.now() + 10)
    await clock.advance(500)
    assert.equal(shares.mayHave(ana, ROOT), true)
    await shares.grant(ROOT, ANA)
    await shares.grant(ROOT, ANA, clock.now() + 10)
    await clock.advance(100_000)
    assert.equal(shares.mayHave(ana, ROOT), true)
  })

  it('end for everybody with the content, and for a peer with its block, for good', async () => {
    const [clock, state] = [new VirtualClock(), memoryState()]
    const shares = new Shares({ clock, state })
    for (const did of [ANA, BEN]) for (const root of [ROOT, OTHER]) await shares.grant(root, did)
    await shares.endContent(ROOT)
    await shares.endPeer(ben)
    for (const each of [shares, new Shares({ clock, state })]) {
      assert.deepEqual([each.mayHave(ana, ROOT), each.mayHave(ana, OTHER)], [false, true])
      assert.deepEqual([each.grantsOf(ana).length, each.grantsOf(ben).length], [1, 0])
    }
  })

  it('remember who gave this node a root, the latest first and not without end', async () => {
    const [clock, state] = [new VirtualClock(), memoryState()]
    const shares = new Shares({ clock, state })
    for (let peer = 0; peer < 20; peer++) await shares.received(ROOT, `peer ${peer}`)
    await shares.received(ROOT, 'peer 15')
    assert.deepEqual(new Shares({ clock, state }).sharersOf(ROOT).slice(0, 2), ['peer 15', 'peer 19'])
    assert.equal(shares.sharersOf(ROOT).length, 8)
    assert.deepEqual(shares.sharersOf(OTHER), [])
  })
})
