/** How long a store of a million small blocks takes to open, closed in order and after its process was killed. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openRealmStore } from '../../src/adapters/store/realm-store.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { createLog } from '../../src/adapters/system/log.ts'
import { verifyBlock, type VerifiedBlock } from '../../src/model/block.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import type { RealmStore } from '../../src/ports/record-store.ts'
import { Scratch, settleDisk } from './files.ts'
import { absoluteLine, median, type BenchSettings, type Line } from './measure.ts'

const TARGET_SECONDS = 2
/** Small, so that the index is what there is. Bytes. */
const BLOCK_BYTES = 64

export async function reopen({ quick, say }: BenchSettings): Promise<Line[]> {
  const [count, runs] = quick ? [20_000, 1] : [1_000_000, 5]
  await using scratch = await Scratch.make()
  const directory = join(scratch.path, 'store')
  say(`reopen: making a store of ${count} blocks`)
  await fill(directory, count)
  await settleDisk()
  const closed: number[] = []
  const killed: number[] = []
  for (let run = 1; run <= runs; run++) {
    say(`reopen: run ${run} of ${runs}`)
    closed.push(await secondsToOpen(directory))
    await rm(join(directory, 'index', 'index.sum')) // what a kill leaves behind a checkpoint
    killed.push(await secondsToOpen(directory))
  }
  const line = (name: string, values: number[]): Line =>
    absoluteLine({ case: 'reopen', name, value: median(values), unit: 's', runs: values }, { atMost: TARGET_SECONDS })
  return [line(`open a store of ${count} blocks`, closed), line('the same after a kill', killed)]
}

async function fill(directory: string, count: number): Promise<void> {
  await using store = await open(directory)
  for (let number = 0; number < count; number++) await store.blocks.put(numbered(number))
}

/** Until the first block is read. */
async function secondsToOpen(directory: string): Promise<number> {
  const { cid } = numbered(7)
  const startedAt = performance.now()
  await using store = await open(directory)
  if ((await store.blocks.get(cid)) === undefined) throw new Error('the store has lost a block')
  return (performance.now() - startedAt) / 1000
}

async function open(directory: string): Promise<RealmStore> {
  return await openRealmStore({ clock: systemClock, log: createLog({ level: 'silent', format: 'json' }) }, { directory, realm: 'public' })
}

function numbered(number: number): VerifiedBlock {
  const bytes = new Uint8Array(BLOCK_BYTES)
  new DataView(bytes.buffer).setUint32(0, number)
  return verifyBlock(rawCid(sha256(bytes)), bytes)
}
