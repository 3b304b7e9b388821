import assert from 'node:assert/strict'
import { open, readdir, type FileHandle } from 'node:fs/promises'
import { MIB } from '../../../../src/model/units.ts'
import { blockOf, codeOf, filled, recordOf } from '../../../conformance/builders.ts'
import { until } from '../../../support/until.ts'
import { StoreFixture } from './store-fixture.ts'
import { StoreParts } from './store-parts.ts'

/** A disk whose next calls of one kind fail while a code is set. */
class FaultyDisk {
  writev: string | undefined
  datasync: string | undefined
  /** Syncs that succeed before `datasync` applies. */
  syncsLeft = 0

  readonly openFile = async (path: string, flags: string, mode?: number): Promise<FileHandle> => {
    const file = await open(path, flags, mode)
    const writev = file.writev.bind(file)
    const datasync = file.datasync.bind(file)
    file.writev = async (buffers, position) => {
      fail(this.writev)
      return await writev(buffers, position)
    }
    file.datasync = async () => {
      await datasync()
      if (this.syncsLeft-- <= 0) fail(this.datasync)
    }
    return file
  }
}

function fail(code: string | undefined): void {
  if (code !== undefined) throw Object.assign(new Error(`${code}: forced by the test`), { code })
}

describe('a store whose disk fails', () => {
  for (const [call, code, expected] of [
    ['datasync', 'EIO', 'UNAVAILABLE'],
    ['writev', 'ENOSPC', 'QUOTA_EXCEEDED'],
    ['writev', 'EIO', 'UNAVAILABLE']
  ] as const) {
    it(`(${code} at ${call}) tells every waiter ${expected}, reads on, and recovers with nothing lost`, async () => {
      const disk = new FaultyDisk()
      await using fixture = await StoreFixture.make({ openFile: disk.openFile })
      {
        await using store = await fixture.open()
        await store.blocks.put(blockOf('before'))
        await store.blocks.flush()
        disk[call] = code
        await store.blocks.put(blockOf('during'))
        assert.deepEqual(
          await Promise.all([codeOf(store.blocks.flush()), codeOf(store.records.put(recordOf('during'))), codeOf(store.blocks.flush())]),
          [expected, expected, expected]
        )
        assert.equal(await codeOf(store.blocks.flush()), expected)
        assert.equal(fixture.log.errors.length, 1, 'the operator is told once')
        assert.equal(store.records.count(), 0)
        for (const content of ['before', 'during']) assert.ok(await store.blocks.get(blockOf(content).cid), content)
        disk[call] = undefined
        await store.blocks.put(blockOf('after'))
        await store.blocks.flush()
      }
      await using store = await fixture.open()
      for (const content of ['before', 'during', 'after']) assert.ok(await store.blocks.get(blockOf(content).cid), content)
      assert.deepEqual(store.blocks.usage(), { blocks: 3, bytes: 17 })
      assert.equal((await readdir(fixture.path('segments'))).length, 2, 'nothing more is written into the segment that failed')
    })
  }

  it('never reports as durable what the failed flush of somebody else had to make durable', async () => {
    const disk = new FaultyDisk()
    await using fixture = await StoreFixture.make({ openFile: disk.openFile })
    {
      await using store = await fixture.open()
      await store.blocks.put(blockOf('of A'))
      disk.datasync = 'EIO'
      assert.equal(await codeOf(store.blocks.flush()), 'UNAVAILABLE')
      disk.datasync = undefined
      await store.records.put(recordOf('of A')) // A, who knows nothing of the failure
    }
    await using store = await fixture.open()
    assert.ok(await store.blocks.get(blockOf('of A').cid))
  })

  it('does not acknowledge a record before the last of many blocks put before it', async () => {
    const disk = new FaultyDisk()
    await using fixture = await StoreFixture.make({ openFile: disk.openFile })
    await using store = await fixture.open()
    disk.datasync = 'EIO'
    disk.syncsLeft = 2 // the new segment, and the first of several commits
    const puts = Array.from({ length: 1500 }, async (_, i) => await store.blocks.put(blockOf(`block ${i}`)))
    const record = codeOf(store.records.put(recordOf('block 0')))
    await Promise.all(puts)
    assert.equal(await record, 'UNAVAILABLE')
    assert.equal(store.records.count(), 0)
    disk.datasync = undefined
  })

  it('tries again by itself after a failure', async () => {
    const disk = new FaultyDisk()
    await using fixture = await StoreFixture.make({ openFile: disk.openFile })
    await using store = await fixture.open()
    await store.blocks.put(blockOf('waiting'))
    disk.writev = 'ENOSPC'
    assert.equal(await codeOf(store.blocks.flush()), 'QUOTA_EXCEEDED')
    disk.writev = undefined
    fixture.clock.fireAll()
    await until(async () => (await readdir(fixture.path('segments'))).includes('000002.seg'))
  })

  it('refuses puts once it holds as much as it may, and lets a waiting caller give up', async () => {
    const disk = new FaultyDisk()
    await using fixture = await StoreFixture.make({ openFile: disk.openFile })
    await using store = await fixture.open()
    disk.datasync = 'EIO'
    const blocks = Array.from({ length: 40 }, (_, i) => filled(MIB, i))
    const codes = await Promise.all(blocks.map(async block => await codeOf(store.blocks.put(block))))
    assert.equal(codes[0], undefined)
    assert.equal(codes.at(-1), 'UNAVAILABLE')
    assert.equal(store.blocks.usage().blocks, codes.filter(code => code === undefined).length)
    const controller = new AbortController()
    const waiting = store.blocks.put(filled(MIB, 99), { signal: controller.signal })
    controller.abort()
    await assert.rejects(waiting, { name: 'AbortError' })
    disk.datasync = undefined
    assert.equal(await store.blocks.put(filled(MIB, 99)), true)
  })

  it('reports a database that cannot grow as a full disk, undoes the whole commit, and recovers', async () => {
    await using fixture = await StoreFixture.make()
    await using parts = await StoreParts.open(fixture)
    const blocks = Array.from({ length: 500 }, (_, i) => blockOf(`block ${i}`))
    parts.index.statement(`PRAGMA max_page_count=${Number(parts.index.statement('PRAGMA page_count').get()?.['page_count'])}`).get()
    for (const block of blocks) await parts.blocks.put(block)
    assert.equal(await codeOf(parts.blocks.flush()), 'QUOTA_EXCEEDED')
    assert.deepEqual(parts.index.segments(), [])
    parts.index.statement('PRAGMA max_page_count=1000000').get()
    await parts.blocks.flush()
    assert.equal(parts.index.segments()[0]?.blocks, 500)
    for (const block of blocks) assert.ok(await parts.blocks.get(block.cid))
  })

  it('throws on reads it cannot do, instead of saying that nothing is there', async () => {
    await using fixture = await StoreFixture.make()
    const store = await fixture.open()
    await store[Symbol.asyncDispose]()
    const block = blockOf('x')
    for (const call of [
      store.blocks.has(block.cid),
      store.blocks.get(block.cid),
      store.blocks.put(block),
      store.records.put(recordOf('x'))
    ])
      assert.equal(await codeOf(call), 'UNAVAILABLE')
  })
})
