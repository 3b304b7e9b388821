/**
 * A bit flips in every file of a store in turn, one that was closed and one whose process was killed: everything reads
 * as it was, or what does not is set aside and counted, or the store is refused with the file's name and what to do.
 * KITH_SEED replays the places.
 */
import assert from 'node:assert/strict'
import { cp, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { decode } from 'multiformats/hashes/digest'
import { KithError } from '../../src/errors.ts'
import type { VerifiedBlock } from '../../src/model/block.ts'
import { RAW_CODEC } from '../../src/model/content-id.ts'
import type { ContentRecord, RealmStore } from '../../src/ports/record-store.ts'
import { blockOf, codeOf, recordOf } from '../conformance/builders.ts'
import { Dice, SEED } from './dice.ts'
import { memoryDirectory } from './memory-directory.ts'
import { openStore } from './store-life.ts'

/** Places tried in each file beside its first bytes. */
const PLACES = 60
/** Headers of every file lie in them. Bytes. */
const HEAD_BYTES = 100

type Outcome = 'whole' | 'counted' | 'refused' | 'last commit undone'

interface Contents {
  readonly blocks: VerifiedBlock[]
  readonly records: ContentRecord[]
  /** What the last commit before the kill wrote. */
  readonly last: VerifiedBlock
}

async function fill(store: RealmStore): Promise<Contents> {
  const contents: Contents = {
    blocks: Array.from({ length: 120 }, (_, i) => blockOf(`block ${i} `.repeat(1 + 11 * i))),
    records: Array.from({ length: 40 }, (_, i) => recordOf(`content ${i}`, { name: `name ${i}`, type: 'note', createdAt: i })),
    last: blockOf('the last commit')
  }
  for (const [i, block] of contents.blocks.entries()) {
    await store.blocks.put(block)
    const record = contents.records[i]
    if (record !== undefined) await store.records.put(record)
  }
  await store.blocks.delete(blockOf('block 0 ').cid)
  await store.blocks.put(blockOf('block 0 '))
  await store.blocks.flush()
  await store.blocks.put(contents.last)
  await store.blocks.flush()
  return contents
}

/** What is found after damage; throws if that is neither right nor said. */
async function look(directory: string, contents: Contents): Promise<Outcome> {
  let store: RealmStore
  try {
    store = await openStore(directory)
  } catch (error) {
    assert.ok(error instanceof KithError && error.code === 'START_FAILED', String(error))
    assert.match(error.message, /index\.db|\.seg|index\/|segments\//)
    assert.match(error.message, /restore|Restore|Update|Move|Put the directory|Check/)
    return 'refused'
  }
  await using opened = store
  const missing = await missingOf(opened, contents.blocks)
  const isLastMissing = (await missingOf(opened, [contents.last])) > 0
  for await (const key of opened.blocks.keys()) await codeOf(opened.blocks.get(CID.createV1(RAW_CODEC, decode(key)))) // as content.verify does
  const damagedRecords = await damagedOf(opened, contents.records)
  const { blocks, files } = opened.damage()
  const counted = files.reduce((sum, file) => sum + file.blocks, blocks)
  const isUndone = isLastMissing && counted === 0
  assert.ok(missing + (isLastMissing && !isUndone ? 1 : 0) <= counted, `${missing} blocks are missing, ${counted} were counted`)
  if (isUndone) return 'last commit undone'
  return missing + damagedRecords + counted > 0 ? 'counted' : 'whole'
}

async function missingOf(store: RealmStore, blocks: readonly VerifiedBlock[]): Promise<number> {
  let missing = 0
  for (const block of blocks) {
    const found = await store.blocks.get(block.cid).catch((error: unknown) => {
      if (error instanceof KithError && error.code === 'UNAVAILABLE') return 'refused' as const // a cipher that there is not
      throw error
    })
    if (found === undefined) missing++
    else if (found !== 'refused') assert.deepEqual(found.bytes, block.bytes)
  }
  return missing
}

/** A damaged record is never taken for one that is not there. */
async function damagedOf(store: RealmStore, records: readonly ContentRecord[]): Promise<number> {
  let damaged = 0
  for (const record of records) {
    const code = await codeOf(
      (async () => {
        const found = store.records.get(record.root)
        assert.deepEqual({ ...found, root: undefined, sha256: undefined }, { ...record, root: undefined, sha256: undefined })
      })()
    )
    if (code !== undefined) damaged++
  }
  return damaged
}

async function flip(path: string, at: number, bit: number): Promise<void> {
  await using file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  byte.writeUInt8((byte.at(0) ?? 0) ^ (1 << bit))
  await file.write(byte, 0, 1, at)
}

describe('a flipped bit in a store', function () {
  this.timeout(300_000)

  for (const state of ['closed', 'killed', 'killed behind a checkpoint'] as const) {
    it(`that was ${state} is found, or does no harm`, async () => {
      await using directory = await memoryDirectory()
      const dice = new Dice(SEED)
      const [origin, kept, tried] = ['origin', 'kept', 'tried'].map(name => join(directory.path, name))
      assert.ok(origin !== undefined && kept !== undefined && tried !== undefined)
      let contents: Contents
      {
        await using store = await openStore(origin)
        contents = await fill(store)
        if (state === 'killed') await cp(origin, kept, { recursive: true }) // what a kill leaves
      }
      if (state !== 'killed') await cp(origin, kept, { recursive: true })
      if (state === 'killed behind a checkpoint') await rm(join(kept, 'index', 'index.sum'))
      for (const name of await filesOf(kept)) {
        const outcomes: Record<Outcome, number> = { whole: 0, counted: 0, refused: 0, 'last commit undone': 0 }
        const { size } = await stat(join(kept, name))
        for (let place = 0; place < PLACES; place++) {
          await rm(tried, { recursive: true, force: true })
          await cp(kept, tried, { recursive: true })
          const at = place % 3 === 0 ? dice.below(Math.min(size, HEAD_BYTES)) : dice.below(size)
          const bit = dice.below(8)
          await flip(join(tried, name), at, bit)
          try {
            outcomes[await look(tried, contents)]++
          } catch (error) {
            throw new Error(`bit ${bit} of byte ${at} of ${size} in ${name} (KITH_SEED=${SEED})`, { cause: error })
          }
        }
        console.log(`      ${state} ${name.padEnd(22)} ${JSON.stringify(outcomes)}`)
        assert.ok(outcomes['last commit undone'] === 0 || name.endsWith('-wal'))
      }
    })
  }
})

async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .toSorted()
}
