/** What the directory makes of peers that misbehave, and what of it survives a restart. */
import assert from 'node:assert/strict'
import { AdvertDirectory } from '../../../src/adverts/directory.ts'
import { KnownSequences } from '../../../src/adverts/known-sequences.ts'
import { EventBus } from '../../../src/observe/events.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import type { Validity } from '../../../src/ports/network.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { advertOf, digest, fakePeople, gossip, identity, root, silent, type AdvertOptions, type FakePeople } from './support.ts'

describe('advert directory and standing', () => {
  let ana: Identity
  let ben: Identity
  let clock: VirtualClock
  let people: FakePeople
  let directory: AdvertDirectory
  let connected: Set<string>
  let answer: () => Promise<Uint8Array | null>

  before(async () => {
    ;[ana, ben] = [await identity(1), await identity(2)]
  })
  beforeEach(() => {
    clock = new VirtualClock()
    connected = new Set([ana.peerId, ben.peerId])
    answer = async () => null
    people = fakePeople()
    directory = open()
  })
  afterEach(async () => {
    await directory.close()
    assert.equal(clock.pending, 0)
  })

  function open(maxBytes = 2 * 1024 * 1024): AdvertDirectory {
    const events = new EventBus({ clock })
    return new AdvertDirectory(
      { ...people, clock, log: silent, events, self: 'self', pull: async () => await answer(), isConnected: peer => connected.has(peer) },
      { maxBytes }
    )
  }
  async function hear(node: Identity, data: Uint8Array): Promise<Validity> {
    const validity = await directory.validate(gossip(node, data))
    if (validity === 'accept') directory.receive(gossip(node, data))
    return validity
  }
  const claims = (n: number): string => directory.claimsOn({ multihash: root(n), sha256: digest(n) }).of(ana.peerId)
  const head = async (options: AdvertOptions): Promise<Uint8Array> => (await advertOf(ana, clock, options)).head

  it('knows after a restart which adverts are old, and takes the newest one again', async () => {
    const old = await advertOf(ana, clock, { seq: 1 })
    const newest = await advertOf(ana, clock, { seq: 2 })
    await hear(ana, old.message)
    await hear(ana, newest.message)
    await directory.close()
    directory = open()
    assert.equal(await hear(ana, old.message), 'ignore')
    assert.equal(await hear(ana, newest.message), 'ignore')
    answer = async () => newest.message
    directory.onConnected(ana.peerId)
    await directory.idle()
    assert.equal(claims(1), 'yes')
    assert.deepEqual(people.reports, [])
  })

  it('knows after a restart who has left, and who signed two adverts with one number', async () => {
    await hear(ana, await head({ seq: 3, claims: { goodbye: true, caps: undefined } }))
    await directory.close()
    directory = open()
    assert.equal(await hear(ana, (await advertOf(ana, clock, { seq: 2 })).message), 'ignore')
    assert.deepEqual(people.reports, [])
    assert.equal(await hear(ana, (await advertOf(ana, clock, { seq: 3 })).message), 'ignore')
    assert.deepEqual(people.reports, [[ana.peerId, 'equivocation']])
  })

  it('remembers the numbers of as many issuers as it may, the latest ones', () => {
    const known = new KnownSequences({ state: people.state, clock, log: silent })
    for (let n = 0; n < 8200; n++) known.set(`peer ${n}`, { seq: n + 1, digest: 'd' })
    const reopened = new KnownSequences({ state: people.state, clock, log: silent })
    assert.equal(people.state.table('advert-seq', stored => stored).size, 8192)
    assert.deepEqual([reopened.get('peer 7'), reopened.get('peer 8')?.seq, reopened.get('peer 8199')?.seq], [undefined, 9, 8200])
  })

  it('reports what an issuer signed wrongly, also when it came by the exchange', async () => {
    const wrong = await advertOf(ana, clock, { caps: { bandwidthLimit: -1 } })
    assert.equal(await hear(ana, wrong.message), 'reject')
    answer = async () => wrong.message
    directory.onConnected(ana.peerId)
    await directory.idle()
    connected.delete(ben.peerId)
    assert.equal(await hear(ben, new Uint8Array(5)), 'reject')
    assert.deepEqual(people.reports, [
      [ana.peerId, 'bad-advert'],
      [ana.peerId, 'bad-advert']
    ])
  })

  it('blames nobody for a filter that is only larger than this node takes', async () => {
    const small = open(20_000)
    const { message } = await advertOf(ana, clock, { count: 20_000 })
    answer = async () => message
    small.onConnected(ana.peerId)
    await small.idle()
    assert.deepEqual([small.list(), people.reports], [[], []])
    await small.close()
  })

  it('shows the measured precision of a peer', async () => {
    await hear(ana, (await advertOf(ana, clock)).message)
    assert.equal(directory.summary(ana.peerId)?.precision, null)
    for (const hit of [true, true, true, false]) people.estimates.observeClaim(ana.peerId, hit)
    assert.equal(directory.summary(ana.peerId)?.precision, 0.75)
  })

  it('believes a peer no longer, for an hour, whose yes is wrong far more often than its filter explains', async () => {
    await hear(ana, (await advertOf(ana, clock, { claims: { exp: Math.floor(clock.now() / 1000) + 86_400 } })).message)
    for (let n = 0; n < 29; n++) people.estimates.observeClaim(ana.peerId, false)
    assert.equal(claims(1), 'yes')
    people.estimates.observeClaim(ana.peerId, false)
    assert.equal(claims(1), 'unknown')
    assert.deepEqual(people.reports, [[ana.peerId, 'false-claims']])
    await clock.advance(3_599_999)
    assert.deepEqual([claims(1), claims(1000)], ['unknown', 'unknown'])
    await clock.advance(1)
    assert.deepEqual([claims(1), claims(1000)], ['yes', 'no'])
    assert.equal(people.reports.length, 1)
  })

  it('does not mistake chance and staleness for lies', async () => {
    await hear(ana, (await advertOf(ana, clock)).message)
    // A hundred thousand look-ups of what it lacks, at one false yes in ten thousand, and one answer in ten come too late.
    for (let n = 0; n < 100_000; n++) directory.claimsOn({ sha256: digest(n + 1000) }).of(ana.peerId)
    for (let n = 0; n < 200; n++) people.estimates.observeClaim(ana.peerId, n % 10 !== 0)
    for (let n = 0; n < 20; n++) people.estimates.observeClaim(ana.peerId, false)
    assert.equal(claims(1), 'yes')
    assert.deepEqual(people.reports, [])
  })
})
