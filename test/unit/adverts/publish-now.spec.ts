/** Adverts published by hand, filters that grow with what they hold, and what is left out when not all fits. */
import assert from 'node:assert/strict'
import { decodeAdvert } from '../../../src/adverts/codec.ts'
import { decodeFilter } from '../../../src/adverts/filter-codec.ts'
import { publicRoots } from '../../../src/adverts/public-roots.ts'
import { AdvertPublisher } from '../../../src/adverts/publisher.ts'
import { rawCid } from '../../../src/model/content-id.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import type { ContentRecord, RecordStore } from '../../../src/ports/record-store.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { countingRandom, digest, identity, roots, silent } from './support.ts'

const MIB2 = 2 * 1024 * 1024

describe('an advert', () => {
  let node: Identity
  let clock: VirtualClock
  let count: number
  let broken: boolean
  let sent: Uint8Array[]
  let publisher: AdvertPublisher

  before(async () => {
    node = await identity(1)
  })
  beforeEach(async () => {
    clock = new VirtualClock()
    count = 10
    broken = false
    sent = []
    publisher = new AdvertPublisher(
      {
        identity: node,
        clock,
        random: countingRandom(),
        log: silent,
        roots: () => {
          if (broken) throw new Error('the store is closed')
          return roots(count)
        },
        publish: async (_topic, data) => {
          sent.push(data)
        },
        seqStore: { load: () => undefined, save: async () => {} }
      },
      {
        interval: 30_000,
        heartbeat: 300_000,
        grace: 120_000,
        falsePositiveRate: 0.001,
        maxBytes: MIB2,
        caps: () => ({ ipfsNode: { enabled: true, type: 'helia' } })
      }
    )
    await publisher.start()
    await clock.advance(10_000)
  })
  afterEach(async () => {
    await publisher.stop()
  })

  it('is published by hand at once, with all that changed, and answers what it says', async () => {
    count = 12
    publisher.changed()
    const info = await publisher.publishNow()
    assert.deepEqual([info.count, sent.length, publisher.info()], [12, 1, info])
    await clock.advance(60_000)
    assert.equal(sent.length, 1, 'the change is out')
  })

  it('is not published by hand over and over', async () => {
    const first = await publisher.publishNow()
    assert.deepEqual(await publisher.publishNow(), first)
    assert.equal(sent.length, 1)
    publisher.changed()
    await assert.rejects(publisher.publishNow(), { code: 'RATE_LIMITED' })
    await clock.advance(2000)
    assert.ok((await publisher.publishNow()).seq > first.seq)
    assert.equal(sent.length, 2)
  })

  it('says so when it cannot be made, and stays as it was', async () => {
    const before = publisher.info()
    broken = true
    await assert.rejects(publisher.publishNow(), { code: 'UNAVAILABLE' })
    assert.deepEqual([publisher.info(), sent], [before, []])
    await publisher.stop()
    await assert.rejects(publisher.publishNow(), { code: 'UNAVAILABLE' })
  })

  it('grows its filter with what it holds, so that the false-positive rate stays', async () => {
    const rates: number[] = []
    for (const entries of [100, 200, 400, 5000]) {
      count = entries
      await clock.advance(2000)
      await publisher.publishNow()
      const { filter } = decodeAdvert(publisher.current() ?? assert.fail(), MIB2 + 10_000)
      const decoded = decodeFilter(filter ?? assert.fail(), MIB2)
      assert.equal(decoded.count, entries)
      rates.push(decoded.falseRate)
    }
    assert.ok(
      rates.every(rate => rate <= 0.001),
      String(rates)
    )
  })

  it('names the most recently used first, so that these stay when not all fits', () => {
    const record = (n: number, lastAccess: number): ContentRecord => ({
      root: rawCid(digest(n)),
      kind: 'file',
      size: 1,
      blocks: 1,
      createdAt: 0,
      lastAccess,
      pinned: true
    })
    const pages = [[record(1, 5), record(2, 9)], [record(3, 7)]]
    const list: RecordStore['list'] = ({ cursor }) => {
      const at = cursor === undefined ? 0 : Number(cursor)
      return { items: pages[at] ?? [], ...(at + 1 < pages.length ? { cursor: String(at + 1) } : {}) }
    }
    assert.deepEqual(
      publicRoots({ list }).map(one => one.root),
      [2, 3, 1].map(n => rawCid(digest(n)).multihash.bytes)
    )
    const torn: RecordStore['list'] = ({ cursor }) => {
      if (cursor !== undefined) throw new Error('the index is damaged')
      return { items: pages[0] ?? [], cursor: '1' }
    }
    assert.throws(() => publicRoots({ list: torn }), /damaged/)
  })
})
