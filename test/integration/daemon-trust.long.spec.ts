/** Access and trust between real daemons: what survives, what is handed over, who is shut out, and what liars get. */
import assert from 'node:assert/strict'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { KithError } from '../../src/errors.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import { ControlChannel } from '../../src/peers/control.ts'
import { didFromPeerId } from '../../src/peers/did-key.ts'
import { STRANGERS } from '../../src/peers/strangers.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { identity } from '../unit/adverts/support.ts'
import { signJwt } from '../../src/peers/jwt.ts'
import { kith } from '../unit/cli/support.ts'
import { unharmed } from './bad-input-support.ts'
import { rejection, startPair, startWitness, until } from './daemon-support.ts'
import { addressOf, startTestHost } from './exchange-support.ts'
import { startHostilePeer } from './hostile-peer.ts'

const PERSON = 'did:web:ana.example'
/** Three daemons one after the other, on a machine that has other things to do. */
const DAEMONS_MS_MAX = 120_000

describe('a daemon that was lied to and killed', function () {
  this.timeout(DAEMONS_MS_MAX)
  it('still knows levels, blocks, names, offences and suspensions, and shows the liar last with the reason', async () => {
    await using directory = await temporaryDirectory()
    await using liar = await startHostilePeer()
    await using friend = await startWitness()
    const [truth, lie] = [new TextEncoder().encode('what was asked for'), new TextEncoder().encode('something else')]
    const cid = rawCid(sha256(truth))
    liar.put({ cid, bytes: lie })
    const [friendDid, liarDid] = [didFromPeerId(friend.host.self), didFromPeerId(liar.host.self)]
    {
      await using daemon = await DaemonProcess.start({ home: directory.path })
      for (const host of [liar.host, friend.host]) await daemon.client.call('peers.connect', { address: addressOf(host) })
      await daemon.client.call('trust.set', { did: friend.host.self, level: 20, name: 'Ben' })
      await daemon.client.call('trust.set', { did: liarDid, level: 60, name: 'Eve' })
      await daemon.client.call('trust.set', { did: PERSON, level: 80 })
      await daemon.client.call('trust.block', { did: PERSON })
      await unharmed(daemon, async () => await daemon.client.call('content.get', { content: cid.toString() }), { code: 'INTEGRITY' })
      const judged = await daemon.client.call('trust.get', { did: liarDid })
      assert.deepEqual([judged.level, judged.access, judged.offences], [60, 0, { 'wrong-bytes': 1 }])
      await daemon.kill('SIGKILL')
    }
    await using daemon = await DaemonProcess.start({ home: directory.path })
    const { items } = await daemon.client.call('trust.list', {})
    assert.deepEqual(Object.fromEntries(items.map(({ did, name, level, access, blocked }) => [did, { name, level, access, blocked }])), {
      [friendDid]: { name: 'Ben', level: 20, access: 2, blocked: false },
      [liarDid]: { name: 'Eve', level: 60, access: 0, blocked: false },
      [PERSON]: { name: undefined, level: 80, access: 0, blocked: true }
    })
    const peers = (await daemon.client.call('peers.list', {})).items
    assert.deepEqual(
      peers.map(({ did, name, connected, access, ledger, note }) => [
        did,
        name,
        connected,
        access,
        ledger['wrong-bytes'],
        note?.slice(0, 15)
      ]),
      [
        [friendDid, 'Ben', false, 2, undefined, undefined],
        [liarDid, 'Eve', false, 0, 1, 'suspended until']
      ]
    )
    const { stdout } = await kith(['peers'], { home: directory.path })
    assert.match(stdout.trimEnd().split('\n').at(-1) ?? '', /Eve .* suspended until \S+Z: it sent wrong bytes$/)
  })

  it('does not let the suspended come back before their time', async () => {
    await using directory = await temporaryDirectory()
    await using liar = await startHostilePeer()
    const cid = rawCid(sha256(new Uint8Array([1])))
    liar.put({ cid, bytes: new Uint8Array([2]) })
    await using daemon = await DaemonProcess.start({ home: directory.path })
    await daemon.client.call('trust.set', { did: liar.host.self, level: 60 })
    await liar.host.connect(daemon.address)
    const off = async (): Promise<boolean> => !(await daemon.client.call('peers.list', {})).items.some(({ connected }) => connected)
    await until(off, gone => !gone)
    assert.equal((await rejection(daemon.client.call('content.get', { content: cid.toString() }))).code, 'INTEGRITY')
    await until(off, gone => gone)
    await liar.host.connect(daemon.address).catch(() => {})
    await until(off, gone => gone)
  })
})

describe('a block', function () {
  this.timeout(DAEMONS_MS_MAX)
  it('closes the connection at once and keeps it closed, until it is taken back', async () => {
    await using pair = await startPair()
    const { a, b } = pair
    const list = async (): Promise<boolean> => (await a.client.call('peers.list', {})).items.some(({ connected }) => connected)
    const entry = await a.client.call('trust.block', { did: b.ready.peerId })
    assert.deepEqual([entry.did, entry.blocked, entry.access, await list()], [b.ready.did, true, 0, false])
    await b.client.call('peers.connect', { address: a.address }).catch(() => {})
    await until(list, connected => !connected)
    const refusal = await rejection(a.client.call('peers.connect', { address: b.address }))
    assert.deepEqual([refusal.code, /is not dialled: blocked/.test(refusal.message)], ['UNAVAILABLE', true])
    await a.client.call('trust.unblock', { did: b.ready.did })
    await until(
      async () => {
        await b.client.call('peers.connect', { address: a.address }).catch(() => {})
        return await list()
      },
      connected => connected
    )
  })
})

