/** Bytes into lines, without ever holding more than one line's worth of what is unfinished. */
import { KithError } from '../errors.ts'
import { MIB } from '../model/units.ts'

/** Longest line: 4 MiB of content as base64, with room to spare; anything larger is an HTTP body. Bytes. */
export const LINE_BYTES_MAX = 8 * MIB

const LF = 0x0a

export class LineSplitter {
  readonly #limit: number
  #partial: Buffer[] = []
  #partialBytes = 0

  constructor(init: { readonly limit?: number } = {}) {
    this.#limit = init.limit ?? LINE_BYTES_MAX
  }

  /**
   * @returns the lines that `chunk` completes, without their ends; blank ones are left out
   * @throws KithError TOO_LARGE when a line exceeds the limit
   */
  push(chunk: Buffer): string[] {
    const first = chunk.indexOf(LF)
    if (this.#partialBytes + (first === -1 ? chunk.byteLength : first) > this.#limit) throw tooLong(this.#limit)
    if (first === -1) {
      this.#keep(chunk)
      return []
    }
    const last = chunk.lastIndexOf(LF)
    const whole = this.#partialBytes === 0 ? chunk.subarray(0, last) : Buffer.concat([...this.#partial, chunk.subarray(0, last)])
    this.#partial = []
    this.#partialBytes = 0
    if (last + 1 < chunk.byteLength) this.#keep(chunk.subarray(last + 1))
    return whole.toString('utf8').split('\n').filter(isNotBlank)
  }

  /** What is left when no more will come: a last line without its end. */
  end(): string[] {
    const rest = Buffer.concat(this.#partial).toString('utf8')
    this.#partial = []
    this.#partialBytes = 0
    return [rest].filter(isNotBlank)
  }

  #keep(chunk: Buffer): void {
    this.#partial.push(chunk)
    this.#partialBytes += chunk.byteLength
  }
}

function tooLong(limit: number): KithError {
  return new KithError('TOO_LARGE', `a line is longer than ${limit} bytes. Send large content with PUT /content over the same socket.`, {
    limit
  })
}

function isNotBlank(line: string): boolean {
  return line !== '' && line.trim() !== ''
}
