/**
 * How large the files of a store may grow on the disk they lie on. Space is given back a segment at a time, and half of
 * one is copied for that: on a small disk there is no room for a copy of half a large one.
 */
import { statfsSync } from 'node:fs'
import { KIB, MIB, type Bytes } from '../../model/units.ts'
import { CHECKPOINT_PAGES_MAX } from './index-db.ts'
import { SEGMENT_BYTES_MAX } from './segment-files.ts'

/** Of the disk, for one file: less than its usual reserve of 5 %. */
const DISK_SHARE = 1 / 32
/** A file for less would be more names than bytes. Bytes. */
const SEGMENT_BYTES_MIN = MIB
/** A log shorter than a few commits would be folded in after each. Pages of 4 KiB. */
const CHECKPOINT_PAGES_MIN = 64
const PAGE_BYTES = 4 * KIB

export interface FileSizes {
  readonly segmentBytes: Bytes
  readonly checkpointPages: number
}

/** @param init `segmentBytes`, if given, is taken as it is */
export function fileSizes(init: { readonly directory: string; readonly segmentBytes?: Bytes | undefined }): FileSizes {
  const { blocks, bsize } = statfsSync(init.directory)
  const share = Math.floor(blocks * bsize * DISK_SHARE)
  return {
    segmentBytes: init.segmentBytes ?? clamp(share, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
    checkpointPages: clamp(Math.floor(share / PAGE_BYTES), CHECKPOINT_PAGES_MIN, CHECKPOINT_PAGES_MAX)
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max)
}
