/** Chance from the operating system. */
import { randomBytes } from 'node:crypto'
import type { Random } from '../../ports/random.ts'

export const systemRandom: Random = {
  number: () => Math.random(),
  bytes: length => new Uint8Array(randomBytes(length))
}
