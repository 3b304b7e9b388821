/** What every RecordStore promises (src/ports/record-store.ts). */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ContentRecord, RealmStore, RecordStore } from '../../src/ports/record-store.ts'
import { blockOf, recordOf } from './builders.ts'

/** @param open a new, empty store; the suite closes it */
export function recordStoreConformance(name: string, open: () => Promise<RealmStore>): void {
  const withStore = (work: (records: RecordStore) => Promise<void>) => async (): Promise<void> => {
    await using store = await open()
    await work(store.records)
  }

  describe(`${name} as a RecordStore`, () => {
    it(
      'returns a record with every field as it was put',
      withStore(async records => {
        const full = recordOf('a', { name: 'ä.txt', contentType: 'text/plain', type: 'note', pinned: true, putBy: ['app', 'other'] })
        const { sha256: _, ...directory } = recordOf('b', { kind: 'directory', blocks: 3 })
        for (const record of [full, directory]) {
          await records.put(record)
          assert.deepEqual(plain(records.get(record.root)), plain(record))
        }
        assert.equal(records.count(), 2)
      })
    )

    it(
      'replaces the record of the same root',
      withStore(async records => {
        await records.put(recordOf('a', { name: 'old' }))
        await records.put(recordOf('a', { name: 'new' }))
        assert.equal(records.get(blockOf('a').cid)?.name, 'new')
        assert.equal(records.count(), 1)
      })
    )

    it(
      'finds content by its hash, and nothing by another',
      withStore(async records => {
        const record = recordOf('a')
        await records.put(record)
        assert.deepEqual(plain(records.findByHash(record.sha256 ?? new Uint8Array(0))), plain(record))
        assert.equal(records.findByHash(new Uint8Array(32)), undefined)
      })
    )

    it(
      'says whether there was a record to remove',
      withStore(async records => {
        const record = recordOf('a')
        await records.put(record)
        assert.equal(await records.remove(record.root), true)
        assert.equal(await records.remove(record.root), false)
        assert.equal(records.get(record.root), undefined)
        assert.equal(records.count(), 0)
      })
    )

    it(
      'notes accesses, the latest counts, unknown roots are ignored',
      withStore(async records => {
        const record = recordOf('a', { lastAccess: 10 })
        await records.put(record)
        records.touch(record.root, 30)
        records.touch(record.root, 20)
        records.touch(blockOf('unknown').cid, 20)
        assert.equal(records.get(record.root)?.lastAccess, 30)
        assert.equal(records.get(blockOf('unknown').cid), undefined)
      })
    )

    it('remembers digests, however often they are added', async () => {
      await using store = await open()
      const digests = Array.from({ length: 2100 }, (_, i) => blockOf(`secret ${i}`).cid.multihash.digest)
      await store.remembered.add([])
      await store.remembered.add(digests)
      await store.remembered.add(digests.slice(0, 2))
      assert.ok(digests.every(digest => store.remembered.has(digest)))
      assert.equal(store.remembered.has(new Uint8Array(32)), false)
    })

    it(
      'refuses a cursor it did not make',
      withStore(async records => {
        for (const cursor of ['', 'x', '%%%', 'bnVsbA']) assert.throws(() => records.list({ limit: 1, cursor }), { code: 'INVALID_PARAMS' })
      })
    )

    it('pages through many records of one moment, and begins where the cursor says though records came and went', async () => {
      await using store = await open()
      const all = Array.from({ length: 2500 }, (_, i) => recordOf(`content ${i}`, { type: i % 2 === 0 ? 'even' : 'odd' }))
      await Promise.all(
        all.map(async record => {
          await store.records.put(record)
        })
      )
      assert.equal(store.records.list({ limit: 5000 }).items.length, 1000, 'a page has its limit')
      const keys = all.map(key).toSorted()
      assert.deepEqual(listAll(store.records, 999, undefined).map(key), keys)
      assert.equal(listAll(store.records, 100, 'odd').length, 1250)
      const first = store.records.list({ limit: 100 })
      for (const { root } of first.items.slice(-50)) await store.records.remove(root)
      const second = store.records.list({ limit: 100, cursor: first.cursor ?? assert.fail() })
      assert.deepEqual(second.items.map(key), keys.slice(100, 200))
    })

    it('pages through all records, oldest first, each once, by type if asked', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ createdAt: fc.integer({ min: 0, max: 5 }), type: fc.constantFrom('a', 'b') }), { maxLength: 12 }),
          fc.integer({ min: 1, max: 5 }),
          fc.constantFrom(undefined, 'a'),
          async (items, limit, type) => {
            await withStore(async records => {
              const all = items.map((item, i) => recordOf(`content ${i}`, item))
              await Promise.all(
                all.map(async record => {
                  await records.put(record)
                })
              )
              assert.deepEqual(
                listAll(records, limit, type).map(key),
                all
                  .filter(record => type === undefined || record.type === type)
                  .map(key)
                  .toSorted()
              )
            })()
          }
        ),
        { numRuns: 20 }
      )
    })
  })
}

function listAll(records: RecordStore, limit: number, type: string | undefined): ContentRecord[] {
  const ofType = type === undefined ? {} : { type }
  const found: ContentRecord[] = []
  let page = records.list({ limit, ...ofType })
  while (page.cursor !== undefined) {
    assert.equal(page.items.length, limit)
    found.push(...page.items)
    page = records.list({ limit, cursor: page.cursor, ...ofType })
  }
  return [...found, ...page.items]
}

function key(record: ContentRecord): string {
  return `${record.createdAt} ${Buffer.from(record.root.multihash.bytes).toString('hex')}`
}

/** Comparable: CIDs carry caches, bytes come as Buffer or Uint8Array. */
function plain(record: ContentRecord | undefined): unknown {
  if (record === undefined) return undefined
  const { root, sha256, ...rest } = record
  return { ...rest, root: root.toString(), sha256: sha256 === undefined ? undefined : Buffer.from(sha256).toString('hex') }
}
