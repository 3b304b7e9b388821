/**
 * SIGKILL at a random moment of many puts, again and again on one home: whatever was acknowledged is there, whole
 * and pinned. KITH_KILLS sets the rounds, KITH_SEED what is drawn (not how the machine interleaves it).
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Dice, SEED } from './dice.ts'
import { MIB, sha256Hex } from '../integration/daemon-support.ts'

const KILLS = Number(process.env['KITH_KILLS'] ?? 20)
/** Puts under way at once. */
const WRITERS = 4
/** The kill comes within this long of the first put. Milliseconds. */
const KILL_WITHIN_MS = 1_000
/** A round starts a daemon, and reads what it acknowledged back. */
const ROUND_MS_MAX = 20_000
/** Small ones share commits, large ones span segments; the middle ones are several blocks. Bytes. */
const SIZES = [1, 100, 5_000, 70_000, MIB, MIB + 1, 3 * MIB, 9 * MIB]

interface Acknowledged {
  readonly cid: string
  readonly sha256: string
  readonly size: number
}

describe('a daemon killed during puts', () => {
  it(`loses nothing it acknowledged, ${KILLS} times`, async function () {
    this.timeout(KILLS * ROUND_MS_MAX)
    await using directory = await temporaryDirectory()
    const dice = new Dice(SEED)
    const acknowledged: Acknowledged[] = []
    let checked = 0
    let lost = 0
    for (let round = 0; round < KILLS; round++) {
      await using daemon = await DaemonProcess.start({ home: join(directory.path, 'home') })
      lost += await countLost(daemon, acknowledged.slice(checked))
      checked = acknowledged.length
      await putUntilKilled(daemon, dice, directory.path, acknowledged)
    }
    await using daemon = await DaemonProcess.start({ home: join(directory.path, 'home') })
    lost += await countLost(daemon, acknowledged)
    console.log(`      ${KILLS} kills, ${acknowledged.length} acknowledged puts, ${lost} lost (KITH_SEED=${SEED})`)
    assert.equal(lost, 0)
    assert.equal(acknowledged.length > 0, true)
  })
})

/** Writers put one after another until the daemon is gone; what is answered before counts as acknowledged. */
async function putUntilKilled(daemon: DaemonProcess, dice: Dice, folder: string, acknowledged: Acknowledged[]): Promise<void> {
  const killed = Promise.withResolvers<void>()
  systemClock.after(1 + dice.below(KILL_WITHIN_MS), () => {
    daemon.kill('SIGKILL').then(() => {
      killed.resolve()
    }, killed.reject)
  })
  const writer = async (index: number): Promise<void> => {
    while (daemon.isRunning) {
      const put = await putOne(daemon, dice, join(folder, `put-${index}`)).catch(() => undefined)
      if (put === undefined) return
      acknowledged.push(put)
    }
  }
  await Promise.all([
    killed.promise,
    ...Array.from({ length: WRITERS }, async (_, index) => {
      await writer(index)
    })
  ])
}

async function putOne(daemon: DaemonProcess, dice: Dice, path: string): Promise<Acknowledged> {
  const bytes = Buffer.alloc(SIZES[dice.below(SIZES.length)] ?? 1, `${dice.below(2 ** 32)} `)
  const sha256 = sha256Hex(bytes)
  const size = bytes.byteLength
  // By its hash, so that bytes drawn twice are put with the class they have.
  const privacy = sha256 < '8' ? 'public' : 'private'
  const way = dice.below(size < 4 * MIB ? 3 : 2)
  if (way === 0) return { cid: (await daemon.client.put(chunksOf(bytes), { privacy })).cid, sha256, size }
  if (way === 2) return { cid: (await daemon.client.call('content.put', { data: bytes.toString('base64'), privacy })).cid, sha256, size }
  await writeFile(path, bytes)
  return { cid: (await daemon.client.call('content.put', { path, privacy })).cid, sha256, size }
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

async function countLost(daemon: DaemonProcess, acknowledged: readonly Acknowledged[]): Promise<number> {
  let lost = 0
  for (const put of acknowledged) {
    const why = await whyLost(daemon, put)
    if (why === undefined) continue
    lost++
    console.log(`      lost ${put.cid} of ${put.size} bytes: ${why}`)
  }
  return lost
}

async function whyLost(daemon: DaemonProcess, { cid, sha256, size }: Acknowledged): Promise<string | undefined> {
  try {
    const stat = await daemon.client.call('content.stat', { content: cid })
    if (!stat.pinned || stat.size !== size || stat.sha256 !== sha256 || stat.localBlocks !== stat.blocks)
      return `its record is ${JSON.stringify(stat)}`
    const stream = await daemon.client.get(cid)
    const parts: Uint8Array[] = []
    for await (const part of stream.body) parts.push(part)
    return sha256Hex(Buffer.concat(parts)) === sha256 ? undefined : 'its bytes are others'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
