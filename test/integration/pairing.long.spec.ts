/** Real daemons that never met, and tickets: used, used up, stolen, late, foreign, mistyped. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { ControlChannel } from '../../src/peers/control.ts'
import { peerIdFromDid } from '../../src/peers/did-key.ts'
import { prove, ticketKey } from '../../src/peers/pair-proof.ts'
import { STRANGERS } from '../../src/peers/strangers.ts'
import { decodeTicket, encodeTicket } from '../../src/peers/ticket.ts'
import type { ControlValue } from '../../src/ports/control.ts'
import { silentLog } from '../support/silent-log.ts'
import { unharmed } from './bad-input-support.ts'
import { rejection } from './daemon-support.ts'
import { startTestHost } from './exchange-support.ts'
import { accessOf, meeting, reasonOf, startTwo } from './pairing-support.ts'

/** A peer that speaks the control channel as it likes. */
async function startStranger(): Promise<
  { self: string; ask(to: DaemonProcess, body: ControlValue): Promise<ControlValue> } & AsyncDisposable
> {
  const host = await startTestHost()
  const control = new ControlChannel({ network: host, standing: STRANGERS, clock: systemClock, log: silentLog })
  return {
    self: host.self,
    ask: async (to, body) => {
      await host.connect(to.address)
      return await control.ask(to.ready.peerId, 'pair', body, {})
    },
    [Symbol.asyncDispose]: async () => {
      await host.stop()
    }
  }
}

