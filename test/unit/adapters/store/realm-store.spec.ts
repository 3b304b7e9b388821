import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { appendFile, readdir, stat, truncate, writeFile } from 'node:fs/promises'
import { open, rm } from 'node:fs/promises'
import { blockStoreConformance } from '../../../conformance/block-store.ts'
import { blockOf, filled, recordOf } from '../../../conformance/builders.ts'
import { recordStoreConformance } from '../../../conformance/record-store.ts'
import { StoreFixture, temporaryStore } from './store-fixture.ts'

blockStoreConformance('openRealmStore', temporaryStore)
recordStoreConformance('openRealmStore', temporaryStore)

describe('a realm on disk, opened again', () => {
  it('has every block, record, access time and count', async () => {
    await using fixture = await StoreFixture.make()
    const blocks = Array.from({ length: 50 }, (_, i) => filled(i * 100, i))
    {
      await using store = await fixture.open()
      for (const block of blocks) await store.blocks.put(block)
      await store.records.put(recordOf('a', { name: 'a' }))
      store.records.touch(blockOf('a').cid, 77)
    }
    await using store = await fixture.open()
    for (const block of blocks) assert.deepEqual(Buffer.from((await store.blocks.get(block.cid))?.bytes ?? []), Buffer.from(block.bytes))
    assert.deepEqual(store.blocks.usage(), { blocks: 50, bytes: 122_500 })
    assert.equal(store.records.get(blockOf('a').cid)?.lastAccess, 77)
  })

  it('makes blocks durable together with the record that follows them', async () => {
    await using fixture = await StoreFixture.make()
    await using store = await fixture.open()
    const blocks = Array.from({ length: 1500 }, (_, i) => blockOf(`block ${i}`))
    for (const block of blocks) await store.blocks.put(block)
    await store.records.put(recordOf('a'))
    assert.equal(
      (await stat(fixture.path('segments', '000001.seg'))).size,
      256 + blocks.reduce((sum, block) => sum + 50 + block.bytes.byteLength, 0)
    )
  })

  it('is for one process, one realm and one format only', async () => {
    await using fixture = await StoreFixture.make()
    {
      await using _store = await fixture.open()
      await assert.rejects(fixture.open(), { code: 'START_FAILED', message: /another process has it open/ })
    }
    await assert.rejects(fixture.open({ realm: 'public' }), { code: 'START_FAILED', message: /belongs to realm "own"/ })
    await rm(fixture.path('index', 'index.sum'))
    const db = new DatabaseSync(fixture.path('index', 'index.db'))
    db.exec('PRAGMA user_version=99')
    db.close()
    await assert.rejects(fixture.open(), { code: 'START_FAILED', message: /format version 99.*reads 1\. Update Kith/ })
  })

  it('cuts off a torn tail and goes on behind what the index knows', async () => {
    await using fixture = await StoreFixture.make()
    const segment = fixture.path('segments', '000001.seg')
    {
      await using store = await fixture.open()
      await store.blocks.put(blockOf('first'))
    }
    const { size } = await stat(segment)
    await appendFile(segment, 'half of a block that nobody was told of')
    await writeFile(fixture.path('segments', '000002.seg'), 'never committed')
    {
      await using store = await fixture.open()
      await store.blocks.put(blockOf('again'))
    }
    assert.equal((await stat(segment)).size, 2 * size - 256)
    assert.deepEqual(await readdir(fixture.path('segments')), ['000001.seg'])
    await using store = await fixture.open()
    for (const content of ['first', 'again']) assert.ok(await store.blocks.get(blockOf(content).cid))
  })

  it('refuses to start rather than delete segments that a lost or old index does not name', async () => {
    await using fixture = await StoreFixture.make()
    {
      await using store = await fixture.open()
      await store.blocks.put(blockOf('precious'))
    }
    await truncate(fixture.path('segments', '000001.seg'), 28 * 1024 * 1024)
    await assert.rejects(fixture.open(), { code: 'START_FAILED', message: /older than the segments/ })
    await rm(fixture.path('index', 'index.db'))
    for (let round = 0; round < 2; round++)
      await assert.rejects(fixture.open(), { code: 'START_FAILED', message: /index.*is missing or empty/ })
    assert.deepEqual(await readdir(fixture.path('segments')), ['000001.seg'])
  })

  it('says what to do about a damaged index', async () => {
    await using fixture = await StoreFixture.make()
    {
      await using store = await fixture.open()
      await store.blocks.put(blockOf('x'))
    }
    await writeFile(fixture.path('index', 'index.db'), Buffer.alloc(8192, 1))
    const refusal = { code: 'START_FAILED', message: /index is damaged: .*index\.db.*restore/ }
    await assert.rejects(fixture.open(), refusal)
    await rm(fixture.path('index', 'index.sum'))
    await assert.rejects(fixture.open(), refusal)
  })

  it('commits what nobody flushes when its delay is over', async () => {
    await using fixture = await StoreFixture.make()
    await using store = await fixture.open()
    await store.blocks.put(blockOf('left alone'))
    fixture.clock.fireAll()
    await store.records.remove(blockOf('none').cid) // waits for the running commit
    assert.equal((await stat(fixture.path('segments', '000001.seg'))).size, 256 + 50 + 10)
  })
})

describe('a corrupt block on disk', () => {
  for (const [what, damage] of Object.entries({
    'a flipped bit': async (path: string) => {
      const file = await open(path, 'r+')
      await file.write('X', 256 + 50)
      await file.close()
    },
    'bytes of zeros': async (path: string) => {
      await truncate(path, 300)
      await truncate(path, 1000)
    }
  })) {
    it(`(${what}) is never handed out, is counted, and can be put again`, async () => {
      await using fixture = await StoreFixture.make()
      const block = blockOf('the bytes that were put')
      {
        await using store = await fixture.open()
        await store.blocks.put(block)
      }
      await damage(fixture.path('segments', '000001.seg'))
      await using store = await fixture.open()
      assert.equal(await store.blocks.get(block.cid), undefined)
      assert.equal(await store.blocks.has(block.cid), false)
      assert.equal(store.corruptCount(), 1)
      assert.deepEqual(store.blocks.usage(), { blocks: 0, bytes: 0 })
      assert.deepEqual(fixture.log.errors, ['a stored block is corrupt; check the disk'])
      await store.blocks.flush()
      assert.equal(await store.blocks.put(block), true)
      await store.blocks.flush()
      assert.deepEqual((await store.blocks.get(block.cid))?.bytes.byteLength, block.bytes.byteLength)
    })
  }
})

describe('space of deleted blocks', () => {
  it('is given back segment by segment, the living blocks moved', async () => {
    await using fixture = await StoreFixture.make()
    const blocks = Array.from({ length: 40 }, (_, i) => filled(1000, i))
    {
      await using store = await fixture.open({ segmentBytes: 4000 })
      for (const block of blocks) {
        await store.blocks.put(block)
        await store.blocks.flush()
      }
      assert.equal((await readdir(fixture.path('segments'))).length, 10)
      for (const [i, block] of blocks.entries()) if (i % 4 !== 0 && i < 36) await store.blocks.delete(block.cid)
      await store.blocks.flush()
      await store.blocks.delete(blockOf('nothing').cid)
    }
    {
      await using store = await fixture.open({ segmentBytes: 4000 })
      for (const [i, block] of blocks.entries())
        assert.equal((await store.blocks.get(block.cid)) !== undefined, i % 4 === 0 || i >= 36, `block ${i}`)
      assert.deepEqual(store.blocks.usage(), { blocks: 13, bytes: 13_000 })
      assert.equal(store.corruptCount(), 0)
    }
  })
})
