import assert from 'node:assert/strict'
import { AdvertDirectory } from '../../../src/adverts/directory.ts'
import { EventBus } from '../../../src/observe/events.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import type { Validity } from '../../../src/ports/network.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { advertOf, digest, fakePeople, gossip, identity, root, silent, type AdvertOptions, type FakePeople } from './support.ts'

describe('advert directory', () => {
  let ana: Identity
  let ben: Identity
  let self: Identity
  let clock: VirtualClock
  let directory: AdvertDirectory
  let events: EventBus
  let connected: Set<string>
  let pulls: string[]
  let answer: (peer: string) => Promise<Uint8Array | null>
  let people: FakePeople

  before(async () => {
    ;[ana, ben, self] = [await identity(1), await identity(2), await identity(3)]
  })
  beforeEach(() => {
    clock = new VirtualClock()
    events = new EventBus({ clock })
    connected = new Set([ana.peerId, ben.peerId])
    pulls = []
    answer = async () => null
    people = fakePeople()
    directory = open()
  })
  afterEach(async () => {
    await directory.close()
    assert.equal(clock.pending, 0)
  })

  function open(): AdvertDirectory {
    const pull = async (peer: string): Promise<Uint8Array | null> => {
      pulls.push(peer)
      return await answer(peer)
    }
    return new AdvertDirectory(
      { ...people, clock, log: silent, events, self: self.peerId, pull, isConnected: peer => connected.has(peer) },
      { maxBytes: 2 * 1024 * 1024 }
    )
  }
  async function hear(node: Identity, data: Uint8Array): Promise<Validity> {
    const validity = await directory.validate(gossip(node, data))
    if (validity === 'accept') directory.receive(gossip(node, data.slice()))
    return validity
  }
  const claims = (n: number): string => directory.claimsOn({ multihash: root(n), sha256: digest(n) }).of(ana.peerId)
  const head = async (options: AdvertOptions): Promise<Uint8Array> => (await advertOf(ana, clock, options)).head

  it('knows from gossip what a peer has, by root and by content hash', async () => {
    assert.equal(claims(1), 'unknown')
    assert.equal(await hear(ana, (await advertOf(ana, clock)).message), 'accept')
    assert.equal(claims(1), 'yes')
    assert.equal(directory.claimsOn({ sha256: digest(2) }).of(ana.peerId), 'yes')
    assert.equal(directory.claimsOn({ multihash: root(3) }).of(ana.peerId), 'yes')
    assert.equal(claims(1000), 'no')
    assert.equal(directory.claimsOn({ sha256: digest(2) }).of(ben.peerId), 'unknown')
    assert.equal(directory.claimsOn({}).of(ana.peerId), 'unknown')
    assert.deepEqual(pulls, [])
  })

  it('takes a no for unknown when the advert was truncated', async () => {
    await hear(ana, (await advertOf(ana, clock, { index: { truncated: true } })).message)
    assert.equal(claims(1), 'yes')
    assert.equal(claims(1000), 'unknown')
  })

  it('lists what it holds and tells that an advert came', async () => {
    const { message, seq } = await advertOf(ana, clock)
    await hear(ana, message)
    const [info] = directory.list()
    assert.deepEqual(info, {
      did: ana.did,
      peerId: ana.peerId,
      seq,
      issuedAt: '2026-01-01T00:00:00.000Z',
      expires: '2026-01-01T00:07:00.000Z',
      count: 10,
      truncated: false,
      ipfsNode: { enabled: true, type: 'helia' }
    })
    const [event] = events.since(0)
    assert.deepEqual(
      [event?.type, event?.['peerId'], event?.['did'], event?.['advertSeq'], event?.['count']],
      ['advert.received', ana.peerId, ana.did, seq, 10]
    )
    assert.deepEqual(directory.ipfsOf(ana.peerId), { enabled: true, type: 'helia' })
    await clock.advance(5000)
    assert.deepEqual(directory.summary(ana.peerId), { seq, ageSeconds: 5, count: 10, precision: null })
  })

  it('keeps the filter when a heartbeat names the same one', async () => {
    await hear(ana, (await advertOf(ana, clock, { seq: 1 })).message)
    await clock.advance(300_000)
    await hear(ana, await head({ seq: 2 }))
    await clock.advance(300_000)
    assert.equal(claims(1), 'yes')
    assert.equal(claims(1000), 'no')
    assert.deepEqual(pulls, [])
    assert.equal(directory.list()[0]?.seq, 2)
  })

  it('pulls the body once when a head names a new one, and until then takes an old no for unknown', async () => {
    await hear(ana, (await advertOf(ana, clock, { seq: 1 })).message)
    const next = await advertOf(ana, clock, { seq: 2, count: 2000 })
    const gate = Promise.withResolvers<Uint8Array | null>()
    answer = async () => await gate.promise
    await hear(ana, next.head)
    assert.equal(claims(1), 'yes')
    assert.equal(claims(1500), 'unknown')
    gate.resolve(next.message)
    await directory.idle()
    assert.equal(claims(1500), 'yes')
    assert.equal(claims(5000), 'no')
    assert.deepEqual(pulls, [ana.peerId])
    assert.deepEqual(
      events.since(0).map(event => event['advertSeq']),
      [1, 2]
    )
  })

  it('runs one pull a peer at a time, with a pause between two', async () => {
    const gate = Promise.withResolvers<Uint8Array | null>()
    answer = async () => await gate.promise
    await hear(ana, await head({ seq: 1, salt: 1 }))
    await hear(ana, await head({ seq: 2, salt: 2 }))
    directory.onConnected(ana.peerId)
    assert.equal(pulls.length, 1)
    gate.resolve(null)
    await directory.idle()
    await clock.advance(4999)
    assert.equal(pulls.length, 1)
    await clock.advance(1)
    assert.equal(pulls.length, 2)
  })

  it('makes one refused pull good, and then leaves the peer alone', async () => {
    const { message } = await advertOf(ana, clock)
    answer = async () => {
      if (pulls.length === 1) throw new Error('not yet')
      return message
    }
    directory.onConnected(ana.peerId)
    await clock.advance(5000)
    await directory.idle()
    assert.deepEqual([claims(1), pulls.length], ['yes', 2])
    answer = async () => {
      throw new Error('never')
    }
    directory.onConnected(ben.peerId)
    await clock.advance(60_000)
    assert.equal(pulls.filter(peer => peer === ben.peerId).length, 2)
  })

  it('gives up a pull that hangs', async () => {
    answer = async () => await new Promise<never>(() => {})
    directory.onConnected(ana.peerId)
    await clock.advance(30_000)
    await directory.idle()
    assert.equal(clock.pending, 0)
  })

  it('pulls on connect, and a second copy by gossip changes nothing', async () => {
    const { message } = await advertOf(ana, clock)
    answer = async () => message
    directory.onConnected(ana.peerId)
    await directory.idle()
    assert.equal(claims(1), 'yes')
    assert.equal(await hear(ana, message), 'ignore')
    assert.equal(events.seq, 1)
  })

  it("is not fooled by a body that is not the peer's, not the one signed, or older", async () => {
    const old = await advertOf(ana, clock, { seq: 1 })
    await hear(ana, (await advertOf(ana, clock, { seq: 2, count: 5, salt: 2 })).message)
    for (const { message } of [
      old,
      await advertOf(ben, clock, { seq: 9 }),
      await advertOf(ana, clock, { seq: 9, index: { digest: 'A'.repeat(43) } })
    ]) {
      answer = async () => message
      directory.onConnected(ana.peerId)
      await directory.idle()
      await clock.advance(5000)
      assert.equal(directory.list()[0]?.seq, 2)
    }
    assert.equal(pulls.length, 3)
  })

  it('pulls nothing from a peer that is not connected, and takes no advert of it', async () => {
    const data = await head({})
    connected.clear()
    assert.equal(await hear(ana, data), 'ignore')
    assert.deepEqual(pulls, [])
  })

  it('passes on and keeps the adverts of a trusted peer that is not connected', async () => {
    connected.clear()
    people.trust.set(ana.peerId, 0.5)
    assert.equal(await hear(ana, (await advertOf(ana, clock)).message), 'accept')
    assert.equal(claims(1), 'yes')
    assert.equal(await hear(ben, (await advertOf(ben, clock)).message), 'ignore')
  })

  it('takes nothing from a peer it shuns, connected or not, and forgets what that said before', async () => {
    await hear(ana, (await advertOf(ana, clock, { seq: 1 })).message)
    assert.equal(claims(1), 'yes')
    people.shunned.add(ana.peerId)
    directory.onStanding(ana.peerId)
    assert.equal(claims(1), 'unknown')
    assert.equal(await hear(ana, (await advertOf(ana, clock, { seq: 2 })).message), 'ignore')
    assert.deepEqual([directory.list(), people.reports], [[], []])
  })

  it('forgets an advert when it expires', async () => {
    await hear(ana, (await advertOf(ana, clock)).message)
    await clock.advance(449_000)
    assert.equal(claims(1), 'yes')
    await clock.advance(1000)
    assert.equal(claims(1), 'unknown')
    assert.deepEqual(directory.list(), [])
    assert.equal(directory.summary(ana.peerId), undefined)
  })

  it('drops an advert on goodbye, and no replay brings it back', async () => {
    const first = await advertOf(ana, clock, { seq: 1 })
    await hear(ana, first.message)
    assert.equal(await hear(ana, await head({ seq: 3, claims: { goodbye: true, caps: undefined } })), 'accept')
    assert.deepEqual(directory.list(), [])
    assert.equal(await hear(ana, first.message), 'ignore')
    assert.equal(await hear(ana, (await advertOf(ana, clock, { seq: 2 })).message), 'ignore')
    assert.equal(claims(1), 'unknown')
    await hear(ana, (await advertOf(ana, clock, { seq: 4 })).message)
    assert.equal(claims(1), 'yes')
  })

  it('passes over its own advert and what it never validated', async () => {
    const own = await advertOf(self, clock)
    assert.equal(await directory.validate(gossip(self, own.message)), 'ignore')
    directory.receive(gossip(ana, (await advertOf(ana, clock)).message))
    assert.deepEqual(directory.list(), [])
  })
})
