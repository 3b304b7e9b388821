/**
 * Damage in the write-ahead log of the index. SQLite ends its replay at the first frame whose checksum is wrong,
 * which is right for a commit that a crash tore and would silently drop commits behind a flipped bit. A torn commit
 * is the last one; commits that go on behind a bad frame say that it was whole once.
 * Format: https://www.sqlite.org/fileformat2.html#walformat
 */
import { readFile } from 'node:fs/promises'
import { errorCode } from './store-error.ts'

const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const MAGIC_LITTLE = 0x377f0682
const MAGIC_BIG = 0x377f0683

interface Sum {
  readonly a: number
  readonly b: number
}

/** True if commits of this log would be lost. A log that is missing, empty or torn at its end is whole. */
export async function isWalDamaged(path: string): Promise<boolean> {
  const wal = await readFile(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return Buffer.alloc(0)
    throw error
  })
  return wal.byteLength >= HEADER_BYTES + FRAME_HEADER_BYTES && new WalFile(wal).isDamaged()
}

class WalFile {
  readonly #wal: Buffer
  readonly #isBig: boolean
  readonly #frameBytes: number
  readonly #frames: number

  constructor(wal: Buffer) {
    this.#wal = wal
    this.#isBig = wal.readUInt32BE(0) === MAGIC_BIG
    this.#frameBytes = FRAME_HEADER_BYTES + wal.readUInt32BE(8)
    this.#frames = Math.floor((wal.byteLength - HEADER_BYTES) / this.#frameBytes)
  }

  isDamaged(): boolean {
    if (!this.#isHeaderWhole()) return this.#hasSaltOfFirstFrame()
    let sum: Sum = { a: this.#wal.readUInt32BE(24), b: this.#wal.readUInt32BE(28) }
    for (let frame = 0; frame < this.#frames; frame++) {
      const computed = this.#sumOf(frame, sum)
      const isChained = isSame(computed, this.#storedSum(frame))
      if (!this.#hasSalts(frame)) return isChained // else of an earlier round: all of it is in the database
      if (!isChained) return this.#goesOn(frame, computed)
      sum = computed
    }
    return false
  }

  /** A header torn at the start of a round stands before frames of the round before; a damaged one before its own. */
  #hasSaltOfFirstFrame(): boolean {
    return [0, 4].some(at => this.#wal.readUInt32BE(16 + at) === this.#wal.readUInt32BE(HEADER_BYTES + 8 + at))
  }

  #isHeaderWhole(): boolean {
    const magic = this.#wal.readUInt32BE(0)
    const stored = { a: this.#wal.readUInt32BE(24), b: this.#wal.readUInt32BE(28) }
    return (magic === MAGIC_LITTLE || magic === MAGIC_BIG) && isSame(this.#add({ a: 0, b: 0 }, 0, 24), stored)
  }

  /**
   * Whether a later commit follows the frame without a break. The frames behind it are chained to its checksum, as it
   * is stored or, should that be what is damaged, as it ought to be. Left-overs of commits that failed are not taken
   * for damage: each began in the same place, so at most one of them hangs together.
   */
  #goesOn(bad: number, computed: Sum): boolean {
    const commitsMin = this.#isCommit(bad) ? 1 : 2
    return [this.#storedSum(bad), computed].some(sum => this.#commitsAfter(bad, sum) >= commitsMin)
  }

  #commitsAfter(bad: number, start: Sum): number {
    let commits = 0
    let sum = start
    for (let frame = bad + 1; frame < this.#frames && this.#hasSalts(frame); frame++) {
      sum = this.#sumOf(frame, sum)
      if (!isSame(sum, this.#storedSum(frame))) break
      if (this.#isCommit(frame)) commits++
    }
    return commits
  }

  #isCommit(frame: number): boolean {
    return this.#wal.readUInt32BE(this.#at(frame) + 4) !== 0
  }

  #hasSalts(frame: number): boolean {
    return this.#wal.compare(this.#wal, 16, 24, this.#at(frame) + 8, this.#at(frame) + 16) === 0
  }

  #storedSum(frame: number): Sum {
    const at = this.#at(frame)
    return { a: this.#wal.readUInt32BE(at + 16), b: this.#wal.readUInt32BE(at + 20) }
  }

  #sumOf(frame: number, before: Sum): Sum {
    const at = this.#at(frame)
    return this.#add(this.#add(before, at, at + 8), at + FRAME_HEADER_BYTES, at + this.#frameBytes)
  }

  #add({ a, b }: Sum, start: number, end: number): Sum {
    const read = this.#isBig ? (at: number) => this.#wal.readUInt32BE(at) : (at: number) => this.#wal.readUInt32LE(at)
    for (let at = start; at < end; at += 8) {
      a = (a + read(at) + b) >>> 0
      b = (b + read(at + 4) + a) >>> 0
    }
    return { a, b }
  }

  #at(frame: number): number {
    return HEADER_BYTES + frame * this.#frameBytes
  }
}

function isSame(one: Sum, other: Sum): boolean {
  return one.a === other.a && one.b === other.b
}
