/**
 * SIGKILL in the middle of puts, deletions and the rewriting of segments, again and again on the same directories:
 * whatever was acknowledged is there and verifies, whatever was deleted stays away. KITH_STORE_KILLS sets the rounds,
 * KITH_SEED what is drawn. A power failure is another test: the page cache survives a kill.
 */
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../src/adapters/system/clock.ts'

import { Dice, SEED } from './dice.ts'
import { memoryDirectory } from './memory-directory.ts'
import { assertCounts, assertKept, live, openStore, signalTo, type Life } from './store-life.ts'

const KILLS = Number(process.env['KITH_STORE_KILLS'] ?? 1000)
/** Stores that are written and killed side by side, so that two processors have something to do. */
const LANES = 2
/** A child is killed at one of its first so many lines, */
const LINES_MAX = 8
/** and then a moment later. Milliseconds. */
const MOMENT_MS_MAX = 6
/** Lives looked at after each kill; all of them now and then. */
const RECENT = 2
const ALL_EVERY = 100
const ROUND_MS_MAX = 10_000

interface Lane {
  readonly directory: string
  readonly lives: Life[]
  killedWhileCompacting: number
}

describe('a store whose process is killed', () => {
  it(`loses nothing it acknowledged and brings nothing back, ${KILLS} times`, async function () {
    this.timeout(60_000 + KILLS * ROUND_MS_MAX)
    await using directory = await memoryDirectory()
    const cache = join(directory.path, 'compiled')
    const running = Array.from(
      { length: LANES },
      async (_, lane) => await runLane(join(directory.path, `lane-${lane}`), new Dice(SEED + lane), cache)
    )
    await Promise.allSettled(running) // a lane that fails does not take the directory from the other
    const lanes = await Promise.all(running)
    const lives = lanes.flatMap(lane => lane.lives)
    const groups = lives.reduce((sum, life) => sum + life.groups, 0)
    const compacted = lives.reduce((sum, life) => sum + life.compacted, 0)
    const during = lanes.reduce((sum, lane) => sum + lane.killedWhileCompacting, 0)
    console.log(
      `      ${lives.length} kills, ${during} while a segment was rewritten; ${groups} acknowledgements, ${compacted} segments rewritten (KITH_SEED=${SEED})`
    )
    assert.ok(groups > lives.length && compacted > 0 && during > 0, 'the kills hit what they are meant to hit')
  })
})

async function runLane(directory: string, dice: Dice, cache: string): Promise<Lane> {
  const lane: Lane = { directory, lives: [], killedWhileCompacting: 0 }
  for (let round = 0; round < KILLS / LANES; round++) {
    const life = await lifeOfAChild(lane, `${directory} ${round}`, dice, cache)
    lane.lives.push(life)
    if (life.isCompacting) lane.killedWhileCompacting++
    await using store = await openStore(directory)
    await assertKept(store, round % ALL_EVERY === 0 ? lane.lives : lane.lives.slice(-RECENT))
  }
  await using store = await openStore(directory)
  await assertKept(store, lane.lives)
  await assertCounts(store)
  // Which segments stay mostly alive is a matter of chance; that rewritten ones leave the disk is not.
  const names = (await readdir(join(directory, 'segments'))).toSorted()
  assert.ok(Number.parseInt(names.at(-1) ?? '', 10) > names.length, `segments that were rewritten are gone: ${names.join(' ')}`)
  return lane
}

async function lifeOfAChild({ directory, lives }: Lane, seed: string, dice: Dice, cache: string): Promise<Life> {
  const word = dice.below(2) === 0 ? 'compacting' : 'ack'
  const killAt = 1 + dice.below(word === 'ack' ? LINES_MAX : 2)
  const moment = dice.below(MOMENT_MS_MAX)
  let seen = 0
  let isOver = false
  return await live({ directory, seed, earlier: lives.at(-1), env: { NODE_COMPILE_CACHE: cache } }, (line, pid) => {
    // A store with nothing left to rewrite would live on for ever.
    if (line.startsWith(word) || line.startsWith('ack')) seen += line.startsWith(word) ? 1 : 1 / LINES_MAX
    if (isOver || seen < killAt) return
    isOver = true
    const kill = (): void => {
      signalTo(pid, 'SIGKILL')
    }
    if (moment === 0) kill()
    else systemClock.after(moment, kill)
  })
}
