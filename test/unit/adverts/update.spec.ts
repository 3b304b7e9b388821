/** News of public contents: judged strictly, told once, remembered only of trusted signers. */
import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { KnownPublic } from '../../../src/adverts/known-public.ts'
import { readUpdate, signUpdate, verifyUpdate, type PublicContent } from '../../../src/adverts/update.ts'
import { UpdateReceiver } from '../../../src/adverts/update-receiver.ts'
import { KithError } from '../../../src/errors.ts'
import { DAG_PB_CODEC, hex, rawCid } from '../../../src/model/content-id.ts'
import { EventBus } from '../../../src/observe/events.ts'
import { signJwt } from '../../../src/peers/jwt.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import type { GossipMessage, Validity } from '../../../src/ports/network.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'
import { digest, fakePeople, identity, silent, type FakePeople } from './support.ts'

const content = (n: number): PublicContent => ({ cid: rawCid(digest(n)), sha256: digest(n), size: n, contentType: 'text/plain' })
const large = (n: number): PublicContent => ({
  cid: CID.createV1(DAG_PB_CODEC, rawCid(digest(n)).multihash),
  sha256: digest(n + 1),
  size: n
})
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

let ana: Identity
let ben: Identity
let clock: VirtualClock
let people: FakePeople

before(async () => {
  ;[ana, ben] = [await identity(1), await identity(2)]
})
beforeEach(() => {
  clock = new VirtualClock()
  people = fakePeople()
})

async function forged(more: Record<string, unknown>): Promise<string> {
  const iat = Math.floor(clock.now() / 1000)
  const { cid, size } = content(1)
  const claims = { type: 'new-content', hash: hex(digest(1)), cid: cid.toString(), size, did: ana.did }
  return await signJwt({ ...claims, aud: 'kith/updates/1', iat, exp: iat + 600, ...more }, ana)
}

const FORGERIES: [what: string, claims: Record<string, unknown>][] = [
  ['names another audience', { aud: 'kith/adverts/1' }],
  ['names another DID', { did: 'did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp' }],
  ['has no address', { cid: undefined }],
  ['has an address that is none', { cid: '../../etc/passwd' }],
  ['has an address of version 0', { cid: 'QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n' }],
  ['has an address in other letters', { cid: rawCid(digest(1)).toString().toUpperCase() }],
  ['has a hash that is not that of its block', { hash: hex(digest(2)) }],
  ['has a hash of half the length', { hash: hex(digest(1)).slice(32) }],
  ['has a negative size', { size: -1 }],
  ['has a size that is a text', { size: '5' }],
  ['has a type with control characters', { contentType: 'text/\u001b[2J' }],
  ['has a type without end', { contentType: 'x'.repeat(300) }],
  ['lives for a day', { exp: 2_000_000_000 }]
]

describe('an update', () => {
  it('says of a content what was signed', async () => {
    const directory: PublicContent = { cid: content(2).cid, size: 0 }
    for (const one of [content(1), large(5), directory]) {
      const jwt = await signUpdate(one, ana, clock.now())
      const { cid, ...said } = (await verifyUpdate(jwt, clock.now())) ?? assert.fail()
      assert.deepEqual([cid.toString(), said], [one.cid.toString(), { ...said, did: ana.did, peerId: ana.peerId, size: one.size }])
      assert.deepEqual(said.sha256 === undefined ? undefined : hex(said.sha256), one.sha256 === undefined ? undefined : hex(one.sha256))
    }
  })

  for (const [what, claims] of FORGERIES) {
    it(`is refused when it ${what}`, async () => {
      await assert.rejects(verifyUpdate(await forged(claims), clock.now()), { code: 'INTEGRITY' })
    })
  }

  it('of a kind that is not known is none, and is no offence', async () => {
    assert.equal(await verifyUpdate(await forged({ type: 'old-content' }), clock.now()), null)
    assert.equal(readUpdate(await forged({ type: 5 }), clock.now()), null)
  })
})

