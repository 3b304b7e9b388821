/**
 * Kills a writing process again and again on one directory and looks after each time whether everything it had
 * acknowledged is there and verifies. Rounds: environment KITH_KILLS, default 20. A power failure is not tested
 * by this: the page cache survives a kill.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openRealmStore } from '../../src/adapters/store/realm-store.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import type { RealmStore } from '../../src/ports/record-store.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { numberedBlock, recordFor } from './numbered-block.ts'

const ROUNDS = Number(process.env['KITH_KILLS'] ?? 20)
/** A child lives for up to so many acknowledgements and then a random moment more. */
const LINES_MAX = 40
const MOMENT_MS_MAX = 15
/** Numbers of one acknowledgement (see store-child.ts). */
const GROUP = 20

/** @returns how many blocks the child acknowledged before it was killed */
async function lifeOfAChild(directory: string, seed: string): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'store-child.ts'), directory, seed], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const closed = once(child, 'close')
  const killAfter = 1 + Math.floor(Math.random() * LINES_MAX)
  let lines = 0
  let acknowledged = 0
  for await (const line of createInterface(child.stdout)) {
    if (line !== 'open') acknowledged = Number(line.split(' ')[1]) + 1
    if (++lines === killAfter) setTimeout(() => child.kill('SIGKILL'), Math.random() * MOMENT_MS_MAX)
  }
  await closed
  assert.equal(child.signalCode, 'SIGKILL', 'the child ended by itself')
  return acknowledged
}

async function assertAcknowledged(store: RealmStore, seed: string, acknowledged: number): Promise<void> {
  for (let number = 0; number < acknowledged; number++) {
    const { cid, bytes } = numberedBlock(seed, number)
    const isDeleted = number % 7 === 3 && number + 3 < acknowledged
    if (isDeleted) assert.equal(await store.blocks.has(cid), false, `block ${number} of ${seed} came back`)
    // The deletion of the next group's start may or may not have been reached.
    else if (number % 7 !== 3)
      assert.equal((await store.blocks.get(cid))?.bytes.byteLength, bytes.byteLength, `block ${number} of ${seed} is lost`)
  }
  for (let first = 0; first < acknowledged; first += GROUP) {
    if (first % 40 !== 0)
      assert.equal(store.records.get(recordFor(seed, first).root)?.name, `${first}`, `record ${first} of ${seed} is lost`)
  }
}

describe('a store whose process is killed', () => {
  it(`keeps everything it acknowledged (${ROUNDS} kills)`, async () => {
    await using directory = await temporaryDirectory()
    const lives: { seed: string; acknowledged: number }[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const seed = `life ${round}`
      lives.push({ seed, acknowledged: await lifeOfAChild(directory.path, seed) })
      await using store = await openRealmStore({ clock: systemClock, log: silentLog }, { directory: directory.path, realm: 'own' })
      for (const life of lives.slice(-3)) await assertAcknowledged(store, life.seed, life.acknowledged)
      assert.equal(store.corruptCount(), 0)
    }
    await using store = await openRealmStore({ clock: systemClock, log: silentLog }, { directory: directory.path, realm: 'own' })
    for (const life of lives) await assertAcknowledged(store, life.seed, life.acknowledged)
    let keys = 0
    for await (const _ of store.blocks.keys()) keys++
    assert.equal(store.blocks.usage().blocks, keys, 'the counters agree with the index')
  }).timeout(20_000 + ROUNDS * 5000)
})
