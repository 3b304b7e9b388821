import assert from 'node:assert/strict'
import { encode } from 'cborg'
import fc from 'fast-check'
import { AdvertError, type Refusal } from '../../../src/adverts/advert-error.ts'
import { decodeAdvert, encodeAdvert, headDigest } from '../../../src/adverts/codec.ts'
import type { KnownSequence } from '../../../src/adverts/known-sequences.ts'
import { AdvertValidator, type AdvertOffence } from '../../../src/adverts/validate.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { advertOf, gossip, identity, type AdvertOptions } from './support.ts'

const MIB2 = 2 * 1024 * 1024
/** Work one hostile message may cost, signature check included; generous for a slow machine. Milliseconds of this thread. */
const JUDGEMENT_MS_MAX = 250

describe('advert validation', () => {
  let ana: Identity
  let ben: Identity
  let clock: VirtualClock
  let validator: AdvertValidator
  let offences: AdvertOffence[]
  let welcome: boolean
  let kept: boolean
  let known: Map<string, KnownSequence>

  before(async () => {
    ;[ana, ben] = [await identity(1), await identity(2)]
  })
  beforeEach(() => {
    clock = new VirtualClock()
    offences = []
    welcome = true
    kept = false
    known = new Map()
    validator = new AdvertValidator(
      {
        clock,
        known: peer => known.get(peer),
        isWelcome: () => welcome,
        isKept: () => kept,
        onOffence: (_peer, offence) => offences.push(offence)
      },
      { filterBytesMax: MIB2 }
    )
  })

  async function refused(refusal: Refusal, judged: Promise<unknown>): Promise<void> {
    await assert.rejects(judged, (error: unknown) => {
      assert.ok(error instanceof AdvertError, String(error))
      assert.equal(error.refusal, refusal, error.message)
      return true
    })
  }
  async function refusedWith(refusal: Refusal, options: AdvertOptions): Promise<void> {
    const { message } = await advertOf(ana, clock, options)
    await refused(refusal, validator.gossip(gossip(ana, message)))
  }

  it('accepts an advert with its filter, and a head alone', async () => {
    const { message, head } = await advertOf(ana, clock)
    const advert = await validator.gossip(gossip(ana, message))
    assert.equal(advert.head.did, ana.did)
    assert.equal(advert.filter?.count, 10)
    assert.equal((await validator.gossip(gossip(ana, head))).filter, null)
  })

  it('accepts of who is gone the goodbye to what is kept, and nothing else', async () => {
    welcome = false
    const { head: goodbye } = await advertOf(ana, clock, { claims: { goodbye: true, caps: undefined } })
    await refused('ignore', validator.gossip(gossip(ana, goodbye)))
    kept = true
    assert.equal((await validator.gossip(gossip(ana, goodbye))).head.caps, null)
    await refusedWith('ignore', {})
  })

  it('accepts a goodbye, and members it does not know', async () => {
    const { head } = await advertOf(ana, clock, { claims: { goodbye: true, caps: undefined } })
    assert.equal((await validator.gossip(gossip(ana, head))).head.caps, null)
    const { message } = await advertOf(ana, clock, { claims: { colour: 'red' }, caps: { colour: 'red' } })
    await validator.gossip(gossip(ana, message))
  })

  it('rejects what another than its issuer published', async () => {
    const { message } = await advertOf(ana, clock)
    await refused('reject', validator.gossip(gossip(ben, message)))
    await refused('reject', validator.gossip({ from: 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N', via: ana.peerId, data: message }))
  })

  const rejected: [what: string, options: AdvertOptions][] = [
    ['names another audience', { claims: { aud: 'kith/updates/1' } }],
    ['lives longer than a day', { claims: { exp: 4_000_000_000 } }],
    ['names another peer', { claims: { peerId: '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN' } }],
    ['has no sequence number', { claims: { seq: 'many' } }],
    ['has sequence number 0', { seq: 0 }],
    ['has no capabilities', { claims: { caps: undefined } }],
    ['has capabilities of another', { caps: { did: 'did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp' } }],
    ['has an unknown IPFS type', { caps: { ipfsNode: { enabled: true, type: 'magic' } } }],
    [
      'has seventeen swarm addresses',
      { caps: { ipfsNode: { enabled: true, type: 'kubo', swarmAddresses: Array.from({ length: 17 }, () => '/ip4/1.2.3.4/tcp/1') } } }
    ],
    ['has a long gateway', { caps: { ipfsNode: { enabled: true, type: 'kubo', publicGateway: 'x'.repeat(257) } } }],
    ['has a negative bandwidth', { caps: { bandwidthLimit: -1 } }],
    ['names another filter', { index: { digest: 'A'.repeat(43) } }],
    ['names another filter size', { index: { bytes: 1 } }],
    ['names another count', { index: { count: 11 } }],
    ['has a count that is no number', { index: { count: '10' } }],
    ['says goodbye and carries a filter', { claims: { goodbye: true } }],
    ['says goodbye by half', { claims: { goodbye: 'maybe' } }]
  ]
  for (const [what, options] of rejected) {
    it(`rejects an advert that ${what}, and charges its issuer`, async () => {
      await refusedWith('reject', options)
      assert.deepEqual(offences, ['bad-advert'])
    })
  }

  it('ignores a version it does not know', async () => {
    await refusedWith('ignore', { claims: { v: 2 } })
    assert.deepEqual(offences, [])
  })

  it('rejects a broken signature, a filter too large for gossip, and a message too large', async () => {
    const { jwt, filter } = await advertOf(ana, clock)
    const broken = `${jwt.slice(0, -20)}${jwt.at(-20) === 'A' ? 'B' : 'A'}${jwt.slice(-19)}`
    await refused('reject', validator.gossip(gossip(ana, encodeAdvert({ jwt: broken, filter }))))
    const large = await advertOf(ana, clock, { count: 9000 })
    assert.ok(large.filter.byteLength > 16 * 1024)
    await refused('reject', validator.gossip(gossip(ana, large.message)))
    await refused('reject', validator.gossip(gossip(ana, new Uint8Array(25 * 1024))))
  })

  it('ignores expired and future ones: clocks differ', async () => {
    const { head } = await advertOf(ana, clock)
    clock.jump(449_000)
    await validator.gossip(gossip(ana, head))
    clock.jump(1000)
    await refused('ignore', validator.gossip(gossip(ana, head)))
    clock.jump(-482_000)
    await refused('ignore', validator.gossip(gossip(ana, head)))
  })

  it('ignores issuers that are neither connected nor trusted', async () => {
    welcome = false
    await refusedWith('ignore', {})
  })

  it('ignores what is not newer, and names equivocation as an offence', async () => {
    const first = await advertOf(ana, clock, { seq: 100 })
    known.set(ana.peerId, { seq: 100, digest: headDigest(first.jwt) })
    await refused('ignore', validator.gossip(gossip(ana, first.message)))
    await refusedWith('ignore', { seq: 99 })
    assert.deepEqual(offences, [])
    await refusedWith('ignore', { seq: 100, count: 11 })
    assert.deepEqual(offences, ['equivocation'])
    const second = await advertOf(ana, clock, { seq: 100, count: 12 })
    const unsigned = `${second.jwt.slice(0, -20)}${second.jwt.at(-20) === 'A' ? 'B' : 'A'}${second.jwt.slice(-19)}`
    await refused('reject', validator.gossip(gossip(ana, encodeAdvert({ jwt: unsigned }))))
    assert.deepEqual(offences, ['equivocation', 'bad-advert'])
    await validator.gossip(gossip(ana, (await advertOf(ana, clock, { seq: 101 })).message))
  })

  it('ignores an issuer beyond its rate, before looking at signatures, and recovers with time', async () => {
    const { head } = await advertOf(ana, clock)
    for (let i = 0; i < 10; i++) await validator.gossip(gossip(ana, head))
    await refused('ignore', validator.gossip(gossip(ana, head)))
    assert.deepEqual(offences, ['flood'])
    await refused('ignore', validator.gossip({ from: ana.peerId, via: ben.peerId, data: head }))
    assert.deepEqual(offences, ['flood'], 'a relay may have held them back')
    await clock.advance(1000)
    await validator.gossip(gossip(ana, head))
  })

  it('takes a pulled body for a head that is known, not an older one', async () => {
    const { jwt, message, head } = await advertOf(ana, clock, { seq: 100 })
    known.set(ana.peerId, { seq: 100, digest: headDigest(jwt) })
    assert.equal((await validator.pulled(ana.peerId, message)).filter?.count, 10)
    known.set(ana.peerId, { seq: 101, digest: 'another' })
    await refused('ignore', validator.pulled(ana.peerId, message))
    known.clear()
    await refused('reject', validator.pulled(ana.peerId, head))
    await refused('reject', validator.pulled(ben.peerId, message))
  })

  it('rejects CBOR that is not in the strict form', () => {
    const bad = [
      new Uint8Array(),
      Uint8Array.of(0xff),
      encode([]),
      encode(null),
      encode({}),
      encode({ jwt: 5 }),
      encode({ jwt: 'x'.repeat(9000) }),
      encode({ jwt: 'a', filter: 'b' }),
      new Uint8Array(20_000).fill(0x81),
      Uint8Array.of(0x9b, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
    ]
    for (const bytes of bad) assert.throws(() => decodeAdvert(bytes, MIB2), AdvertError)
    assert.throws(() => decodeAdvert(Uint8Array.from([...encode({ jwt: 'a' }), 0]), MIB2), AdvertError)
    assert.deepEqual(decodeAdvert(encodeAdvert({ jwt: 'a', filter: Uint8Array.of(1) }), MIB2), { jwt: 'a', filter: Uint8Array.of(1) })
  })

  it('answers every message with a judgement and nothing else, and quickly', async () => {
    const { message } = await advertOf(ana, clock)
    const spoiled = fc.array(fc.tuple(fc.nat(message.length - 1), fc.nat(255)), { maxLength: 5 }).map(edits => {
      const bytes = message.slice()
      for (const [at, value] of edits) bytes[at] = value
      return bytes
    })
    const shaped = fc
      .record({ jwt: fc.oneof(fc.string(), fc.constant('e30.e30.AA')), filter: fc.uint8Array({ maxLength: 200 }) })
      .map(value => encode(value))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 2000 }), spoiled, shaped), async data => {
        await clock.advance(1000)
        const start = process.threadCpuUsage()
        for (const judge of [async () => await validator.gossip(gossip(ana, data)), async () => await validator.pulled(ana.peerId, data)]) {
          try {
            await judge()
          } catch (error) {
            assert.ok(error instanceof AdvertError)
          }
        }
        const { user, system } = process.threadCpuUsage(start)
        assert.ok((user + system) / 1000 < JUDGEMENT_MS_MAX)
      }),
      { numRuns: 200 }
    )
  })
})
