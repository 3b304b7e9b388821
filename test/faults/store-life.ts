/** Lives of a writing process: starting one, ending it, and checking that the store kept its word. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openRealmStore } from '../../src/adapters/store/realm-store.ts'
import { errorCode } from '../../src/adapters/store/store-error.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import type { RealmStore } from '../../src/ports/record-store.ts'
import { silentLog } from '../support/silent-log.ts'
import { GROUP, isDeletedOfEarlier, isDeletedOfOwn, numberedBlock, OWN_DELAY, recordFor, SEGMENT_BYTES } from './numbered-block.ts'

/** What one life was told is durable. */
export interface Life {
  readonly seed: string
  /** Groups up to the last acknowledged one, inclusive: a flush covers all before it. */
  groups: number
  /** Groups whose record was acknowledged. */
  readonly records: number[]
  /** Codes of what was refused. */
  readonly refused: string[]
  /** The life before, most of whose blocks this one deletes. */
  readonly earlier: Life | undefined
  /** How many segments were being rewritten when it ended; how many it rewrote. */
  isCompacting: boolean
  compacted: number
  isClosed: boolean
}

export interface LifeInit {
  readonly directory: string
  readonly seed: string
  readonly earlier?: Life | undefined
  /** Groups after which it ends by itself; absent: never. */
  readonly groups?: number
  /** Program and arguments in front of the Node that runs the child. */
  readonly prefix?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** @param onLine called with each line of the child and its process id */
export async function live(init: LifeInit, onLine: (line: string, pid: number) => void): Promise<Life> {
  const { seed, earlier } = init
  const life: Life = { seed, groups: 0, records: [], refused: [], earlier, isCompacting: false, compacted: 0, isClosed: false }
  const script = [join(import.meta.dirname, 'store-child.ts'), init.directory, seed, `${init.groups ?? 0}`]
  const [command, ...parameters] = [
    ...(init.prefix ?? []),
    process.execPath,
    ...script,
    earlier?.seed ?? '',
    `${(earlier?.groups ?? 0) * GROUP}`
  ]
  const child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...init.env } })
  const closed = once(child, 'close')
  let pid = child.pid ?? 0
  for await (const line of createInterface(child.stdout)) {
    note(life, line)
    if (line.startsWith('open')) pid = Number(line.split(' ')[1]) // behind a prefix, the process itself
    onLine(line, pid)
  }
  await closed
  assert.ok(
    child.signalCode === 'SIGKILL' || child.exitCode === 0 || child.exitCode === 137,
    `the child ended with status ${child.exitCode}`
  )
  return life
}

/** Without effect when it has ended by itself. */
export function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error
  }
}

function note(life: Life, line: string): void {
  const [word, value = ''] = line.split(' ')
  if (word === 'compacting') life.isCompacting = true
  if (word === 'closed') life.isClosed = true
  if (word === 'refused') life.refused.push(value)
  if (word === 'compacted') {
    life.isCompacting = false
    life.compacted++
  }
  if (word !== 'ack') return
  life.groups = Number(value) + 1
  if (Number(value) % 2 === 1) life.records.push(Number(value))
}

export async function openStore(directory: string): Promise<RealmStore> {
  return await openRealmStore({ clock: systemClock, log: silentLog }, { directory, realm: 'own', segmentBytes: SEGMENT_BYTES })
}

/** Everything acknowledged is there and whole, everything whose deletion was acknowledged is gone, the counts are right. */
export async function assertKept(store: RealmStore, lives: readonly Life[]): Promise<void> {
  for (const life of lives) {
    const next = lives.find(other => other.earlier === life)
    for (let number = 0; number < life.groups * GROUP; number++) await assertBlock(store, life, next, number)
    for (const group of life.records)
      assert.equal(store.records.get(recordFor(life.seed, group).root)?.name, `${group}`, `record ${group} of ${life.seed} is lost`)
  }
  assert.equal(store.corruptCount(), 0, 'a block that the index names is not what it should be')
}

async function assertBlock(store: RealmStore, life: Life, next: Life | undefined, number: number): Promise<void> {
  const { cid, bytes } = numberedBlock(life.seed, number)
  const isDeletable = isDeletedOfOwn(number) || (next !== undefined && isDeletedOfEarlier(number))
  const isDeletedByOwn = isDeletedOfOwn(number) && number + OWN_DELAY < life.groups * GROUP
  const isDeletedByNext = next !== undefined && isDeletedOfEarlier(number) && number < next.groups * GROUP
  if (isDeletedByOwn || isDeletedByNext) assert.equal(await store.blocks.has(cid), false, `block ${number} of ${life.seed} came back`)
  // What was deleted and not acknowledged may be there or not.
  else if (!isDeletable) assert.deepEqual((await store.blocks.get(cid))?.bytes, bytes, `block ${number} of ${life.seed} is lost`)
}

/** The counters agree with the index. */
export async function assertCounts(store: RealmStore): Promise<void> {
  let keys = 0
  for await (const _ of store.blocks.keys()) keys++
  assert.equal(store.blocks.usage().blocks, keys)
}
