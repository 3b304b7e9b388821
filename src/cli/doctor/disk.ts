/** Room on the disk of the home. */
import { statfs } from 'node:fs/promises'
import { MIB } from '../../model/units.ts'
import { formatBytes } from '../text.ts'
import { errorCode } from './finding.ts'
import type { Finding } from './finding.ts'
import { nearestDirectory } from './home.ts'

/** Less room than this is none for the store, as the daemon's own watch has it. Bytes. */
const FULL_BYTES = 16 * MIB

/**
 * @param home need not exist yet
 * @param reserve share of the disk that stays free, 0–1
 */
export async function diskFindings(home: string, reserve: number): Promise<Finding[]> {
  try {
    return judge(home, await statfs(await nearestDirectory(home)), reserve)
  } catch (error) {
    return [{ code: 'DISK_UNKNOWN', severity: 'warning', message: `how full the disk of ${home} is cannot be told (${errorCode(error)})` }]
  }
}

interface DiskFacts {
  readonly bsize: number
  readonly blocks: number
  readonly bavail: number
  readonly files: number
  readonly ffree: number
}

function judge(home: string, { bsize, blocks, bavail, files, ffree }: DiskFacts, reserve: number): Finding[] {
  const free = bavail * bsize
  const text = `${formatBytes(free)} (${((100 * bavail) / Math.max(1, blocks)).toFixed(1)} %) of the disk of ${home} are free`
  const remedy = 'make room: kith rm CONTENT, a smaller cache.maxBytes, or files of others'
  if (free < FULL_BYTES)
    return [{ code: 'DISK_FULL', severity: 'error', message: `the disk of ${home} is full: nothing can be stored`, remedy }]
  if (files > 0 && ffree === 0)
    return [{ code: 'DISK_FULL', severity: 'error', message: `the disk of ${home} takes no more files (no inodes left)`, remedy }]
  if (bavail < blocks * reserve)
    return [{ code: 'DISK_LOW', severity: 'warning', message: `only ${text}, less than the reserve of ${reserve * 100} %`, remedy }]
  return [{ code: 'DISK', severity: 'ok', message: text }]
}
