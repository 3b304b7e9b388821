import assert from 'node:assert/strict'
import { decodeAdvert } from '../../../src/adverts/codec.ts'
import { decodeFilter } from '../../../src/adverts/filter-codec.ts'
import type { AdvertisedRoot } from '../../../src/adverts/maker.ts'
import { AdvertPublisher, type AdvertPublisherInit } from '../../../src/adverts/publisher.ts'
import { AdvertValidator } from '../../../src/adverts/validate.ts'
import { readUnverifiedJwt } from '../../../src/peers/jwt.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'
import { countingRandom, digest, identity, roots, silent } from './support.ts'

const MIB2 = 2 * 1024 * 1024
const INIT: AdvertPublisherInit = {
  interval: 30_000,
  heartbeat: 300_000,
  grace: 120_000,
  falsePositiveRate: 0.001,
  maxBytes: MIB2,
  caps: () => ({ ipfsNode: { enabled: true, type: 'helia' } })
}
/** The heartbeat with `countingRandom`, whose numbers are 0.5. */
const BEAT = 270_000

describe('advert publisher', () => {
  let node: Identity
  let clock: VirtualClock
  let content: () => Iterable<AdvertisedRoot>
  let sent: Uint8Array[]
  /** What was saved and sent, in order. */
  let order: string[]
  let saved: number[]
  let publisher: AdvertPublisher
  let send: () => Promise<void>

  before(async () => {
    node = await identity(1)
  })
  beforeEach(() => {
    clock = new VirtualClock()
    content = () => roots(10)
    sent = []
    order = []
    saved = []
    send = async () => {}
    publisher = make()
  })
  afterEach(async () => {
    send = async () => {}
    await publisher.stop()
    assert.equal(clock.pending, 0)
  })

  function make(init: Partial<AdvertPublisherInit> = {}, last?: number): AdvertPublisher {
    return new AdvertPublisher(
      {
        identity: node,
        clock,
        random: countingRandom(),
        log: silent,
        roots: () => content(),
        publish: async (topic, data) => {
          assert.equal(topic, 'kith/adverts/1')
          order.push('send')
          sent.push(data)
          await send()
        },
        seqStore: {
          load: () => last,
          save: async seq => {
            order.push('save')
            saved.push(seq)
          }
        }
      },
      { ...INIT, ...init }
    )
  }
  function read(data: Uint8Array | null | undefined) {
    assert.ok(data !== undefined && data !== null)
    const { jwt, filter } = decodeAdvert(data, MIB2)
    return { claims: readUnverifiedJwt(jwt, 8192), filter: filter === undefined ? null : decodeFilter(filter, MIB2) }
  }

  it('has its advert ready at start, valid to others, and gossips nothing yet', async () => {
    assert.equal(publisher.current(), null)
    await publisher.start()
    assert.equal(sent.length, 0)
    const current = publisher.current()
    assert.ok(current !== null)
    const validator = new AdvertValidator(
      { clock, known: () => undefined, isWelcome: () => true, isKept: () => false, onOffence: () => assert.fail() },
      { filterBytesMax: MIB2 }
    )
    const { head, filter } = await validator.pulled(node.peerId, current)
    assert.ok(roots(10).every(({ sha256 }) => filter?.has(sha256) === true))
    assert.equal(filter?.count, 10)
    assert.equal(head.expires - head.issuedAt, 420)
    assert.equal(publisher.info()?.count, 10)
  })

  it('publishes a change 2 s after it has settled', async () => {
    await publisher.start()
    content = () => roots(11)
    publisher.changed()
    await clock.advance(1500)
    publisher.changed()
    await clock.advance(1999)
    assert.equal(sent.length, 0)
    await clock.advance(1)
    assert.equal(read(sent[0]).filter?.count, 11)
    assert.deepEqual(sent[0], publisher.current())
  })

  it('publishes at most once an interval, and then what holds at that moment', async () => {
    await publisher.start()
    publisher.changed()
    await clock.advance(2000)
    content = () => roots(12)
    publisher.changed()
    await clock.advance(29_999)
    assert.equal(sent.length, 1)
    content = () => roots(13)
    publisher.changed()
    await clock.advance(2000)
    assert.equal(sent.length, 2)
    assert.equal(read(sent[1]).filter?.count, 13)
    await clock.advance(60_000)
    assert.equal(sent.length, 2)
  })

  it('publishes also when it never settles', async () => {
    await publisher.start()
    for (let i = 0; i < 31; i++) {
      publisher.changed()
      await clock.advance(1000)
    }
    assert.equal(sent.length, 1)
  })

  it('sends the head alone as a heartbeat, a little early, while nothing changes', async () => {
    await publisher.start()
    await clock.advance(BEAT - 1)
    assert.equal(sent.length, 0)
    await clock.advance(1)
    assert.equal(read(sent[0]).filter, null)
    const renewed = read(publisher.current())
    assert.deepEqual(renewed.claims, read(sent[0]).claims)
    assert.equal(renewed.filter?.count, 10)
    await clock.advance(BEAT)
    assert.equal(sent.length, 2)
  })

  it('sends the head alone when the filter is too large for gossip', async () => {
    content = () => roots(8000)
    await publisher.start()
    publisher.changed()
    await clock.advance(2000)
    assert.equal(read(sent[0]).filter, null)
    assert.equal(read(publisher.current()).filter?.count, 8000)
  })

  it('has no heartbeat when it is off', async () => {
    publisher = make({ heartbeat: 0 })
    await publisher.start()
    await clock.advance(86_400_000)
    assert.equal(sent.length, 0)
  })

  it('stores each sequence number before it is used, and never uses one twice', async () => {
    publisher = make({}, clock.now() + 5000)
    await publisher.start()
    assert.deepEqual(saved, [clock.now() + 5001])
    publisher.changed()
    await clock.advance(2000)
    await clock.advance(BEAT)
    assert.deepEqual(order, ['save', 'save', 'send', 'save', 'send'])
    assert.deepEqual(
      saved.toSorted((a, b) => a - b),
      saved
    )
    assert.equal(new Set(saved).size, 3)
    assert.equal(read(sent[1]).claims['seq'], saved[2])
  })

  it('publishes nothing from an interrupted scan, keeps the last advert, and tries again', async () => {
    await publisher.start()
    const before = publisher.current()
    content = function* () {
      yield* roots(3)
      throw new Error('the store was closed')
    }
    publisher.changed()
    await clock.advance(2000)
    assert.equal(sent.length, 0)
    assert.deepEqual(publisher.current(), before)
    content = () => roots(14)
    await clock.advance(30_000)
    assert.equal(read(sent[0]).filter?.count, 14)
  })

  it('comes up without an advert when the first scan fails, and has one soon after', async () => {
    content = () => {
      throw new Error('not yet')
    }
    await publisher.start()
    assert.equal(publisher.current(), null)
    content = () => roots(2)
    await clock.advance(2000)
    assert.equal(read(publisher.current()).filter?.count, 2)
  })

  it('takes a small file for one element and a large one for two', async () => {
    content = () => [
      { root: roots(1)[0]?.root ?? new Uint8Array(), sha256: digest(0) },
      { root: roots(2)[1]?.root ?? new Uint8Array(), sha256: digest(99) }
    ]
    await publisher.start()
    assert.equal(publisher.info()?.count, 3)
  })

  it('says when not all fitted', async () => {
    publisher = make({ maxBytes: 1024 })
    content = () => roots(2000)
    await publisher.start()
    assert.equal(publisher.info()?.truncated, true)
  })

  it('says goodbye with a higher number, then has no advert', async () => {
    await publisher.start()
    const last = publisher.info()?.seq ?? 0
    await publisher.stop()
    const { claims, filter } = read(sent[0])
    assert.equal(claims['goodbye'], true)
    assert.equal(claims['caps'], undefined)
    assert.ok(Number(claims['seq']) > last)
    assert.equal(filter, null)
    assert.equal(publisher.current(), null)
    publisher.changed()
    await publisher.stop()
    assert.equal(sent.length, 1)
  })

  it('does not let a publish that hangs hold up the next, or the stop', async () => {
    await publisher.start()
    send = async () => await new Promise<never>(() => {})
    publisher.changed()
    await clock.advance(2000)
    await clock.advance(5000)
    publisher.changed()
    await clock.advance(30_000)
    assert.equal(sent.length, 2)
    const stopped = publisher.stop()
    await settle()
    await clock.advance(1000)
    await stopped
    await clock.advance(10_000)
  })

  it('goes on when nobody can be reached', async () => {
    await publisher.start()
    send = async () => {
      throw new Error('no peers')
    }
    publisher.changed()
    await clock.advance(2000)
    publisher.changed()
    await clock.advance(30_000)
    assert.equal(sent.length, 2)
  })

  it('knows its own adverts, and those of its earlier runs, from those of a second node with its key', async () => {
    await publisher.start()
    const own = publisher.current()
    assert.ok(own !== null)
    assert.equal(publisher.isForeign(own), false)
    await clock.advance(10)
    const twin = make()
    await twin.start()
    assert.equal(publisher.isForeign(twin.current() ?? assert.fail()), true)
    const later = make({}, saved.at(-1))
    await later.start()
    assert.equal(later.isForeign(twin.current() ?? assert.fail()), false)
    assert.equal(later.isForeign(new Uint8Array(5)), false)
    await Promise.all([twin.stop(), later.stop()])
  })
})
