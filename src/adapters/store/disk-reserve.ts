/**
 * A file that only takes room: given up when the disk is so full that not even a deletion can be written, taken
 * again when there is space. Holds nothing, so a crash loses nothing.
 */
import { open, stat, unlink } from 'node:fs/promises'
import { MIB } from '../../model/units.ts'
import { isDiskFull } from './store-error.ts'

/** Room to fold the log of the index in (half of it) and to write some deletions (about 100 KiB each). Bytes. */
const RESERVE_BYTES = MIB

export class DiskReserve {
  readonly #path: string
  readonly #bytes: number
  #isHeld = false

  constructor(path: string, bytes: number = RESERVE_BYTES) {
    this.#path = path
    this.#bytes = bytes
  }

  /** Looks whether it is there, and takes it if not. */
  async open(): Promise<void> {
    const size = await stat(this.#path).then(
      found => found.size,
      () => 0
    )
    this.#isHeld = size === this.#bytes
    await this.take().catch(() => {}) // before the next put
  }

  /** True if there is more room than before. */
  async release(): Promise<boolean> {
    if (!this.#isHeld) return false
    this.#isHeld = false
    await unlink(this.#path)
    return true
  }

  /** Takes it again if it was given up. @throws the error of a full disk: nothing else may take that room first */
  async take(): Promise<void> {
    if (this.#isHeld) return
    try {
      await using file = await open(this.#path, 'w', 0o600)
      await file.writeFile(new Uint8Array(this.#bytes).fill(0xff)) // a file system may keep zeros without taking room
      this.#isHeld = true
    } catch (error) {
      await unlink(this.#path).catch(() => {}) // a part of it would only be in the way
      if (isDiskFull(error)) throw error
    }
  }
}
