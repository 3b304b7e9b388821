/**
 * A store on a disk that is full, a small file system in memory: writes are refused with QUOTA_EXCEEDED, reads go on,
 * nothing acknowledged is lost, and it goes on by itself when there is room again.
 */
import assert from 'node:assert/strict'
import { statfs } from 'node:fs/promises'
import { KIB, MIB } from '../../src/model/units.ts'
import type { VerifiedBlock } from '../../src/model/block.ts'
import type { RealmStore } from '../../src/ports/record-store.ts'
import { blockOf, codeOf, recordOf } from '../conformance/builders.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { StoreFixture } from '../unit/adapters/store/store-fixture.ts'
import { cannotMount, missing, skipIf } from './machine.ts'
import { DISK_BYTES, SmallDisk } from './small-disk.ts'

const BLOCK_BYTES = 64 * KIB
const SEGMENT_BYTES = MIB

function numbered(number: number): VerifiedBlock {
  return blockOf(new Uint8Array(Buffer.alloc(BLOCK_BYTES, `block ${number} `)))
}

/** Puts until the disk is full. @returns what was acknowledged */
async function putUntilFull(store: RealmStore, first: number): Promise<VerifiedBlock[]> {
  const acknowledged: VerifiedBlock[] = []
  for (let number = first; ; number += 4) {
    const blocks = Array.from({ length: 4 }, (_, i) => numbered(number + i))
    const codes = await Promise.all(blocks.map(async block => await codeOf(store.blocks.put(block))))
    const code = codes.find(found => found !== undefined) ?? (await codeOf(store.blocks.flush()))
    if (code === undefined) acknowledged.push(...blocks)
    else {
      assert.equal(code, 'QUOTA_EXCEEDED')
      for (const block of blocks) await store.blocks.delete(block.cid) // as a put that fails does
      return acknowledged
    }
  }
}

async function assertWhole(store: RealmStore, blocks: readonly VerifiedBlock[]): Promise<void> {
  for (const block of blocks) assert.deepEqual((await store.blocks.get(block.cid))?.bytes, block.bytes)
  assert.equal(store.corruptCount(), 0)
}

