/** The bytes of version 1 as docs/store-format.md gives them: a change that breaks old stores fails here. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { decodeRecord, encodeRecord } from '../../src/adapters/store/record-codec.ts'
import { openRealmStore } from '../../src/adapters/store/realm-store.ts'
import {
  BLOCK_HEADER_BYTES,
  decodeBlockHeader,
  decodeSegmentHeader,
  encodeSegmentHeader,
  erasedBlock,
  writeBlockHeader
} from '../../src/adapters/store/segment-format.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { blockOf, recordOf } from '../conformance/builders.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const SEGMENT_HEADER = '4b4954485345470a' + '0001' + '0003' + '00000001' + '6f776e' + '00'.repeat(237)
const BLOCK =
  '4b424c4b' +
  '00' +
  '22' +
  '0000' +
  '00000005' +
  '89688a3f' +
  '1220' +
  '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824' +
  '68656c6c6f'

describe('the store format, version 1', () => {
  it('writes the bytes of the document', async () => {
    await using directory = await temporaryDirectory()
    {
      await using store = await openRealmStore({ clock: systemClock, log: silentLog }, { directory: directory.path, realm: 'own' })
      await store.blocks.put(blockOf('hello'))
      await store.records.put(recordOf('hello', { name: 'greeting' }))
    }
    assert.equal((await readFile(`${directory.path}/segments/000001.seg`)).toString('hex'), SEGMENT_HEADER + BLOCK)
    const db = new DatabaseSync(`${directory.path}/index/index.db`)
    assert.deepEqual(
      { ...db.prepare('SELECT hex(hash) AS hash, segment, offset, length, cipher FROM blocks').get() },
      { hash: BLOCK.slice(32, 100).toUpperCase(), segment: 1, offset: 306, length: 5, cipher: 0 }
    )
    assert.deepEqual(
      { ...db.prepare('SELECT number, length, blocks, bytes FROM segments').get() },
      { number: 1, length: 311, blocks: 1, bytes: 5 }
    )
    const payload = db.prepare('SELECT payload FROM records').get()?.['payload']
    assert.ok(payload instanceof Uint8Array)
    assert.deepEqual([...payload.subarray(0, 2)], [2, 0])
    db.close()
  })

  it('reads what it wrote', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 255 }), fc.nat({ max: 2 ** 21 }), (multihash, payloadLength) => {
        const header = Buffer.alloc(BLOCK_HEADER_BYTES + multihash.byteLength)
        writeBlockHeader(header, 0, multihash, payloadLength)
        assert.deepEqual(decodeBlockHeader(header), { cipher: 0, multihashLength: multihash.byteLength, payloadLength })
      })
    )
    assert.deepEqual(decodeSegmentHeader(encodeSegmentHeader(7, 'groups/family')), { version: 1, number: 7, realm: 'groups/family' })
  })

  it('takes no damaged header for a block', () => {
    fc.assert(
      fc.property(fc.nat({ max: BLOCK_HEADER_BYTES + 33 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const header = Buffer.from(BLOCK, 'hex')
        header[at] = (header[at] ?? 0) ^ flip
        assert.ok(at === 6 || at === 7 || decodeBlockHeader(header) === undefined || decodeBlockHeader(header)?.payloadLength === 5)
      })
    )
    assert.equal(decodeBlockHeader(Buffer.alloc(10)), undefined)
    assert.equal(decodeSegmentHeader(Buffer.alloc(300)), undefined)
  })

  it('overwrites a deleted block with zeros that a scan walks over', () => {
    const erased = erasedBlock({ multihashLength: 34, payloadLength: 5 })
    assert.equal(erased.toString('hex'), '4b424c4bff22000000000005' + erased.subarray(12, 16).toString('hex') + '00'.repeat(39))
    assert.deepEqual(decodeBlockHeader(erased), { cipher: 255, multihashLength: 34, payloadLength: 5 })
  })

  it('finds a record that changed, and reads those of version 1, which have no checksum', () => {
    const record = recordOf('hello', { name: 'greeting' })
    const payload = encodeRecord(record)
    for (let at = 0; at < payload.byteLength; at++) {
      const changed = Uint8Array.from(payload)
      changed[at] = (changed[at] ?? 0) ^ 4
      assert.throws(() => decodeRecord(changed, 0), { code: 'UNAVAILABLE' })
    }
    const old = Uint8Array.from([1, 0, ...payload.subarray(6)])
    assert.equal(decodeRecord(old, 0).name, 'greeting')
  })

  it('refuses records of a version or cipher it does not know', () => {
    for (const payload of [[3, 0], [2, 1], []]) assert.throws(() => decodeRecord(Uint8Array.from(payload), 0), { code: 'UNAVAILABLE' })
  })
})