describe('receiving updates', () => {
  let events: EventBus
  let connected: Set<string>
  let listeners: string[]
  let told: [peer: string, jwt: string][]
  let known: KnownPublic
  let receiver: UpdateReceiver

  beforeEach(() => {
    events = new EventBus({ clock })
    connected = new Set([ana.peerId, ben.peerId])
    listeners = []
    told = []
    known = new KnownPublic({ ...people, log: silent })
    receiver = new UpdateReceiver({
      ...people,
      clock,
      log: silent,
      events,
      self: 'self',
      known,
      isConnected: peer => connected.has(peer),
      listeners: () => listeners,
      tell: async (peer, jwt) => {
        told.push([peer, jwt])
        throw new Error('it does not listen')
      }
    })
  })

  const gossip = (from: Identity, jwt: string, via = from.peerId): GossipMessage => ({ from: from.peerId, via, data: bytesOf(jwt) })
  async function hear(from: Identity, jwt: string, via?: string): Promise<Validity> {
    const message = gossip(from, jwt, via)
    const validity = await receiver.validate(message)
    if (validity === 'accept') receiver.receive({ ...message, data: message.data.slice() })
    return validity
  }

  it('tells the apps of this node, once in ten minutes for each source', async () => {
    const jwt = await signUpdate(content(1), ana, clock.now())
    assert.equal(await hear(ana, jwt), 'accept')
    assert.equal(await hear(ana, await signUpdate(content(1), ana, clock.now() + 1000)), 'ignore')
    assert.equal(await hear(ben, await signUpdate(content(1), ben, clock.now())), 'accept')
    const [first, second] = events.since(0)
    assert.deepEqual(
      [first?.type, first?.['cid'], first?.['sha256'], first?.['size'], first?.['contentType'], first?.['did'], first?.['peerId']],
      ['content.available', content(1).cid.toString(), hex(digest(1)), 1, 'text/plain', ana.did, ana.peerId]
    )
    assert.deepEqual([second?.['did'], events.seq], [ben.did, 2])
    await clock.advance(600_000)
    assert.equal(await hear(ana, await signUpdate(content(1), ana, clock.now())), 'accept')
    assert.equal(events.seq, 3)
  })

  it('passes gossip on to direct peers, neither to its source nor to who passed it on', async () => {
    listeners = [ana.peerId, 'relay', 'shunned', 'one', 'two']
    people.shunned.add('shunned')
    const jwt = await signUpdate(content(1), ana, clock.now())
    await hear(ana, jwt, 'relay')
    await settle()
    assert.deepEqual(told, [
      ['one', jwt],
      ['two', jwt]
    ])
  })

  it('tells at most fifty a second', async () => {
    listeners = Array.from({ length: 80 }, (_, n) => `peer ${n}`)
    await hear(ana, await signUpdate(content(1), ana, clock.now()))
    assert.equal(told.length, 50)
    await clock.advance(1000)
    await hear(ana, await signUpdate(content(2), ana, clock.now()))
    assert.equal(told.length, 100)
  })

  it('takes what a direct peer tells, and passes it no further', async () => {
    connected.delete(ana.peerId)
    listeners = ['one']
    const jwt = await signUpdate(content(1), ana, clock.now())
    await receiver.told(ben.peerId, { jwt })
    assert.equal(events.seq, 0, 'its issuer is neither connected nor trusted')
    people.trust.set(ana.peerId, 0.1)
    await receiver.told(ben.peerId, { jwt })
    await receiver.told('another', { jwt })
    assert.deepEqual([events.seq, events.since(0)[0]?.['toldBy'], told], [1, ben.peerId, []])
    assert.equal(await hear(ana, jwt), 'ignore', 'it is known')
  })

  it('answers a peer that tells nonsense, and one that tells too much', async () => {
    for (const body of [
      null,
      5,
      'text',
      [],
      {},
      { jwt: 5 },
      { jwt: 'a.b.c' },
      { jwt: 'x'.repeat(5000) },
      { jwt: await forged({ size: -1 }) }
    ])
      await assert.rejects(
        receiver.told(ben.peerId, body),
        (error: unknown) => error instanceof KithError && error.code === 'INVALID_PARAMS'
      )
    const jwts = await Promise.all(Array.from({ length: 60 }, async (_, n) => await signUpdate(content(n), ana, clock.now())))
    const answers = await Promise.allSettled(jwts.map(async jwt => await receiver.told(ben.peerId, { jwt })))
    assert.deepEqual([answers.filter(({ status }) => status === 'fulfilled').length, events.seq], [50, 50])
  })

  it('takes nothing of strangers who are not connected, of who is shunned, and of itself', async () => {
    const jwt = await signUpdate(content(1), ana, clock.now())
    connected.clear()
    assert.equal(await hear(ana, jwt), 'ignore')
    people.trust.set(ana.peerId, 0.1)
    people.shunned.add(ana.peerId)
    assert.equal(await hear(ana, jwt), 'ignore')
    await receiver.told(ben.peerId, { jwt })
    assert.equal(events.seq, 0)
    people.shunned.clear()
    assert.equal(await hear(ana, jwt), 'accept')
  })

  it('rejects what every relay could see to be wrong, and charges its author', async () => {
    for (const [, claims] of FORGERIES) assert.equal(await hear(ana, await forged(claims)), 'reject')
    assert.equal(await hear(ben, await signUpdate(content(1), ana, clock.now())), 'reject')
    assert.equal(await hear(ana, 'x'.repeat(5000)), 'reject')
    const jwt = await signUpdate(content(1), ana, clock.now())
    assert.equal(await hear(ana, `${jwt.slice(0, -20)}${jwt.at(-20) === 'A' ? 'B' : 'A'}${jwt.slice(-19)}`), 'reject')
    assert.equal(people.reports.length, FORGERIES.length + 3)
    assert.ok(people.reports.every(([, offence]) => offence === 'bad-advert'))
    await clock.advance(700_000)
    assert.equal(await hear(ana, jwt), 'ignore', 'it has expired')
    assert.deepEqual([events.seq, people.reports.length], [0, FORGERIES.length + 3])
  })

  it('charges who floods, not whose messages were held back by a relay', async () => {
    const jwts = await Promise.all(Array.from({ length: 22 }, async (_, n) => await signUpdate(content(n), ana, clock.now())))
    for (const jwt of jwts) await hear(ana, jwt, ben.peerId)
    assert.deepEqual([events.seq, people.reports], [20, []])
    await hear(ana, jwts[21] ?? assert.fail())
    assert.deepEqual(people.reports, [[ana.peerId, 'flood']])
  })

  it('remembers as public what trusted peers signed, as long as they are trusted, also after a restart', async () => {
    people.access.set(ana.peerId, 5)
    await hear(ana, await signUpdate(large(1), ana, clock.now()))
    await hear(ben, await signUpdate(content(7), ben, clock.now()))
    const reopened = new KnownPublic({ ...people, log: silent })
    for (const one of [known, reopened]) {
      assert.equal(one.isKnownPublic(large(1).cid.multihash.bytes), true)
      assert.equal(one.isKnownPublic(rawCid(digest(2)).multihash.bytes), true, 'by its content hash')
      assert.deepEqual(one.rootsFor(digest(2)).map(String), [large(1).cid.toString()])
      assert.equal(one.isKnownPublic(content(7).cid.multihash.bytes), false, 'a stranger said so')
      assert.deepEqual(one.rootsFor(digest(7)), [])
    }
    people.access.clear()
    assert.equal(known.isKnownPublic(large(1).cid.multihash.bytes), false)
    assert.deepEqual(known.rootsFor(digest(2)), [])
  })

  it('forgets what a signer said when he is trusted no longer, and nothing of what another said of the same root', () => {
    for (const { peerId } of [ana, ben]) people.access.set(peerId, 5)
    const { cid, size } = content(1)
    known.add({ cid, size, sha256: digest(11), did: ana.did, peerId: ana.peerId })
    known.add({ cid, size, sha256: digest(12), did: ben.did, peerId: ben.peerId })
    const isPublic = (n: number): boolean => known.isKnownPublic(rawCid(digest(n)).multihash.bytes)
    assert.deepEqual([isPublic(11), isPublic(12)], [true, true])
    people.access.delete(ben.peerId)
    assert.deepEqual([isPublic(11), isPublic(12), known.isKnownPublic(cid.multihash.bytes)], [true, false, true])
    assert.deepEqual([known.rootsFor(digest(11)).length, known.rootsFor(digest(12)).length], [1, 0])
  })

  it('remembers a bounded number of them', () => {
    people.access.set(ana.peerId, 5)
    for (let n = 0; n < 10_050; n++) known.add({ ...content(n), did: ana.did, peerId: ana.peerId })
    assert.equal(people.state.table('public-updates', stored => stored).size, 10_000)
    assert.deepEqual(
      [49, 50].map(n => known.isKnownPublic(content(n).cid.multihash.bytes)),
      [false, true]
    )
    assert.deepEqual(known.rootsFor(digest(49)), [])
  })
})
