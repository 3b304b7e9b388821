/** What every BlockStore promises (src/ports/block-store.ts). */
import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { MIB } from '../../src/model/units.ts'
import type { BlockStore } from '../../src/ports/block-store.ts'
import type { RealmStore } from '../../src/ports/record-store.ts'
import { blockOf, codeOf, collectKeys, filled } from './builders.ts'

export interface OpenOptions {
  readonly maxBytes?: number
}

/** @param open a new, empty store; the suite closes it */
export function blockStoreConformance(name: string, open: (options: OpenOptions) => Promise<RealmStore>): void {
  const withStore =
    (work: (store: BlockStore) => Promise<void>, options: OpenOptions = {}) =>
    async (): Promise<void> => {
      await using store = await open(options)
      await work(store.blocks)
    }

  describe(`${name} as a BlockStore`, () => {
    it(
      'returns what was put, before and after a flush',
      withStore(async store => {
        const block = blockOf('hello')
        assert.equal(await store.put(block), true)
        assert.deepEqual((await store.get(block.cid))?.bytes, block.bytes)
        await store.flush()
        assert.deepEqual((await store.get(block.cid))?.bytes, block.bytes)
        assert.equal(await store.has(block.cid), true)
      })
    )

    it(
      'knows nothing of what was never put',
      withStore(async store => {
        const { cid } = blockOf('absent')
        assert.equal(await store.has(cid), false)
        assert.equal(await store.get(cid), undefined)
        await store.delete(cid)
      })
    )

    it(
      'says that a block is not new the second time, pending or durable',
      withStore(async store => {
        const block = blockOf('twice')
        assert.equal(await store.put(block), true)
        assert.equal(await store.put(block), false)
        await store.flush()
        assert.equal(await store.put(block), false)
        assert.deepEqual(store.usage(), { blocks: 1, bytes: 5 })
      })
    )

    it(
      'finds a block under every CID with its multihash and answers with the CID asked for',
      withStore(async store => {
        const block = blockOf('same bytes')
        const v0 = CID.createV0(block.cid.multihash as Parameters<typeof CID.createV0>[0])
        await store.put(block)
        for (let round = 0; round < 2; round++) {
          assert.equal(await store.has(v0), true)
          assert.equal((await store.get(v0))?.cid, v0)
          await store.flush()
        }
      })
    )

    it(
      'keeps blocks of 0 bytes, 1 byte and 2 MiB',
      withStore(async store => {
        const blocks = [0, 1, 2 * MIB].map(size => filled(size, 3))
        for (const block of blocks) await store.put(block)
        await store.flush()
        for (const block of blocks) assert.deepEqual(Buffer.from((await store.get(block.cid))?.bytes ?? []), Buffer.from(block.bytes))
      })
    )

    it(
      'forgets a deleted block at once, pending or durable, and takes it again',
      withStore(async store => {
        const block = blockOf('deleted')
        for (const flush of [
          async () => {},
          async () => {
            await store.flush()
          }
        ]) {
          assert.equal(await store.put(block), true)
          await flush()
          await store.delete(block.cid)
          assert.equal(await store.has(block.cid), false)
          assert.equal(await store.get(block.cid), undefined)
          assert.deepEqual(store.usage(), { blocks: 0, bytes: 0 })
          await flush()
          assert.equal(await store.has(block.cid), false)
        }
        assert.equal(await store.put(block), true)
        await store.flush()
        assert.deepEqual((await store.get(block.cid))?.bytes, block.bytes)
      })
    )

    it(
      'lists the multihash of every block once, pending and durable ones',
      withStore(async store => {
        const blocks = Array.from({ length: 2100 }, (_, i) => blockOf(`block ${i}`))
        for (const block of blocks.slice(0, 2050)) await store.put(block)
        await store.flush()
        for (const block of blocks.slice(2050)) await store.put(block)
        const gone = blocks.splice(7, 1)[0]
        if (gone !== undefined) await store.delete(gone.cid)
        assert.deepEqual(await collectKeys(store), blocks.map(block => Buffer.from(block.cid.multihash.bytes).toString('hex')).toSorted())
      })
    )

    it(
      'takes many puts at once and loses none',
      withStore(async store => {
        const blocks = Array.from({ length: 300 }, (_, i) => filled(1000 + i, i))
        await Promise.all(
          blocks.map(async block => {
            await store.put(block)
          })
        )
        await Promise.all([store.flush(), store.flush()])
        const found = await Promise.all(blocks.map(async block => await store.get(block.cid)))
        assert.deepEqual(
          found.map(block => block?.bytes.byteLength),
          blocks.map(block => block.bytes.byteLength)
        )
      })
    )

    it(
      'takes more than it may hold in memory, by making the caller wait',
      withStore(async store => {
        const blocks = Array.from({ length: 48 }, (_, i) => filled(MIB, i))
        await Promise.all(
          blocks.map(async block => {
            await store.put(block)
          })
        )
        assert.deepEqual(store.usage(), { blocks: 48, bytes: 48 * MIB })
        for (const block of blocks) assert.equal((await store.get(block.cid))?.bytes.byteLength, MIB)
      })
    )

    it(
      'refuses a put beyond its quota, deletes nothing for it, and takes smaller ones',
      withStore(
        async store => {
          const first = filled(600, 1)
          await store.put(first)
          assert.equal(await codeOf(store.put(filled(500, 2))), 'QUOTA_EXCEEDED')
          assert.equal(await store.put(first), false)
          assert.equal(await store.put(filled(400, 3)), true)
          await store.delete(first.cid)
          assert.equal(await store.put(filled(500, 2)), true)
        },
        { maxBytes: 1000 }
      )
    )

    it(
      'asks nothing of the disk for a caller who has given up',
      withStore(async store => {
        const block = blockOf('aborted')
        const signal = AbortSignal.abort()
        await assert.rejects(store.put(block, { signal }), { name: 'AbortError' })
        await assert.rejects(store.get(block.cid, { signal }), { name: 'AbortError' })
        assert.equal(await store.has(block.cid), false)
      })
    )
  })
}
