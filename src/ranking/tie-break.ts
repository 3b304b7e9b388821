/**
 * Who goes first among equals: by a hash of the id with a secret of this process. Somebody has to, always the same one
 * within a process, and no id can be made up that wins elsewhere or next time.
 */
import { concat, fromString } from 'uint8arrays'
import { sha256 } from '../model/sha256.ts'
import type { Random } from '../ports/random.ts'

const SALT_BYTES = 16
/** Hashes remembered, so that a sort makes each once; forgotten all at once. Count. */
const HASHES_KEPT_MAX = 10_000

export type TieBreak = (a: string, b: string) => number

export function saltedTieBreak(random: Random): TieBreak {
  const salt = random.bytes(SALT_BYTES)
  const known = new Map<string, number>()
  const hashOf = (id: string): number => {
    const found = known.get(id)
    if (found !== undefined) return found
    if (known.size >= HASHES_KEPT_MAX) known.clear()
    const digest = sha256(concat([salt, fromString(id)]))
    const hash = new DataView(digest.buffer, digest.byteOffset).getUint32(0)
    known.set(id, hash)
    return hash
  }
  return (a, b) => hashOf(a) - hashOf(b)
}
