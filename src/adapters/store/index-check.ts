/**
 * What is looked at when an index was not closed in order. Its trees must be whole and agree with each other, which SQLite checks; the counts of
 * the segments are made anew from the blocks they count. Costs a reading of the index: 0.6 s for a million blocks.
 */
import { stat } from 'node:fs/promises'
import { KithError } from '../../errors.ts'
import type { IndexDb } from './index-db.ts'
import { isWalDamaged } from './wal-check.ts'

/**
 * To be called before SQLite opens it: SQLite drops what is behind the damage.
 *
 * @throws KithError START_FAILED
 */
export async function checkLog(path: string): Promise<void> {
  if (!(await isWalDamaged(`${path}-wal`))) return
  throw damagedIndexError(
    `${path}-wal`,
    'commits would be lost behind a bad frame of this log',
    'or, without one, keep a copy of both before you move them away to start empty'
  )
}

/** Whether commits may lie in the log of an index that nobody has open. */
export async function hasLog(path: string): Promise<boolean> {
  return await stat(`${path}-wal`).then(
    ({ size }) => size > 0,
    () => false
  )
}

/** @throws KithError START_FAILED */
export function checkOpenIndex(index: IndexDb, path: string): void {
  const found = index.statement('PRAGMA integrity_check(1)').get()?.['integrity_check']
  if (found !== 'ok') throw damagedIndexError(path, String(found))
  const blocks = index.statement('SELECT count(*) AS blocks, total(length) AS bytes, max(segment) AS last FROM blocks').get()
  const counted = index.statement('SELECT total(blocks) AS blocks, total(bytes) AS bytes, max(number) AS last FROM segments').get()
  const isSame = blocks?.['blocks'] === counted?.['blocks'] && blocks?.['bytes'] === counted?.['bytes']
  if (!isSame || Number(blocks?.['last']) > Number(counted?.['last']) || isBeyond(index)) countAgain(index)
}

/** The index is not what it was; what to do about it. */
export function damagedIndexError(path: string, why: string, orElse = 'or move both away to start empty'): KithError {
  return new KithError(
    'START_FAILED',
    `the index is damaged: ${path} (${why}). Check the disk, then restore index/ and segments/ from the same backup, ${orElse}.`,
    { path }
  )
}

/** Its checksum tells, but its trees may still be whole: blocks are verified when read, and records have checksums. */
export function changedIndexError(path: string): KithError {
  return damagedIndexError(
    path,
    'it is not what it was when it was closed',
    'or delete index.sum beside it to open what can be read, and run "kith verify"'
  )
}

/** True if the last segment would be cut off before the end of a block. */
function isBeyond(index: IndexDb): boolean {
  const last = index.segments().at(-1)
  if (last === undefined) return false
  const end = index.statement('SELECT max(offset + length) AS last FROM blocks WHERE segment = ?').get(last.number)?.['last']
  return Number(end ?? 0) > last.length
}

function countAgain(index: IndexDb): void {
  index.transaction(() => {
    index.statement('UPDATE segments SET blocks = 0, bytes = 0').run()
    index
      .statement(
        `INSERT INTO segments (number, length, blocks, bytes)
          SELECT segment, max(offset + length), count(*), sum(length) FROM blocks WHERE true GROUP BY segment
          ON CONFLICT DO UPDATE SET length = max(length, excluded.length), blocks = excluded.blocks, bytes = excluded.bytes`
      )
      .run()
  })
}