describe('two daemons that never met', function () {
  this.timeout(120_000)
  it('have each other after an invitation and a join', async () => {
    await using two = await startTwo()
    const { a, b } = two
    const { ticket, qr } = await a.client.call('peers.invite', { name: 'Ben' })
    assert.match(ticket, /^kith:[a-z2-7]{100,400}$/)
    assert.equal(
      qr.split('\n').every(line => /^[█▀▄ ]{40,90}$/.test(line)),
      true,
      qr
    )
    const joined = await b.client.call('peers.join', { ticket })
    assert.deepEqual(joined, { did: a.ready.did, peerId: a.ready.peerId, via: 'direct', access: 5, granted: 80 })
    assert.deepEqual([await accessOf(a, b.ready.did), await accessOf(b, a.ready.did)], [8, 5])
    assert.equal((await a.client.call('trust.get', { did: b.ready.did })).name, 'Ben')
    const again = await b.client.call('peers.join', { ticket: ticket.toUpperCase() })
    assert.deepEqual([again.access, again.granted], [5, 80])
  })

  it('are told by a ticket that was used what of it still holds', async () => {
    await using two = await startTwo()
    const { a, b } = two
    const { ticket } = await a.client.call('peers.invite', {})
    const granted = async (): Promise<number | undefined> => (await b.client.call('peers.join', { ticket })).granted
    assert.equal(await granted(), 80)
    await a.client.call('trust.set', { did: b.ready.did, level: 100 })
    assert.equal(await granted(), 80, 'not more than the ticket says')
    await a.client.call('trust.set', { did: b.ready.did, level: 20 })
    assert.equal(await granted(), 20)
    await a.client.call('trust.revoke', { did: b.ready.did })
    assert.equal(await granted(), 0)
    assert.equal(await accessOf(a, b.ready.did), 0, 'what was taken back is not given again')
  })

  it('give each other the levels they say, never less than before, and what an own device has', async () => {
    await using two = await startTwo()
    const { a, b } = two
    const pair = async (invite: object, joining: object = {}): Promise<unknown> => {
      const { ticket } = await a.client.call('peers.invite', invite)
      await b.client.call('peers.join', { ticket, ...joining })
      return [await accessOf(a, b.ready.did), await accessOf(b, a.ready.did)]
    }
    assert.deepEqual(await pair({ level: 30 }, { level: 0 }), [3, 0])
    assert.deepEqual(await pair({ level: 20 }, { level: 60 }), [3, 6])
    assert.deepEqual(await pair({ level: 55 }), [5.5, 6])
    await assert.rejects(pair({}, { device: true }), /not for a device/)
    const { ticket } = await a.client.call('peers.invite', { device: true })
    assert.equal((await b.client.call('peers.join', { ticket, device: false })).device, 'offered')
    assert.deepEqual([await accessOf(a, b.ready.did), await accessOf(b, a.ready.did)], [10, 6], 'its maker does not choose for others')
    assert.equal((await b.client.call('peers.join', { ticket, device: true })).device, 'agreed')
    assert.deepEqual([await accessOf(a, b.ready.did), await accessOf(b, a.ready.did)], [10, 10])
    assert.deepEqual(await pair({ device: true }), [10, 10])
    assert.deepEqual(await pair({}, { level: 10 }), [10, 10])
  })

  it('still have each other after a restart, and find each other without being told', async () => {
    const home = await mkdtemp(join(tmpdir(), 'kith-pairing-'))
    try {
      await using b = await DaemonProcess.start()
      {
        await using a = await DaemonProcess.start({ home })
        const { ticket } = await a.client.call('peers.invite', {})
        await b.client.call('peers.join', { ticket })
        await a.kill('SIGKILL')
      }
      await using a = await DaemonProcess.start({ home })
      await meeting(a, b)
      assert.deepEqual([await accessOf(a, b.ready.did), await accessOf(b, a.ready.did)], [8, 5])
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })

  it('find each other again when one of them has moved to another port', async () => {
    const home = await mkdtemp(join(tmpdir(), 'kith-pairing-'))
    try {
      await using b = await DaemonProcess.start()
      {
        await using a = await DaemonProcess.start({ home })
        const { ticket } = await b.client.call('peers.invite', {})
        await a.client.call('peers.join', { ticket })
        assert.equal(await a.kill('SIGTERM'), 0)
      }
      await rm(join(home, 'state', 'ports.json'), { force: true })
      await using a = await DaemonProcess.start({ home })
      await meeting(a, b)
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })
})

describe('tickets that are worth nothing', () => {
  let two: Awaited<ReturnType<typeof startTwo>>
  before(async () => {
    two = await startTwo()
  })
  after(async () => {
    await two[Symbol.asyncDispose]()
  })

  it('get nothing: used, expired, taken back, mistyped, of nobody here, of the same node', async () => {
    const { a, b } = two
    await using c = await DaemonProcess.start()
    const { ticket: used } = await a.client.call('peers.invite', {})
    await c.client.call('peers.join', { ticket: used })
    const refused = async (ticket: string): Promise<unknown> =>
      reasonOf(await unharmed(b, async () => await b.client.call('peers.join', { ticket }), { code: ['UNAUTHORIZED', 'INVALID_PARAMS'] }))

    assert.deepEqual(await refused(used), ['UNAUTHORIZED', 'used'])
    const { ticket: late } = await a.client.call('peers.invite', { expires: '1ms' })
    await assert.doesNotReject(a.client.call('daemon.status', {}))
    assert.deepEqual(await refused(encodeTicket({ ...decodeTicket(late), expires: 1 })), ['UNAUTHORIZED', 'expired'])
    const { ticket: back } = await a.client.call('peers.invite', {})
    assert.deepEqual(await a.client.call('peers.uninvite', { ticket: back }), { revoked: true })
    assert.deepEqual(await refused(back), ['UNAUTHORIZED', 'revoked'])
    assert.deepEqual(await refused(`${back.slice(0, -1)}${back.endsWith('a') ? 'b' : 'a'}`), ['INVALID_PARAMS', 'mistyped'])
    const { ticket: good } = await a.client.call('peers.invite', {})
    const foreign = encodeTicket({ ...decodeTicket(good), secret: new Uint8Array(16) })
    assert.deepEqual(await refused(foreign), ['UNAUTHORIZED', 'unknown'])
    const { ticket: own } = await b.client.call('peers.invite', {})
    assert.deepEqual(await refused(own), ['INVALID_PARAMS', 'own'])
    assert.deepEqual([await accessOf(a, b.ready.did), await accessOf(b, a.ready.did)], [0, 0])
    assert.equal((await rejection(b.client.call('peers.join', { ticket: 'bafkqaaa' }))).code, 'INVALID_PARAMS')
    assert.equal((await rejection(a.client.call('peers.invite', { swarm: 'work' }))).data['code'], 'NOT_BUILT')
    assert.equal((await rejection(a.client.call('peers.invite', { expires: '1 fortnight' }))).code, 'INVALID_PARAMS')
  })

  it('whose maker is another node than they say lead to nobody', async () => {
    const { a, b } = two
    const { ticket } = await a.client.call('peers.invite', {})
    await using c = await DaemonProcess.start()
    const forged = encodeTicket({ ...decodeTicket(ticket), did: c.ready.did })
    assert.equal((await rejection(b.client.call('peers.join', { ticket: forged }))).code, 'UNAVAILABLE')
    assert.equal(await accessOf(b, c.ready.did), 0)
  })

  it('shown by somebody who only heard a proof get nothing, and too many of them are not looked at', async () => {
    const { a } = two
    await using thief = await startStranger()
    await using victim = await startStranger()
    const { ticket } = await a.client.call('peers.invite', { uses: 2 })
    const { id, key } = await ticketKey(decodeTicket(ticket).secret)
    const inviter = peerIdFromDid(a.ready.did)
    const heard = { id, proof: await prove(key, 'join', { joiner: victim.self, inviter }), addresses: [] }
    const answer = await victim.ask(a, heard)
    assert.ok(typeof answer === 'object' && answer !== null && 'proof' in answer)
    assert.deepEqual(await thief.ask(a, heard), { refused: 'unknown' })
    // What the maker of the ticket proves is no proof of a bearer, nor is one for another node.
    const echoed = { ...heard, proof: await prove(key, 'invite', { joiner: thief.self, inviter }) }
    assert.deepEqual(await thief.ask(a, echoed), { refused: 'unknown' })
    const elsewhere = { ...heard, proof: await prove(key, 'join', { joiner: thief.self, inviter: victim.self }) }
    assert.deepEqual(await thief.ask(a, elsewhere), { refused: 'unknown' })
    for (let guess = 3; guess < 10; guess++)
      assert.deepEqual(await thief.ask(a, { ...heard, id: new Uint8Array(16).fill(guess) }), { refused: 'unknown' })
    assert.equal((await rejection(thief.ask(a, echoed))).code, 'RATE_LIMITED')
    const right = { ...heard, proof: await prove(key, 'join', { joiner: thief.self, inviter }) }
    assert.equal((await rejection(thief.ask(a, right))).code, 'RATE_LIMITED')
    const { items } = await a.client.call('trust.list', {})
    assert.equal(
      items.some(({ did }) => peerIdFromDid(did) === thief.self),
      false
    )
  })

  it('in a form that is none are refused, and nothing comes of it', async () => {
    const { a } = two
    await using stranger = await startStranger()
    const { items: before } = await a.client.call('trust.list', {})
    for (const body of [
      null,
      7,
      [],
      {},
      { id: 'x', proof: 'y' },
      { id: new Uint8Array(16), proof: new Uint8Array(32), addresses: Array.from({ length: 9 }, () => 'x') }
    ])
      await unharmed(a, async () => await stranger.ask(a, body), { code: 'INVALID_PARAMS' })
    assert.deepEqual((await a.client.call('trust.list', {})).items, before)
  })
})

describe('an invitation', function () {
  this.timeout(150_000)
  it('survives kill -9, and its uses stay counted', async () => {
    const home = await mkdtemp(join(tmpdir(), 'kith-pairing-'))
    try {
      await using b = await DaemonProcess.start()
      await using c = await DaemonProcess.start()
      let ticket: string
      {
        await using a = await DaemonProcess.start({ home })
        ticket = (await a.client.call('peers.invite', { uses: 1, level: 40 })).ticket
        await a.kill('SIGKILL')
      }
      {
        await using a = await DaemonProcess.start({ home })
        await b.client.call('peers.join', { ticket })
        assert.equal(await accessOf(a, b.ready.did), 4)
        await a.kill('SIGKILL')
      }
      await using a = await DaemonProcess.start({ home })
      assert.equal(await accessOf(a, b.ready.did), 4)
      assert.deepEqual(reasonOf(await rejection(c.client.call('peers.join', { ticket }))), ['UNAUTHORIZED', 'used'])
      assert.equal(await accessOf(a, c.ready.did), 0)
      await a.client.call('trust.set', { did: b.ready.did, level: 0 })
      await b.client.call('peers.join', { ticket })
      assert.equal(await accessOf(a, b.ready.did), 0, 'coming again with a used ticket brings nothing back')
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })

  it('for two lets in two, and one at a time for one, however many come at once', async () => {
    await using a = await DaemonProcess.start()
    const strangers = await Promise.all(Array.from({ length: 5 }, startStranger))
    try {
      const { ticket } = await a.client.call('peers.invite', { uses: 2 })
      const { id, key } = await ticketKey(decodeTicket(ticket).secret)
      const answers = await Promise.all(
        strangers.map(async stranger => {
          const proof = await prove(key, 'join', { joiner: stranger.self, inviter: a.ready.peerId })
          return await stranger.ask(a, { id, proof, addresses: [] })
        })
      )
      const refused = answers.filter(answer => typeof answer === 'object' && answer !== null && 'refused' in answer)
      assert.deepEqual(
        refused,
        Array.from({ length: 3 }, () => ({ refused: 'used' }))
      )
      assert.equal((await a.client.call('trust.list', {})).items.length, 2)
    } finally {
      await Promise.all(strangers.map(async stranger => await stranger[Symbol.asyncDispose]()))
    }
  })
})