describe('the word of a peer', function () {
  this.timeout(DAEMONS_MS_MAX)
  it('arrives at once, gives trust and no access, and is taken back', async () => {
    await using pair = await startPair()
    const { a, b } = pair
    await a.client.call('trust.set', { did: b.ready.did, level: 90 })
    const said = await b.client.call('trust.assert', { did: PERSON, level: 80, to: [a.ready.peerId] })
    assert.deepEqual(said.delivery, { [a.ready.did]: 'delivered' })
    const heard = await a.client.call('trust.get', { did: PERSON })
    assert.deepEqual([heard.access, heard.effective, heard.paths], [0, 7.2, [{ through: [b.ready.did], trust: 7.2 }]])
    await b.client.call('trust.revoke', { did: PERSON })
    assert.equal((await a.client.call('trust.get', { did: PERSON })).effective, 0)
  })

  it('waits for who is away, over the death of the daemon that gave it', async () => {
    await using directory = await temporaryDirectory()
    await using a = await DaemonProcess.start()
    {
      await using b = await DaemonProcess.start({ home: directory.path })
      await a.client.call('trust.set', { did: b.ready.did, level: 90 })
      const said = await b.client.call('trust.assert', { did: PERSON, level: 50, to: [a.ready.did] })
      assert.deepEqual(said.delivery, { [a.ready.did]: 'queued' })
      await b.kill('SIGKILL')
    }
    await using b = await DaemonProcess.start({ home: directory.path })
    await b.client.call('peers.connect', { address: a.address })
    await until(
      async () => await a.client.call('trust.get', { did: PERSON }),
      ({ effective }) => effective === 4.5
    )
  })
})

describe('hostile words', function () {
  this.timeout(DAEMONS_MS_MAX)
  it('of a stranger, forged, about oneself or for another are refused with a code, and nothing of them stays', async () => {
    await using daemon = await DaemonProcess.start()
    const host = await startTestHost()
    try {
      const channel = new ControlChannel({ network: host, standing: STRANGERS, clock: systemClock, log: silentLog })
      await host.connect(daemon.address)
      const ask = async (jwt: string): Promise<unknown> =>
        await channel.ask(daemon.ready.peerId, 'assert', { jwt }, { signal: AbortSignal.timeout(10_000) })
      const other = await identity(7)
      const iat = Math.floor(Date.now() / 1000)
      const claims = { sub: PERSON, trustLevel: 100, context: '', aud: daemon.ready.did, iat, exp: iat + 1000 }
      await unharmed(daemon, async () => await ask(await signJwt(claims, other)), { code: 'UNAUTHORIZED' })
      await daemon.client.call('trust.set', { did: host.self, level: 90 })
      await unharmed(daemon, async () => await ask('x'.repeat(50_000)), { code: 'INVALID_PARAMS' })
      await unharmed(daemon, async () => await ask(await signJwt(claims, other)), { code: 'UNAUTHORIZED' })
      const { effective, paths } = await daemon.client.call('trust.get', { did: PERSON })
      assert.deepEqual([effective, paths], [0, []])
      const { access, effective: trust, offences } = await daemon.client.call('trust.get', { did: host.self })
      assert.deepEqual([access, trust, offences], [9, 8, { 'protocol-violation': 1 }])
    } finally {
      await host.stop()
    }
  })

  it('of the operator are refused too where they say nothing', async () => {
    await using daemon = await DaemonProcess.start()
    const calls: [method: string, params: object, message: RegExp][] = [
      ['trust.set', { did: 'did:key:alice', level: 5 }, /did:key:alice/],
      ['trust.set', { did: daemon.ready.did, level: 5 }, /this node itself/],
      ['trust.set', { did: PERSON, level: 101 }, /0 to 100/],
      ['trust.set', { did: PERSON, level: 7.5 }, /0 to 100/],
      ['trust.set', { did: PERSON }, /"level" is missing/],
      ['trust.get', { did: 'nobody' }, /nobody/],
      ['trust.assert', { did: PERSON }, /no level was set/],
      ['trust.assert', { did: PERSON, level: 5, to: ['did:web:ben.example'] }, /a person's DID/],
      ['trust.assert', { did: PERSON, level: 5, expires: '1s' }, /no time an assertion can last/],
      ['trust.assert', { did: PERSON, level: 5, expires: 'soon' }, /no time an assertion can last/],
      ['peers.list', { cursor: '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN' }, /begin again without it/]
    ]
    for (const [method, params, message] of calls) {
      const error = await rejection(daemon.client.request(method, params, {}))
      assert.ok(error instanceof KithError)
      assert.equal(error.code, 'INVALID_PARAMS', method)
      assert.match(error.message, message)
    }
    assert.deepEqual((await daemon.client.call('trust.list', {})).items, [])
  })
})
