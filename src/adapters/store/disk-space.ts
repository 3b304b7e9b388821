/**
 * Keeps a share of the disk free of blocks: moving living blocks together, deletions and records go on in it when
 * puts are refused, so that what is deleted can always be given back. Holds figures only.
 */
import { statfsSync } from 'node:fs'
import { KithError } from '../../errors.ts'
import { MIB, type Bytes } from '../../model/units.ts'

/** Most that is accepted between two looks at the disk: others write too. Bytes. */
const MEASURE_EVERY_BYTES = 8 * MIB
/** Near the reserve it is looked at more often: blocks bring rows of the index with them. */
const TRUSTED_SHARE = 0.25

export interface DiskSpaceInit {
  readonly directory: string
  readonly realm: string
  /** Of the whole disk, 0 to 1. */
  readonly reserveShare: number
}

export class DiskSpace {
  readonly #init: DiskSpaceInit
  #left: Bytes = 0
  /** What may be accepted before the next look. */
  #trusted: Bytes = 0

  constructor(init: DiskSpaceInit) {
    this.#init = init
  }

  /**
   * @param pending accepted before and not on the disk yet
   * @throws KithError QUOTA_EXCEEDED when so many bytes more would use the reserve
   */
  take(bytes: Bytes, pending: Bytes): void {
    if (this.#init.reserveShare === 0) return
    if (bytes > this.#trusted) this.#measure(pending)
    if (bytes > this.#left) throw this.#refusal()
    this.#left -= bytes
    this.#trusted -= bytes
  }

  #measure(pending: Bytes): void {
    const { bavail, blocks, bsize } = statfsSync(this.#init.directory)
    this.#left = bavail * bsize - blocks * bsize * this.#init.reserveShare - pending
    this.#trusted = Math.min(MEASURE_EVERY_BYTES, this.#left * TRUSTED_SHARE)
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
