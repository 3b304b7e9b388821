import assert from 'node:assert/strict'
import { MemoryBlockstore } from 'blockstore-core'
import { RealmBlockstore } from '../../../../src/adapters/helia/realm-blockstore.ts'
import { rawCid } from '../../../../src/model/content-id.ts'
import { sha256 } from '../../../../src/model/sha256.ts'

const BYTES = new TextEncoder().encode('a block')
const CID = rawCid(sha256(BYTES))

describe('realm blockstore', () => {
  it('does not read what it writes', async () => {
    const [readFrom, writeTo] = [new MemoryBlockstore(), new MemoryBlockstore()]
    const store = new RealmBlockstore({ readFrom, writeTo })
    await store.put(CID, BYTES)
    assert.equal(await store.has(CID), false)
    await assert.rejects(store.get(CID).next())
    assert.equal(await writeTo.has(CID), true)
    await readFrom.put(CID, BYTES)
    assert.equal(await store.has(CID), true)
    assert.deepEqual((await store.get(CID).next()).value, BYTES)
  })

  it('neither lists nor deletes', async () => {
    const store = new RealmBlockstore({ readFrom: new MemoryBlockstore(), writeTo: new MemoryBlockstore() })
    await assert.rejects(store.delete())
    await assert.rejects(store.deleteMany().next())
    await assert.rejects(store.getAll().next())
  })
})
