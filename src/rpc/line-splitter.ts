/** Bytes into lines, without ever holding more than one line's worth of what is unfinished. */
import { isUtf8 } from 'node:buffer'
import { KithError } from '../errors.ts'
import type { Bytes } from '../model/units.ts'

const LF = 0x0a

/** Stands for a line that is not UTF-8: no JSON, whoever reads it. */
export const NOT_UTF8 = 'not UTF-8'

export class LineSplitter {
  readonly #limit: () => Bytes
  #partial: Buffer[] = []
  #partialBytes = 0

  /** `limit`: of the longest line, as it is now. */
  constructor(init: { readonly limit: () => Bytes }) {
    this.#limit = init.limit
  }

  /** What waits for the end of its line. Bytes. */
  get unfinished(): number {
    return this.#partialBytes
  }

  /**
   * @returns the lines that `chunk` completes, without their ends; blank ones are left out, and one that is not UTF-8
   * is {@link NOT_UTF8}
   * @throws KithError TOO_LARGE when a line exceeds the limit
   */
  push(chunk: Buffer): string[] {
    const first = chunk.indexOf(LF)
    const limit = this.#limit()
    if (this.#partialBytes + (first === -1 ? chunk.byteLength : first) > limit)
      throw new KithError('TOO_LARGE', `a line is longer than ${limit} bytes`, { limit })
    if (first === -1) {
      this.#keep(chunk)
      return []
    }
    const last = chunk.lastIndexOf(LF)
    const whole = this.#partialBytes === 0 ? chunk.subarray(0, last) : Buffer.concat([...this.#partial, chunk.subarray(0, last)])
    this.clear()
    if (last + 1 < chunk.byteLength) this.#keep(chunk.subarray(last + 1))
    return linesOf(whole)
  }

  /** What is left when no more will come: a last line without its end. */
  end(): string[] {
    if (this.#partialBytes === 0) return []
    const rest = Buffer.concat(this.#partial)
    this.clear()
    return linesOf(rest)
  }

  /** Forgets what waits. */
  clear(): void {
    this.#partial = []
    this.#partialBytes = 0
  }

  #keep(chunk: Buffer): void {
    this.#partial.push(chunk)
    this.#partialBytes += chunk.byteLength
  }
}

/** Decoding would put other characters in the place of what is wrong, and store them. */
function linesOf(bytes: Buffer): string[] {
  if (isUtf8(bytes)) return bytes.toString('utf8').split('\n').filter(isNotBlank)
  const lines: string[] = []
  for (let from = 0, to = 0; from <= bytes.byteLength; from = to + 1) {
    to = bytes.indexOf(LF, from)
    if (to === -1) to = bytes.byteLength
    const line = bytes.subarray(from, to)
    lines.push(isUtf8(line) ? line.toString('utf8') : NOT_UTF8)
  }
  return lines.filter(isNotBlank)
}

function isNotBlank(line: string): boolean {
  return line !== '' && line.trim() !== ''
}
