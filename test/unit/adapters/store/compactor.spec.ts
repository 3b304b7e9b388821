import assert from 'node:assert/strict'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SegmentFiles } from '../../../../src/adapters/store/segment-files.ts'
import type { VerifiedBlock } from '../../../../src/model/block.ts'
import { KIB } from '../../../../src/model/units.ts'
import type { BlockStore } from '../../../../src/ports/block-store.ts'
import { blockOf, codeOf, filled } from '../../../conformance/builders.ts'
import { until } from '../../../support/until.ts'
import { StoreFixture } from './store-fixture.ts'
import { StoreParts } from './store-parts.ts'

/** Text that can be looked for on the disk. */
function secret(number: number, size = 1000): VerifiedBlock {
  return blockOf(`private ${number};`.repeat(Math.ceil(size / 10)))
}

async function bytesOnDisk(fixture: StoreFixture): Promise<Buffer> {
  const names = await readdir(fixture.path('segments'))
  return Buffer.concat(await Promise.all(names.map(async name => await readFile(fixture.path('segments', name)))))
}

async function putAll(store: BlockStore, blocks: readonly VerifiedBlock[]): Promise<void> {
  for (const block of blocks) await store.put(block)
  await store.flush()
}

async function deleteAll(store: BlockStore, blocks: readonly VerifiedBlock[]): Promise<void> {
  for (const block of blocks) await store.delete(block.cid)
  await store.flush()
}