describe('a store on a full disk', () => {
  before(function () {
    skipIf(this, missing('mount', 'unshare') ?? cannotMount())
  })

  const onSmallDisk = (work: (disk: SmallDisk, fixture: StoreFixture) => Promise<void>) => async (): Promise<void> => {
    await using directory = await temporaryDirectory()
    await using disk = await SmallDisk.make(directory.path)
    await using fixture = StoreFixture.at(disk.path)
    await work(disk, fixture)
  }

  it(
    'refuses to write, reads on, and goes on when content is deleted',
    onSmallDisk(async (disk, fixture) => {
      const init = { segmentBytes: SEGMENT_BYTES }
      let kept: VerifiedBlock[] = []
      {
        await using store = await fixture.open(init)
        const acknowledged = await putUntilFull(store, 0)
        assert.ok(acknowledged.length * BLOCK_BYTES > DISK_BYTES / 2)
        await assertWhole(store, acknowledged)
        const half = acknowledged.length / 2
        for (const block of acknowledged.slice(0, half)) await store.blocks.delete(block.cid)
        await store.blocks.flush()
        kept = acknowledged.slice(half)
        await until(async () => (await statfs(disk.path)).bavail > 1024)
        await until(
          async () => (await codeOf(store.blocks.put(numbered(1_000)))) === undefined && (await codeOf(store.blocks.flush())) === undefined
        )
        kept.push(numbered(1_000), ...(await putUntilFull(store, 2_000)))
        assert.ok(kept.length > half + 8)
        await assertWhole(store, kept)
      }
      await using store = await fixture.open(init)
      await assertWhole(store, kept)
    })
  )

  it(
    'deletes and gives space back when somebody else left not one byte',
    onSmallDisk(async (disk, fixture) => {
      await using store = await fixture.open({ segmentBytes: SEGMENT_BYTES })
      const blocks = Array.from({ length: 64 }, (_, i) => numbered(i))
      for (const [i, block] of blocks.entries()) {
        await store.blocks.put(block)
        if (i % 16 === 15) await store.blocks.flush() // ends a segment
      }
      await store.records.put(recordOf('kept'))
      await disk.fill()
      await store.blocks.put(numbered(100))
      assert.equal(await codeOf(store.blocks.flush()), 'QUOTA_EXCEEDED')
      await store.blocks.delete(numbered(100).cid)
      for (const block of blocks.slice(0, 48)) await store.blocks.delete(block.cid)
      await store.blocks.flush()
      await until(async () => (await statfs(disk.path)).bavail > 256)
      await store.blocks.put(numbered(101))
      await store.blocks.flush()
      await assertWhole(store, [...blocks.slice(48), numbered(101)])
      for (const block of blocks.slice(0, 48)) assert.equal(await store.blocks.has(block.cid), false)
      assert.ok(store.records.get(recordOf('kept').root))
    })
  )

  it(
    'deletes all of it when its own blocks have filled it, block by block, and takes as much again',
    onSmallDisk(async (disk, fixture) => {
      await using store = await fixture.open()
      const filled = async (first: number): Promise<VerifiedBlock[]> => {
        const blocks: VerifiedBlock[] = []
        for (let number = first; ; number++) {
          const block = numbered(number)
          const { root } = recordOf(`record ${number}`)
          const codes = [await codeOf(store.blocks.put(block)), await codeOf(store.records.put(recordOf(`record ${number}`)))]
          if (codes.every(code => code === undefined)) blocks.push(block)
          else {
            assert.equal(codes.at(-1), 'QUOTA_EXCEEDED')
            await store.blocks.delete(block.cid)
            await store.records.remove(root)
            return blocks
          }
        }
      }
      const blocks = await filled(0)
      assert.ok(blocks.length * BLOCK_BYTES > DISK_BYTES / 2)
      for (const [number, block] of blocks.entries()) {
        await store.remembered.add([block.cid.multihash.bytes])
        assert.equal(await store.records.remove(recordOf(`record ${number}`).root), true)
        await store.blocks.delete(block.cid)
        await store.blocks.flush()
      }
      assert.deepEqual(store.blocks.usage(), { blocks: 0, bytes: 0 })
      await until(async () => (await statfs(disk.path)).bavail * 4096 > DISK_BYTES * 0.7)
      assert.ok((await filled(1_000)).length > blocks.length * 0.8)
    })
  )

  it(
    'is opened when there is not one byte left, reads, and lets go of what a crash left half done',
    onSmallDisk(async (disk, fixture) => {
      const kept = numbered(1)
      {
        await using store = await fixture.open()
        await store.blocks.put(kept)
        await store.records.put(recordOf('kept'))
        store.withheld.add(numbered(2).cid.multihash.bytes, 'unborn')
        await store.blocks.put(numbered(2))
        await store.blocks.flush()
      }
      await disk.fill()
      await using store = await fixture.open()
      await assertWhole(store, [kept])
      assert.ok(store.records.get(recordOf('kept').root))
      assert.equal(await store.blocks.has(numbered(2).cid), false)
      await store.blocks.delete(kept.cid)
      await store.blocks.flush()
      assert.equal(await store.blocks.has(kept.cid), false)
    })
  )

  for (const [how, makeRoom] of [
    ['the disk grows', async (disk: SmallDisk) => disk.grow()],
    ['somebody else deletes', async (disk: SmallDisk) => await disk.empty()]
  ] as const) {
    it(
      `goes on by itself, with what it had accepted, when ${how}`,
      onSmallDisk(async (disk, fixture) => {
        {
          await using store = await fixture.open()
          await store.records.put(recordOf('before'))
          await disk.fill()
          await store.blocks.put(numbered(1))
          const codes = [codeOf(store.blocks.flush()), codeOf(store.records.put(recordOf('during')))]
          assert.deepEqual(await Promise.all(codes), ['QUOTA_EXCEEDED', 'QUOTA_EXCEEDED'])
          assert.ok(store.records.get(recordOf('before').root))
          await makeRoom(disk)
          fixture.clock.fireAll() // its own next try
          await store.records.remove(recordOf('none').root) // waits for that
          await assertWhole(store, [numbered(1)])
        }
        await using store = await fixture.open()
        await assertWhole(store, [numbered(1)])
        assert.equal(store.records.get(recordOf('during').root), undefined)
      })
    )
  }

  it(
    'keeps its reserve free of blocks, and so gives space back that takes room to give',
    onSmallDisk(async (disk, fixture) => {
      await using store = await fixture.open({ reserveShare: 0.5 }) // one segment
      const acknowledged = await putUntilFull(store, 0)
      const { bavail, blocks } = await statfs(disk.path)
      assert.ok(bavail >= blocks / 2 - 256, 'but for a commit of the index')
      for (const block of acknowledged.slice(0, -20)) await store.blocks.delete(block.cid)
      await store.blocks.flush()
      await until(async () => (await statfs(disk.path)).bavail > bavail + 512)
      assert.equal(await store.blocks.put(numbered(1_000)), true)
      await store.blocks.flush()
      await assertWhole(store, acknowledged.slice(-20))
    })
  )

  it(
    'loses no record when the index or its log cannot grow',
    onSmallDisk(async (disk, fixture) => {
      const long = 'n'.repeat(200_000)
      let count = 0
      {
        await using store = await fixture.open()
        let code: string | undefined
        while (code === undefined) {
          code = await codeOf(store.records.put(recordOf(`record ${count}`, { name: long })))
          if (code === undefined) count++
        }
        assert.equal(code, 'QUOTA_EXCEEDED')
        assert.ok(count > 10)
        for (let i = 0; i < count; i++) assert.equal(store.records.get(recordOf(`record ${i}`).root)?.name, long)
        assert.equal(await store.records.remove(recordOf('record 0').root), true)
        disk.grow()
        await store.records.put(recordOf('after'))
      }
      await using store = await fixture.open()
      for (let i = 1; i < count; i++) assert.equal(store.records.get(recordOf(`record ${i}`).root)?.name, long)
      assert.equal(store.records.get(recordOf('record 0').root), undefined)
      assert.ok(store.records.get(recordOf('after').root))
    })
  )
})
