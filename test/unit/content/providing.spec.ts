import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { Providing } from '../../../src/content/providing.ts'
import { blockKey, rawCid } from '../../../src/model/content-id.ts'
import { sha256 } from '../../../src/model/sha256.ts'
import { SourceError } from '../../../src/ports/block-source.ts'
import type { ContentRouting } from '../../../src/ports/content-routing.ts'
import type { ContentRecord } from '../../../src/ports/record-store.ts'
import { silentLog } from '../../support/silent-log.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

function recordOf(text: string, more: Partial<ContentRecord> = {}): ContentRecord {
  const root = rawCid(sha256(new TextEncoder().encode(text)))
  return { root, kind: 'file', size: 1, blocks: 1, createdAt: 0, lastAccess: 0, pinned: true, ...more }
}

function setUp(existing: ContentRecord[] = [], provide?: ContentRouting['provide']) {
  const clock = new VirtualClock()
  const records = new Map(existing.map(record => [blockKey(record.root), record]))
  const provided: { root: CID; at: number }[] = []
  let [running, most] = [0, 0]
  const providing = new Providing(
    {
      clock,
      log: silentLog,
      random: { number: () => 0.5, bytes: length => new Uint8Array(length) },
      records: {
        get: root => records.get(blockKey(root)),
        list: ({ cursor = '0', limit }) => {
          const from = Number(cursor)
          const items = [...records.values()].slice(from, from + limit)
          return from + limit < records.size ? { items, cursor: String(from + limit) } : { items }
        }
      },
      car: async function* () {},
      routing: {
        provide: async (content, options) => {
          provided.push({ root: content.root, at: clock.monotonic() })
          most = Math.max(most, ++running)
          try {
            await provide?.(content, options)
          } finally {
            running--
          }
        }
      }
    },
    { mayWait: record => record.type === 'later' }
  )
  const put = (record: ContentRecord): void => {
    records.set(blockKey(record.root), record)
    providing.stored(record)
  }
  return { clock, records, provided, providing, put, mostAtOnce: () => most }
}

describe('providing', () => {
  it('tells of a root as soon as it is durable, and within ten minutes of one that may wait', async () => {
    const { clock, provided, providing, put } = setUp()
    providing.start()
    put(recordOf('now'))
    put(recordOf('later', { type: 'later' }))
    await clock.advance(0)
    assert.deepEqual(
      provided.map(({ root }) => root.toString()),
      [recordOf('now').root.toString()]
    )
    await clock.advance(10 * MINUTE)
    assert.equal(
      provided.some(({ root }) => root.equals(recordOf('later').root)),
      true
    )
    await providing.close()
    assert.equal(clock.pending, 0)
  })

  it('goes over all roots some minutes after a start, slowly, and again every 22 hours', async () => {
    const all = Array.from({ length: 250 }, (_, n) => recordOf(`content ${n}`))
    const { clock, provided, providing } = setUp(all)
    providing.start()
    await clock.advance(5 * MINUTE)
    assert.equal(provided.length, 0)
    await clock.advance(30 * MINUTE)
    assert.equal(new Set(provided.map(({ root }) => blockKey(root))).size, 250)
    assert.equal(provided.length, 250)
    for (const [index, { at }] of provided.entries()) assert.ok(index === 0 || at - (provided[index - 1]?.at ?? 0) >= 1_000)
    const [first] = provided
    await clock.advance(22 * HOUR)
    const [again] = provided.slice(250)
    assert.equal((again?.at ?? 0) - (first?.at ?? 0), 22 * HOUR)
    await clock.advance(HOUR)
    assert.equal(provided.length, 500)
    await providing.close()
  })

  it('leaves out what was removed meanwhile', async () => {
    const { clock, records, provided, providing, put } = setUp()
    const gone = recordOf('gone', { type: 'later' })
    put(gone)
    records.clear()
    await clock.advance(HOUR)
    assert.equal(provided.length, 0)
    await providing.close()
  })

  it('has four under way at most, and ends them when it closes', async () => {
    const ended: string[] = []
    const { clock, providing, put, mostAtOnce } = setUp([], async (_content, { signal }) => {
      await new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          ended.push('ended')
          reject(signal.reason)
        })
      })
    })
    for (let n = 0; n < 20; n++) put(recordOf(`content ${n}`))
    await clock.advance(30_000)
    assert.equal(mostAtOnce(), 4)
    await providing.close()
    assert.equal(ended.length, 4)
    put(recordOf('too late'))
    await clock.advance(HOUR)
    assert.equal(mostAtOnce(), 4)
    assert.equal(clock.pending, 0)
  })

  it('tries again with growing pauses, pauses for all when nothing works, and leaves the rest to the next round', async () => {
    let works = false
    const { clock, provided, providing, put } = setUp([], async () => {
      if (!works) throw new SourceError('fault', 'no way out')
    })
    for (let n = 0; n < 50; n++) put(recordOf(`content ${n}`))
    await clock.advance(HOUR)
    // Each pause is 7.5 minutes by now: a handful of tries, not fifty.
    assert.ok(provided.length < 25, `${provided.length} tries in an hour`)
    works = true
    const before = provided.length
    await clock.advance(HOUR)
    assert.ok(new Set(provided.slice(before).map(({ root }) => blockKey(root))).size >= 40)
    providing.start()
    await clock.advance(HOUR)
    assert.equal(new Set(provided.slice(before).map(({ root }) => blockKey(root))).size, 50)
    await providing.close()
  })

  it('gives up on a router that answers nothing, and goes on with the next root', async () => {
    let first = true
    const { clock, provided, providing, put } = setUp([], async (_content, { signal }) => {
      if (!first) return
      first = false
      await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    })
    put(recordOf('hangs'))
    await clock.advance(2 * MINUTE)
    await clock.advance(2 * MINUTE)
    assert.equal(provided.length, 2)
    await providing.close()
  })
})
