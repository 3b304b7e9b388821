import assert from 'node:assert/strict'
import { memoryRealmStore } from '../../../src/adapters/memory/memory-realm-store.ts'
import { Births, BlockWriter } from '../../../src/content/block-writer.ts'
import { rawCid } from '../../../src/model/content-id.ts'
import { sha256 } from '../../../src/model/sha256.ts'
import type { RealmStore } from '../../../src/ports/record-store.ts'

describe('BlockWriter', () => {
  const bytes = Buffer.from('brought twice')
  const cid = rawCid(sha256(bytes))

  /** A store whose deletions wait, as those of a full disk queue do. */
  function slowToDelete(gate: Promise<void>): RealmStore {
    const realm = memoryRealmStore()
    const { blocks } = realm
    const drop = blocks.delete.bind(blocks)
    blocks.delete = async (...args) => {
      await gate
      await drop(...args)
    }
    return realm
  }

  it('spares what another put came to count on while the deletion waited', async () => {
    const gate = Promise.withResolvers<void>()
    const [realm, births] = [slowToDelete(gate.promise), new Births()]
    const failing = new BlockWriter(births, realm)
    await failing.put(cid, bytes)
    const undone = failing.undo()
    const other = new BlockWriter(births, realm)
    await other.put(cid, bytes)
    other.release()
    other.keep()
    gate.resolve()
    await undone
    assert.equal(await realm.blocks.has(cid), true)
    assert.equal(realm.withheld.has(cid.multihash.bytes), false)
  })

  it('takes back what nobody else brings, and goes on withholding it', async () => {
    const [realm, births] = [memoryRealmStore(), new Births()]
    const failing = new BlockWriter(births, realm)
    await failing.put(cid, bytes)
    await failing.undo()
    assert.equal(await realm.blocks.has(cid), false)
    assert.equal(realm.withheld.has(cid.multihash.bytes), true)
  })
})