describe('the compactor', () => {
  it('moves the living blocks of mostly dead segments and removes the files', async () => {
    await using fixture = await StoreFixture.make()
    await using parts = await StoreParts.open(fixture, 4000)
    const blocks = Array.from({ length: 40 }, (_, i) => filled(1000, i))
    for (const block of blocks) {
      await parts.blocks.put(block)
      await parts.blocks.flush()
    }
    const living = blocks.filter((_, i) => i % 4 === 0)
    await deleteAll(
      parts.blocks,
      blocks.filter(block => !living.includes(block))
    )
    assert.equal((await readdir(fixture.path('segments'))).length, 10)
    await parts.compactor.run()
    assert.ok((await readdir(fixture.path('segments'))).length <= 4)
    for (const block of blocks) assert.equal((await parts.blocks.get(block.cid)) !== undefined, living.includes(block))
    assert.deepEqual(parts.blocks.usage(), { blocks: 10, bytes: 10_000 })
    assert.equal(
      parts.index.segments().reduce((sum, row) => sum + row.blocks, 0),
      10
    )
  })

  it('closes the growing segment when it is mostly dead, and gives its space back', async () => {
    await using fixture = await StoreFixture.make()
    const [alive, ...dead] = Array.from({ length: 10 }, (_, i) => filled(64 * KIB, i))
    assert.ok(alive)
    {
      await using store = await fixture.open()
      await putAll(store.blocks, [alive, ...dead])
      await deleteAll(store.blocks, dead)
      await until(async () => (await readdir(fixture.path('segments'))).join() === '000002.seg')
      assert.ok((await stat(fixture.path('segments', '000002.seg'))).size < 65 * KIB)
      assert.equal((await store.blocks.get(alive.cid))?.bytes.byteLength, 64 * KIB)
    }
    await using store = await fixture.open()
    assert.equal((await store.blocks.get(alive.cid))?.bytes.byteLength, 64 * KIB)
    assert.deepEqual(store.blocks.usage(), { blocks: 1, bytes: 64 * KIB })
  })

  it('does not take small blocks for dead because of their headers', async () => {
    await using fixture = await StoreFixture.make()
    await using parts = await StoreParts.open(fixture, 4000)
    const blocks = Array.from({ length: 300 }, (_, i) => blockOf(`${i}`))
    for (const block of blocks) {
      await parts.blocks.put(block)
      await parts.blocks.flush()
    }
    const before = await readdir(fixture.path('segments'))
    await parts.compactor.run()
    assert.deepEqual(await readdir(fixture.path('segments')), before)
  })

  it('takes every deleted byte off the disk, and leaves the others as they are', async () => {
    await using fixture = await StoreFixture.make()
    const blocks = Array.from({ length: 12 }, (_, i) => secret(i))
    const [gone, ...rest] = blocks
    assert.ok(gone)
    await using store = await fixture.open()
    await putAll(store.blocks, blocks)
    const before = await bytesOnDisk(fixture)
    await deleteAll(store.blocks, [gone])
    await until(async () => !(await bytesOnDisk(fixture)).includes('private 0;'))
    const after = await bytesOnDisk(fixture)
    assert.equal(after.byteLength, before.byteLength, 'nothing was rewritten for so little')
    assert.equal(after.includes(Buffer.from(gone.cid.multihash.bytes)), false, 'its address is gone too')
    for (const block of rest) assert.deepEqual((await store.blocks.get(block.cid))?.bytes, block.bytes)
    assert.equal(await store.blocks.put(gone), true)
    await store.blocks.flush()
    assert.deepEqual((await store.blocks.get(gone.cid))?.bytes, gone.bytes)
  })

  it('finishes after a crash what a deletion had begun', async () => {
    await using fixture = await StoreFixture.make()
    const blocks = Array.from({ length: 12 }, (_, i) => secret(i))
    {
      await using parts = await StoreParts.open(fixture) // its compactor never runs
      await putAll(parts.blocks, blocks)
      await deleteAll(parts.blocks, blocks.slice(0, 1))
    }
    assert.ok((await bytesOnDisk(fixture)).includes('private 0;'))
    await using store = await fixture.open()
    await until(async () => !(await bytesOnDisk(fixture)).includes('private 0;'))
    for (const block of blocks.slice(1)) assert.deepEqual((await store.blocks.get(block.cid))?.bytes, block.bytes)
  })

  it('walks over what was overwritten, and round a damaged header', async () => {
    await using fixture = await StoreFixture.make()
    await using parts = await StoreParts.open(fixture, 8000)
    const blocks = Array.from({ length: 9 }, (_, i) => secret(i))
    await putAll(parts.blocks, blocks)
    await parts.blocks.put(blockOf('the next segment'))
    await deleteAll(parts.blocks, blocks.slice(1, 3))
    await parts.compactor.run()
    const damaged = parts.index.findBlock(blocks[4]?.cid.multihash.bytes ?? new Uint8Array(0))
    const file = await open(fixture.path('segments', '000001.seg'), 'r+')
    await file.write('?', (damaged?.offset ?? 0) - 50)
    await file.close()
    await deleteAll(parts.blocks, blocks.slice(5, 8))
    await parts.compactor.run()
    assert.equal((await readdir(fixture.path('segments'))).includes('000001.seg'), false)
    for (const i of [0, 3, 4, 8]) assert.deepEqual((await parts.blocks.get(blocks[i]?.cid ?? assert.fail()))?.bytes, blocks[i]?.bytes)
    assert.equal((await bytesOnDisk(fixture)).includes('private 5;'), false)
  })

  it('overwrites nothing that the index still names', async () => {
    await using fixture = await StoreFixture.make()
    await using parts = await StoreParts.open(fixture)
    const blocks = Array.from({ length: 3 }, (_, i) => secret(i))
    await putAll(parts.blocks, blocks)
    const place = parts.index.findBlock(blocks[1]?.cid.multihash.bytes ?? assert.fail())
    await parts.writer.commit(index => {
      for (const at of [(place?.offset ?? 0) - 50, 300, 10_000_000]) index.statement('INSERT INTO erasures VALUES (1, ?)').run(at)
    })
    await parts.compactor.run()
    for (const block of blocks) assert.deepEqual((await parts.blocks.get(block.cid))?.bytes, block.bytes)
    assert.equal(parts.index.statement('SELECT count(*) AS n FROM erasures').get()?.['n'], 0)
  })

  it('is seen by no reader: each finds every living block whole while segments go', async () => {
    await using fixture = await StoreFixture.make()
    await using parts = await StoreParts.open(fixture, 64 * KIB)
    const blocks = Array.from({ length: 400 }, (_, i) => secret(i, 2000))
    await putAll(parts.blocks, blocks)
    const living = blocks.filter((_, i) => i % 5 === 0)
    const done = new AbortController()
    const read = async (): Promise<number> => {
      let reads = 0
      while (!done.signal.aborted) {
        for (const block of living) assert.deepEqual((await parts.blocks.get(block.cid))?.bytes, block.bytes)
        reads += living.length
        await nextTurn()
      }
      return reads
    }
    const work = async (): Promise<void> => {
      for (let round = 0; round < 5; round++) {
        const dead = blocks.filter((_, i) => i % 5 !== 0)
        await deleteAll(parts.blocks, dead)
        await parts.compactor.run()
        await putAll(parts.blocks, dead)
      }
      done.abort()
    }
    const [reads] = await Promise.all([read(), read(), work()])
    assert.ok(reads > 0)
    assert.equal(parts.blocks.corruptCount, 0)
    assert.ok(!(await readdir(fixture.path('segments'))).includes('000001.seg'))
  })

  it('tries again by itself when the disk failed it', async () => {
    let isFailing = false
    await using fixture = await StoreFixture.make()
    await using parts = await StoreParts.open(fixture)
    const segments = parts.segments
    const blocks = Array.from({ length: 3 }, (_, i) => secret(i))
    await putAll(parts.blocks, blocks)
    const erase = segments.erase.bind(segments)
    Object.assign(segments, {
      erase: async (...parameters: Parameters<SegmentFiles['erase']>) => {
        if (isFailing) throw Object.assign(new Error('EIO: forced by the test'), { code: 'EIO' })
        await erase(...parameters)
      }
    })
    isFailing = true
    await deleteAll(parts.blocks, blocks.slice(0, 1))
    await parts.compactor.run()
    assert.ok((await bytesOnDisk(fixture)).includes('private 0;'))
    isFailing = false
    fixture.clock.fireAll()
    await until(async () => !(await bytesOnDisk(fixture)).includes('private 0;'))
    assert.equal(await codeOf(parts.blocks.flush()), undefined)
  })
})
