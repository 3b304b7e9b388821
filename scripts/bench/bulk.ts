/** A hundred thousand small blocks made durable: by the store alone, and by a daemon that is given a folder of files. */
import { createHash, randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { openRealmStore } from '../../src/adapters/store/realm-store.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { createLog } from '../../src/adapters/system/log.ts'
import { verifyBlock, type VerifiedBlock } from '../../src/model/block.ts'
import { DaemonProcess } from '../lib/daemon-process.ts'
import { MIB, Scratch, settleDisk } from './files.ts'
import { absoluteLine, median, type BenchSettings, type Line } from './measure.ts'

const BLOCK_BYTES = 4096
const TARGET_BLOCKS = 20_000
const RAW = 0x55
const SHA2_256 = 0x12

export async function bulk({ quick, say }: BenchSettings): Promise<Line[]> {
  const [count, runs] = quick ? [5_000, 1] : [100_000, 3]
  await using scratch = await Scratch.make()
  const rates: { readonly store: number[]; readonly folder: number[]; readonly bare: number[] } = { store: [], folder: [], bare: [] }
  for (let run = 1; run <= runs; run++) {
    say(`bulk: run ${run} of ${runs}, flushing plain bytes`)
    rates.bare.push(await plainWrites(join(scratch.path, `plain-${run}`), count))
    say(`bulk: run ${run} of ${runs}, the store`)
    rates.store.push(await storePuts(join(scratch.path, `store-${run}`), count))
    say(`bulk: run ${run} of ${runs}, a folder of files`)
    rates.folder.push(await folderPut(scratch, count))
  }
  const reference = { name: 'append, fdatasync each MiB', value: median(rates.bare) }
  const line = (name: string, values: number[], target?: { readonly atLeast: number }): Line =>
    absoluteLine({ case: 'bulk', name, value: median(values), unit: 'blocks/s', runs: values, reference }, target)
  return [
    line(`${count} × 4 KiB into the store, durable`, rates.store, { atLeast: TARGET_BLOCKS }),
    line(`content.put of a folder of ${count} × 4 KiB`, rates.folder)
  ]
}

async function plainWrites(path: string, count: number): Promise<number> {
  const blocks = draw(count)
  await using file = await open(path, 'w')
  const startedAt = performance.now()
  let unflushed = 0
  for (const block of blocks) {
    await file.write(block)
    unflushed += BLOCK_BYTES
    if (unflushed < MIB) continue
    await file.datasync()
    unflushed = 0
  }
  await file.datasync()
  return (count * 1000) / (performance.now() - startedAt)
}

/** Hashing is measured too: no block enters a store unverified. */
async function storePuts(directory: string, count: number): Promise<number> {
  const made = draw(count).map(bytes => ({ cid: addressOf(bytes), bytes }))
  await using store = await openRealmStore(
    { clock: systemClock, log: createLog({ level: 'silent', format: 'json' }) },
    { directory, realm: 'public' }
  )
  const startedAt = performance.now()
  for (const { cid, bytes } of made) {
    const block: VerifiedBlock = verifyBlock(cid, bytes)
    await store.blocks.put(block)
  }
  await store.blocks.flush()
  const rate = (count * 1000) / (performance.now() - startedAt)
  if (store.blocks.usage().blocks !== count) throw new Error(`the store holds ${store.blocks.usage().blocks} blocks`)
  return rate
}

async function folderPut(scratch: Scratch, count: number): Promise<number> {
  const path = await scratch.folder(count, BLOCK_BYTES)
  await settleDisk()
  await using daemon = await DaemonProcess.start()
  const startedAt = performance.now()
  const { blocks } = await daemon.client.call('content.put', { path })
  const rate = (count * 1000) / (performance.now() - startedAt)
  if (blocks < count) throw new Error(`the folder has ${blocks} blocks`)
  await scratch.remove(path)
  return rate
}

function draw(count: number): Uint8Array[] {
  const bytes = randomBytes(count * BLOCK_BYTES)
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES))
}

function addressOf(bytes: Uint8Array): CID {
  return CID.createV1(RAW, Digest.create(SHA2_256, createHash('sha256').update(bytes).digest()))
}
