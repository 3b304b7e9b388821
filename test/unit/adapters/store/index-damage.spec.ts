/** Damage of the index that only its own checks can find; test/faults/flipped-bit tries every file at random. */
import assert from 'node:assert/strict'
import { cp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { blockOf, codeOf, recordOf } from '../../../conformance/builders.ts'
import { StoreFixture } from './store-fixture.ts'

/** As SQLite writes them here. Bytes. */
const FRAME_BYTES = 24 + 4096

async function flip(path: string, at: number): Promise<void> {
  await using file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  byte.writeUInt8((byte.at(0) ?? 0) ^ 1)
  await file.write(byte, 0, 1, at)
}

/** What a kill leaves: a copy of a store that is open. */
async function killed(fixture: StoreFixture): Promise<StoreFixture> {
  const copy = await StoreFixture.make()
  {
    await using store = await fixture.open()
    for (let i = 0; i < 4; i++) {
      await store.blocks.put(blockOf(`block ${i}`))
      await store.records.put(recordOf(`block ${i}`))
    }
    await cp(fixture.path(), copy.path(), { recursive: true })
  }
  return copy
}

describe('a damaged index', () => {
  it('is refused when it changed while it was closed; without its checksum what can be read is opened', async () => {
    await using fixture = await StoreFixture.make()
    {
      await using store = await fixture.open()
      await store.records.put(recordOf('a', { name: 'precious' }))
      await store.records.put(recordOf('b'))
    }
    const path = fixture.path('index', 'index.db')
    await flip(path, (await readFile(path)).indexOf('precious'))
    await assert.rejects(fixture.open(), { code: 'START_FAILED', message: /index\.db \(it is not what it was.*index\.sum.*kith verify/ })
    await rm(fixture.path('index', 'index.sum'))
    await using store = await fixture.open()
    assert.throws(() => store.records.get(recordOf('a').root), { code: 'UNAVAILABLE', message: /damaged/ })
    assert.throws(() => store.records.list({ limit: 10 }), { code: 'UNAVAILABLE' }, 'a list without it would be taken for the whole')
    assert.ok(store.records.get(recordOf('b').root))
  })

  it('is refused when a bit of its log would undo commits behind it, wherever it is', async () => {
    await using fixture = await StoreFixture.make()
    await using origin = await killed(fixture)
    const wal = origin.path('index', 'index.db-wal')
    const { size } = await stat(wal)
    const whole = await readFile(wal)
    for (const at of [8, 16, 24, 32, 40, 48, 32 + 24 + 100, 32 + FRAME_BYTES + 5, 32 + Math.trunc(size / FRAME_BYTES / 2) * FRAME_BYTES]) {
      await writeFile(wal, whole)
      await flip(wal, at)
      await assert.rejects(origin.open(), { code: 'START_FAILED', message: /index\.db-wal/ }, `byte ${at}`)
    }
    await writeFile(wal, whole)
    await using store = await origin.open()
    assert.equal(store.records.count(), 4)
  })

  it('is not called missing when it lies in its log alone and that is damaged, and is not to be thrown away unseen', async () => {
    await using fixture = await StoreFixture.make()
    await using origin = await killed(fixture)
    await using file = await open(origin.path('index', 'index.db-wal'), 'r+')
    await file.truncate(32 + FRAME_BYTES / 2)
    await assert.rejects(origin.open(), { code: 'START_FAILED', message: /index\.db-wal, which is damaged.*backup.*keep a copy/ })
    assert.ok((await stat(origin.path('segments', '000001.seg'))).size > 0)
  })

  it('is opened when the end of its log is torn, as a crash leaves it', async () => {
    await using fixture = await StoreFixture.make()
    await using origin = await killed(fixture)
    const wal = origin.path('index', 'index.db-wal')
    const { size } = await stat(wal)
    await using file = await open(wal, 'r+')
    await file.truncate(size - 100)
    await using store = await origin.open()
    assert.equal(store.records.count(), 3)
    for (let i = 0; i < 3; i++) assert.ok(await store.blocks.get(blockOf(`block ${i}`).cid))
    assert.equal(await codeOf(store.records.put(recordOf('block 3'))), undefined)
  })

  it('has its counts made anew after a crash, and cuts nothing off that it names', async () => {
    await using fixture = await StoreFixture.make()
    {
      await using store = await fixture.open()
      for (let i = 0; i < 4; i++) await store.blocks.put(blockOf(`block ${i}`))
    }
    const db = new DatabaseSync(fixture.path('index', 'index.db'))
    db.exec('UPDATE segments SET length = 300, blocks = 1, bytes = 7')
    db.close()
    await rm(fixture.path('index', 'index.sum'))
    await using store = await fixture.open()
    assert.deepEqual(store.blocks.usage(), { blocks: 4, bytes: 28 })
    for (let i = 0; i < 4; i++) assert.ok(await store.blocks.get(blockOf(`block ${i}`).cid))
  })
})
