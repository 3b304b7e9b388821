/** Whether the clock can be right. Peers refuse what is signed in their past or future, so minutes matter. */
import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ms } from '../../model/units.ts'
import { formatMs } from '../text.ts'
import type { Finding } from './finding.ts'

/** This program is not older than that. */
const EARLIEST: Ms = Date.UTC(2025, 0, 1)
/** Clocks of one machine and its file server may differ a little. */
const TOLERANCE_MS: Ms = 5 * 60_000
/** Enough to meet a recent file in every part of a home, and quick on the largest. */
const FILES_MAX = 10_000
const REMEDY = 'set the clock, and keep it right with NTP (timedatectl set-ntp true)'

export async function clockFindings(home: string, now: Ms = Date.now()): Promise<Finding[]> {
  if (now < EARLIEST)
    return [{ code: 'CLOCK_WRONG', severity: 'error', message: `the clock says ${dateOf(now)}, which cannot be`, remedy: REMEDY }]
  const newest = await newestFile(home)
  if (newest !== undefined && newest.at > now + TOLERANCE_MS)
    return [
      {
        code: 'CLOCK_BEHIND',
        severity: 'error',
        message: `the clock says ${dateOf(now)}, and ${newest.path} was written ${formatMs(newest.at - now)} later: the clock is behind now, or was ahead then`,
        remedy: REMEDY
      }
    ]
  return [{ code: 'CLOCK', severity: 'ok', message: `the clock says ${dateOf(now)}, and no file here is from later` }]
}

interface DatedFile {
  readonly path: string
  readonly at: Ms
}

async function newestFile(home: string): Promise<DatedFile | undefined> {
  let newest: DatedFile | undefined
  let left = FILES_MAX
  const directories = [home]
  for (let directory = directories.shift(); directory !== undefined && left > 0; directory = directories.shift()) {
    for await (const { path, isDirectory, at } of entriesOf(directory)) {
      if (isDirectory) directories.push(path)
      else if (newest === undefined || at > newest.at) newest = { path, at }
      if (--left <= 0) break
    }
  }
  return newest
}

async function* entriesOf(directory: string): AsyncGenerator<DatedFile & { readonly isDirectory: boolean }> {
  const opened = await opendir(directory).catch(() => undefined)
  if (opened === undefined) return
  for await (const entry of opened) {
    const path = join(directory, entry.name)
    const facts = await lstat(path).catch(() => undefined)
    if (facts !== undefined) yield { path, isDirectory: facts.isDirectory(), at: facts.mtimeMs }
  }
}

function dateOf(at: Ms): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}
