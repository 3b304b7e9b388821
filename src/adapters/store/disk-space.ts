/**
 * Keeps a share of the disk free of blocks: moving living blocks together, deletions and records go on in it when
 * puts are refused, so that what is deleted can always be given back. Holds figures only.
 */
import { statfsSync } from 'node:fs'
import { KithError } from '../../errors.ts'
import { MIB, type Bytes } from '../../model/units.ts'

/** Accepted between two looks at the disk: others write too. Bytes. */
const MEASURE_EVERY_BYTES = 8 * MIB

export interface DiskSpaceInit {
  readonly directory: string
  readonly realm: string
  /** Of the whole disk, 0 to 1. */
  readonly reserveShare: number
}

export class DiskSpace {
  readonly #init: DiskSpaceInit
  #left: Bytes = 0
  #accepted: Bytes = MEASURE_EVERY_BYTES

  constructor(init: DiskSpaceInit) {
    this.#init = init
  }

  /** @throws KithError QUOTA_EXCEEDED when so many bytes more would use the reserve */
  take(bytes: Bytes): void {
    if (this.#init.reserveShare === 0) return
    if (this.#accepted >= MEASURE_EVERY_BYTES || bytes > this.#left) this.#measure()
    if (bytes > this.#left) throw this.#refusal()
    this.#left -= bytes
    this.#accepted += bytes
  }

  #measure(): void {
    const { bavail, blocks, bsize } = statfsSync(this.#init.directory)
    this.#left = bavail * bsize - blocks * bsize * this.#init.reserveShare
    this.#accepted = 0
  }

  #refusal(): KithError {
    const { realm, reserveShare } = this.#init
    return new KithError(
      'QUOTA_EXCEEDED',
      `the disk is full up to its reserve (${reserveShare * 100} % of it, storage.reserve): nothing more is stored in realm "${realm}". Free some space or remove content (kith rm), then try again; what was stored before is safe.`,
      { realm, reserveShare }
    )
  }
}
