/**
 * A file that only takes room: given up when the disk is so full that not even a deletion can be written, taken
 * again when there is space. Holds nothing, so a crash loses nothing.
 */
import { open, stat, unlink } from 'node:fs/promises'
import { MIB } from '../../model/units.ts'

/** Room for the log of many commits that only delete (about 100 KiB each), little beside any disk. Bytes. */
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
    await this.restore()
  }

  /** True if there is more room than before. */
  async release(): Promise<boolean> {
    if (!this.#isHeld) return false
    this.#isHeld = false
    await unlink(this.#path)
    return true
  }

  /** Without effect where there is no room for it: the next try comes with the next commit. */
  async restore(): Promise<void> {
    if (this.#isHeld) return
    try {
      await using file = await open(this.#path, 'w', 0o600)
      await file.writeFile(new Uint8Array(this.#bytes).fill(0xff)) // a file system may keep zeros without taking room
      this.#isHeld = true
    } catch {
      await unlink(this.#path).catch(() => {}) // a part of it would only be in the way
    }
  }
}
