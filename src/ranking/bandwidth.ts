/** What a peer delivered, at most what it says it gives. */
import type { Rate } from '../model/units.ts'
import type { Candidate } from './ranking.ts'

/** A limit of 0 means none, as everywhere. */
export function bandwidthWithin({ bandwidthLimit }: Candidate, measured: Rate | null): Rate | null {
  if (measured === null || bandwidthLimit === undefined || bandwidthLimit <= 0) return measured
  return Math.min(measured, bandwidthLimit)
}
