import assert from 'node:assert/strict'
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import { Invitations } from '../../../src/peers/invitations.ts'
import { isProof, prove, ticketKey, type TicketKey } from '../../../src/peers/pair-proof.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const HOUR = 3_600_000
const [ANA, BEN, EVE] = ['did:key:ana', 'did:key:ben', 'did:key:eve']

async function keyOf(byte: number): Promise<TicketKey> {
  return await ticketKey(new Uint8Array(16).fill(byte))
}

describe('invitations', () => {
  const clock = new VirtualClock()
  const state = memoryState()
  const invitations = new Invitations({ clock, state })

  it('count each DID once, and no more of them than they are for', async () => {
    const ticket = await keyOf(1)
    await invitations.add(ticket, { level: 80, uses: 2, expires: clock.now() + HOUR })
    const outcomes = await Promise.all([ANA, ANA, BEN, EVE].map(async did => await invitations.count(ticket.id, did)))
    assert.deepEqual(
      outcomes.map(outcome => ('refused' in outcome ? outcome.refused : 'in')),
      ['in', 'in', 'in', 'used']
    )
  })

  it('remember, as others read them, what was counted and what was granted', async () => {
    const ticket = await keyOf(1)
    await invitations.granted(ticket.id, ANA)
    const found = new Invitations({ clock, state }).find(ticket.id)
    assert.deepEqual(found?.redeemed, { [ANA]: 'granted', [BEN]: 'counted' })
  })

  it('end by time, by being taken back, and for those they are not made for', async () => {
    const [late, back, named] = await Promise.all([2, 3, 4].map(keyOf))
    assert.ok(late !== undefined && back !== undefined && named !== undefined)
    await invitations.add(late, { uses: 1, expires: clock.now() + HOUR })
    await invitations.add(back, { uses: 1, expires: clock.now() + 3 * HOUR })
    await invitations.add(named, { uses: 1, expires: clock.now() + 3 * HOUR, only: [BEN] })
    await clock.advance(HOUR)
    assert.equal(await invitations.end(back.id), true)
    const outcome = async (ticket: TicketKey): Promise<unknown> => await invitations.count(ticket.id, ANA)
    assert.deepEqual(await outcome(late), { refused: 'expired' })
    assert.deepEqual(await outcome(back), { refused: 'revoked' })
    assert.deepEqual(await outcome(named), { refused: 'not-yours' })
    assert.equal(await invitations.end((await keyOf(99)).id), false)
  })

  it('lose their content when it is removed, and end if they gave nothing else', async () => {
    const [alone, both] = await Promise.all([5, 6].map(keyOf))
    assert.ok(alone !== undefined && both !== undefined)
    await invitations.add(alone, { content: 'root', uses: 1, expires: clock.now() + HOUR })
    await invitations.add(both, { content: 'root', level: 30, uses: 1, expires: clock.now() + HOUR })
    await invitations.endContent('root')
    assert.deepEqual(await invitations.count(alone.id, ANA), { refused: 'revoked' })
    const left = await invitations.count(both.id, ANA)
    assert.equal('invitation' in left && left.invitation.content, undefined)
  })

  it('are forgotten a week after they ended, and are not made without end', async () => {
    const ticket = await keyOf(2)
    await clock.advance(8 * 24 * HOUR)
    await invitations.add(await keyOf(7), { uses: 1, expires: clock.now() + HOUR })
    assert.equal(invitations.find(ticket.id), undefined)
    for (let made = 1; made < 1_000; made++)
      await invitations.add({ id: new Uint8Array([made >> 8, made]), key: ticket.key }, { uses: 1, expires: clock.now() + HOUR })
    await assert.rejects(invitations.add(ticket, { uses: 1, expires: clock.now() + HOUR }), { code: 'QUOTA_EXCEEDED' })
  })

  it('that were written by somebody else do not pass for none', async () => {
    for (const stored of [7, {}, { key: 'k', expires: 1, uses: 1, redeemed: { a: 'maybe' } }]) {
      const broken = memoryState()
      broken.table('invitations', value => value).note('00', stored)
      assert.throws(() => new Invitations({ clock, state: broken }).find(new Uint8Array(1)))
    }
  })
})

describe('proofs of a ticket', () => {
  it('hold for one pair, one direction and one secret', async () => {
    const [{ id, key }, other] = await Promise.all([keyOf(1), keyOf(2)])
    const pair = { joiner: 'J', inviter: 'I' }
    const proof = await prove(key, 'join', pair)
    assert.deepEqual([id.byteLength, proof.byteLength], [16, 32])
    assert.equal(await isProof(key, 'join', pair, proof), true)
    assert.equal(await isProof(key, 'invite', pair, proof), false)
    assert.equal(await isProof(other.key, 'join', pair, proof), false)
    assert.equal(await isProof(key, 'join', { joiner: 'I', inviter: 'J' }, proof), false)
    assert.equal(await isProof(key, 'join', { joiner: 'X', inviter: 'I' }, proof), false)
    assert.equal(await isProof(key, 'join', pair, proof.subarray(1)), false)
  })
})
