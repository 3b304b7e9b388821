/**
 * A store on a disk that is full, a small file system in memory: writes are refused with QUOTA_EXCEEDED, reads go on,
 * nothing acknowledged is lost, and it goes on by itself when there is room again.
 */
import assert from 'node:assert/strict'
import { open, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { KIB, MIB } from '../../src/model/units.ts'
import type { VerifiedBlock } from '../../src/model/block.ts'
import type { RealmStore } from '../../src/ports/record-store.ts'
import { blockOf, codeOf, recordOf } from '../conformance/builders.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { StoreFixture, until } from '../unit/adapters/store/store-fixture.ts'
import { cannotMount, missing, run, skipIf } from './machine.ts'

const DISK_BYTES = 16 * MIB
const BLOCK_BYTES = 64 * KIB
const SEGMENT_BYTES = MIB

class SmallDisk implements AsyncDisposable {
  readonly path: string
  private constructor(path: string) {
    this.path = path
    run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', path])
  }
  static async make(path: string): Promise<SmallDisk> {
    return new SmallDisk(path)
  }

  grow(): void {
    run('mount', ['-o', `remount,size=${2 * DISK_BYTES}`, this.path])
  }

  /** Somebody else takes all that is left. */
  async fill(): Promise<void> {
    await using file = await open(join(this.path, 'of somebody else'), 'w')
    const { bavail, bsize } = await statfs(this.path)
    for (let left = bavail; left > 0; left = (await statfs(this.path)).bavail)
      await file.write(Buffer.alloc(Math.min(left * bsize, MIB), 1))
  }

  async empty(): Promise<void> {
    await unlink(join(this.path, 'of somebody else'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    run('umount', [this.path])
  }
}

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
    onSmallDisk(async (_disk, fixture) => {
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
