import './aegir-chai.ts'
import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { memoryRealmStore } from '../../../../src/adapters/memory/memory-realm-store.ts'
import { toInterfaceBlockstore } from '../../../../src/adapters/store/interface-blockstore.ts'
import { IDENTITY_CODE, RAW_CODEC } from '../../../../src/model/content-id.ts'
import { MIB } from '../../../../src/model/units.ts'
import { blockOf, codeOf } from '../../../conformance/builders.ts'
import { temporaryStore } from './store-fixture.ts'

const { interfaceBlockstoreTests } = await import('interface-blockstore-tests')

for (const [name, open] of [
  ['memoryRealmStore', async () => memoryRealmStore()],
  ['openRealmStore', temporaryStore]
] as const) {
  describe(`${name} passes the suite of interface-blockstore`, () => {
    const stack = new AsyncDisposableStack()
    after(async () => {
      await stack.disposeAsync()
    })
    interfaceBlockstoreTests({
      setup: async () => {
        const { blocks } = stack.use(await open())
        return toInterfaceBlockstore({ write: blocks, read: [blocks] })
      },
      teardown: () => {}
    })
  })
}

describe('a blockstore for libraries', () => {
  it('writes into one realm and reads the others in order, never more', async () => {
    const [cache, shared, own] = [memoryRealmStore().blocks, memoryRealmStore().blocks, memoryRealmStore().blocks]
    const store = toInterfaceBlockstore({ write: cache, read: [cache, shared] })
    const [a, b, c] = [blockOf('shared'), blockOf('fetched'), blockOf('own')]
    await shared.put(a)
    await own.put(c)
    await store.put(b.cid, b.bytes)
    await store.put(a.cid, a.bytes)
    assert.equal((await own.has(b.cid)) || (await shared.has(b.cid)), false)
    assert.deepEqual([await store.has(a.cid), await store.has(b.cid), await store.has(c.cid)], [true, true, false])
    assert.deepEqual(await bytesOf(store.get(a.cid)), a.bytes)
    assert.deepEqual((await collect(store.getAll())).length, 2)
    await store.delete(a.cid)
    assert.deepEqual([await shared.has(a.cid), await cache.has(a.cid)], [true, false])
  })

  it('takes no bytes that are not the block, and no stream without end', async () => {
    const { blocks } = memoryRealmStore()
    const store = toInterfaceBlockstore({ write: blocks, read: [blocks] })
    const { cid } = blockOf('right')
    assert.equal(await codeOf(Promise.resolve(store.put(cid, new Uint8Array(5)))), 'INTEGRITY')
    const endless = function* () {
      for (;;) yield new Uint8Array(MIB)
    }
    assert.equal(await codeOf(Promise.resolve(store.put(cid, endless()))), 'TOO_LARGE')
    assert.equal(blocks.usage().blocks, 0)
  })

  it('answers identity CIDs out of themselves and stores nothing', async () => {
    const { blocks } = memoryRealmStore()
    const store = toInterfaceBlockstore({ write: blocks, read: [blocks] })
    const cid = CID.createV1(RAW_CODEC, createDigest(IDENTITY_CODE, Uint8Array.of(1, 2, 3)))
    assert.equal(await store.has(cid), true)
    assert.deepEqual(await bytesOf(store.get(cid)), Uint8Array.of(1, 2, 3))
    await store.put(cid, Uint8Array.of(1, 2, 3))
    assert.equal(blocks.usage().blocks, 0)
  })
})

async function bytesOf(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return Uint8Array.from(Buffer.concat(await collect(chunks)))
}

async function collect<T>(items: Iterable<T> | AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
