/** What a disk loses of a store: known from one start to the next, and over when it is. */
import assert from 'node:assert/strict'
import { open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { IndexDb } from '../../../../src/adapters/store/index-db.ts'
import type { RealmStore } from '../../../../src/ports/record-store.ts'
import { filled } from '../../../conformance/builders.ts'
import { StoreFixture } from './store-fixture.ts'

const LOST_FILES =
  'segment files of the store are missing or cut short: their blocks are lost until the files are brought back from a backup, or kith verify --repair fetches them again'

describe('what the disk lost', () => {
  const NONE = { blocks: 0, files: [] }
  const first = '000001.seg'
  const blocks = Array.from({ length: 6 }, (_, i) => filled(1000, i))

  /** Three segments of two blocks each. */
  async function filledStore(): Promise<StoreFixture> {
    const fixture = await StoreFixture.make()
    await using store = await fixture.open({ segmentBytes: 2000 })
    for (const block of blocks) {
      await store.blocks.put(block)
      await store.blocks.flush()
    }
    assert.equal((await readdir(fixture.path('segments'))).length, 3)
    return fixture
  }

  async function missing(store: RealmStore): Promise<number[]> {
    const found = await Promise.all(blocks.map(async (block, i) => ((await store.blocks.get(block.cid)) === undefined ? [i] : [])))
    let keys = 0
    for await (const _ of store.blocks.keys()) keys++
    assert.equal(keys, store.blocks.usage().blocks)
    return found.flat()
  }

  it('by a flipped bit is known after a restart, until the block is put again', async () => {
    await using fixture = await filledStore()
    await using file = await open(fixture.path('segments', first), 'r+')
    await file.write('X', 256 + 50)
    {
      await using store = await fixture.open()
      assert.deepEqual(store.damage(), NONE, 'nobody read it yet')
      assert.deepEqual(await missing(store), [0])
      assert.deepEqual(store.damage(), { blocks: 1, files: [] })
    }
    {
      await using store = await fixture.open()
      assert.deepEqual(store.damage(), { blocks: 1, files: [] })
      assert.equal(await store.blocks.put(filled(1000, 0)), true)
      assert.deepEqual(store.damage(), NONE)
      await store.blocks.flush()
      await store.blocks.delete(filled(1000, 0).cid)
      await store.blocks.flush()
      assert.deepEqual(store.damage(), NONE, 'deleted later, it is no more missed')
    }
    await using store = await fixture.open()
    assert.deepEqual(store.damage(), NONE)
  })

  it('is over when it is deleted, whether or not the loss is on the disk yet', async () => {
    for (const isFlushed of [true, false]) {
      await using fixture = await filledStore()
      await truncate(fixture.path('segments', '000003.seg'), 300)
      {
        await using store = await fixture.open()
        assert.equal(store.damage().files.length, 1)
        for (const index of [4, 5]) await store.blocks.delete(filled(1000, index).cid)
        assert.deepEqual(store.damage(), NONE)
        await rm(fixture.path('segments', first))
        assert.deepEqual(await missing(store), [0, 1, 4, 5])
        assert.equal(store.damage().blocks, 2)
        if (isFlushed) await store.blocks.flush()
        for (const index of [0, 1]) await store.blocks.delete(filled(1000, index).cid)
        assert.deepEqual(store.damage(), NONE)
      }
      await using store = await fixture.open()
      assert.deepEqual(store.damage(), NONE)
      assert.deepEqual(await missing(store), [0, 1, 4, 5])
    }
  })

  for (const [what, files, lost, damage] of [
    ['a missing file', [{ name: 'segments/000002.seg', isMissing: true, blocks: 2 }], [2, 3], async (path: string) => await rm(path)],
    [
      'a file cut short',
      [{ name: 'segments/000002.seg', isMissing: false, blocks: 1 }],
      [3],
      async (path: string) => await truncate(path, 256 + 50 + 1000 + 50 + 999)
    ]
  ] as const) {
    it(`(${what}) is told at the next start; what can be read is read, what is put again is there, and a file that comes back brings all back`, async () => {
      await using fixture = await filledStore()
      const path = fixture.path('segments', '000002.seg')
      const backup = await readFile(path)
      await damage(path)
      {
        await using store = await fixture.open()
        assert.deepEqual(store.damage(), { blocks: 0, files })
        assert.deepEqual(fixture.log.errors.splice(0), [LOST_FILES])
        assert.deepEqual(store.blocks.usage(), { blocks: 6 - lost.length, bytes: (6 - lost.length) * 1000 })
        assert.deepEqual(await missing(store), lost)
        assert.equal(await store.blocks.has(filled(1000, 3).cid), false)
      }
      {
        await using store = await fixture.open()
        assert.deepEqual(store.damage(), { blocks: 0, files }, 'still so')
        assert.equal(await store.blocks.put(filled(1000, 3)), true)
        await store.blocks.flush()
        assert.deepEqual(await missing(store), lost.slice(0, -1))
        assert.deepEqual(
          store.damage().files.map(file => file.blocks),
          lost.length === 1 ? [] : [1]
        )
      }
      await writeFile(path, backup)
      fixture.log.errors.splice(0)
      await using store = await fixture.open()
      assert.deepEqual(store.damage(), NONE)
      assert.deepEqual(fixture.log.errors, [])
      assert.deepEqual(await missing(store), [])
    })
  }

  it('is forgotten when nothing needs it, for good', async () => {
    await using fixture = await filledStore()
    await truncate(fixture.path('segments', '000003.seg'), 300)
    await rm(fixture.path('segments', first))
    {
      await using store = await fixture.open()
      await rm(fixture.path('segments', '000002.seg'))
      assert.deepEqual(await missing(store), [0, 1, 2, 3, 4, 5])
      assert.deepEqual([store.damage().blocks, store.damage().files.length], [2, 2])
      await store.forgetDamage()
      assert.deepEqual(store.damage(), NONE)
    }
    await using store = await fixture.open()
    assert.deepEqual(store.damage(), NONE)
    assert.deepEqual(store.blocks.usage(), { blocks: 0, bytes: 0 })
  })

  it('of an older program, which left the note of a block that was put again, is not told', async () => {
    await using fixture = await filledStore()
    const index = new IndexDb(fixture.path('index', 'index.db'), { realm: 'own', mayCreate: false })
    const { multihash } = filled(1000, 0).cid
    index.addQuarantine(multihash.bytes, { segment: 1, offset: 306, length: 1000, cipher: 0 }, 0)
    index.close()
    await rm(fixture.path('index', 'index.sum'))
    await using store = await fixture.open()
    assert.deepEqual(store.damage(), NONE)
    await store.blocks.delete(filled(1000, 0).cid)
    await store.blocks.flush()
    assert.deepEqual(store.damage(), NONE)
  })
})
