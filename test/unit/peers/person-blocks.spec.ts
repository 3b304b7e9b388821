/** A block of a person reaches its nodes, and cannot be shed by no longer showing whose they are. */
import assert from 'node:assert/strict'
import type { Bindings } from '../../../src/peers/judge.ts'
import { settle } from '../../support/virtual-clock.ts'
import { didOf, peerOf, trustFixture } from './people.ts'

const PERSON = 'did:web:example.org'

/** Who speaks for whom just now, by PeerId; a test changes it. */
function shown(): { readonly now: Map<string, string[]>; readonly bindings: Bindings } {
  const now = new Map<string, string[]>()
  return {
    now,
    bindings: {
      boundDids: peer => now.get(peer) ?? [],
      boundPeers: did => [...now].flatMap(([peer, dids]) => (dids.includes(did) ? [peer] : []))
    }
  }
}

describe('a block of a person', () => {
  for (const person of [PERSON, didOf(9)])
    it(`holds for its node when ${person.slice(0, 7)} is no longer shown, after a restart too, until it is ended`, async () => {
      const { now, bindings } = shown()
      const before = trustFixture({ bindings })
      await before.book.setLevel(didOf(1), 80)
      now.set(peerOf(1), [person])
      before.blocks.seen(peerOf(1))
      await before.blocks.block(person)
      now.clear()
      const after = trustFixture({ bindings, before })
      for (const { standing } of [before, after]) {
        assert.equal(standing.accessOf(peerOf(1)), 0)
        assert.equal(standing.whyShunned(peerOf(1)), 'blocked')
      }
      await after.book.unblock(person)
      assert.deepEqual(after.book.get(didOf(1)), { level: 80 })
    })

  it('reaches a node seen before a restart that shows nothing now, and one whose level came after it was seen', async () => {
    const { now, bindings } = shown()
    const before = trustFixture({ bindings })
    now.set(peerOf(1), [PERSON]).set(peerOf(2), [PERSON])
    await before.book.setLevel(didOf(1), 80)
    before.blocks.seen(peerOf(1))
    before.blocks.seen(peerOf(2))
    await before.book.setLevel(didOf(2), 80)
    await settle()
    now.clear()
    const after = trustFixture({ bindings, before })
    await after.blocks.block(PERSON)
    assert.deepEqual([after.standing.accessOf(peerOf(1)), after.standing.accessOf(peerOf(2))], [0, 0])
  })

  it('reaches a node first seen with it later, and not more than 64 nobody knew', async () => {
    const { now, bindings } = shown()
    const { blocks, book, standing } = trustFixture({ bindings })
    await blocks.block(PERSON)
    await book.setLevel(didOf(1000), 80)
    for (let n = 1; n <= 70; n++) {
      now.set(peerOf(n), [PERSON])
      blocks.seen(peerOf(n))
      await settle()
    }
    now.set(peerOf(1000), [PERSON])
    blocks.seen(peerOf(1000))
    await settle()
    now.clear()
    assert.equal(book.blockedFor(PERSON), 65)
    assert.equal(standing.isShunned(peerOf(1)), true)
    assert.equal(standing.accessOf(peerOf(1000)), 0)
  })

  it('does not end what the operator said of the node itself', async () => {
    const { now, bindings } = shown()
    const { blocks, book } = trustFixture({ bindings })
    now.set(peerOf(1), [PERSON])
    await blocks.block(PERSON)
    await blocks.block(didOf(1))
    await book.unblock(PERSON)
    assert.equal(book.get(didOf(1))?.isBlocked, true)
  })
})

describe('who is forgiven', () => {
  it('is no longer shunned, and nothing of it comes back with a restart', async () => {
    const before = trustFixture()
    before.standing.report(peerOf(1), 'equivocation')
    before.standing.report(peerOf(1), 'wrong-bytes')
    assert.deepEqual([...before.behaviour.offenders()], [didOf(1)])
    await before.standing.forgive(didOf(1))
    for (const { standing, behaviour } of [before, trustFixture({ before })]) {
      assert.equal(standing.isShunned(peerOf(1)), false)
      assert.deepEqual([...behaviour.offenders()], [])
    }
  })
})
