/** Files whose bytes follow from a seed and a name: the same on every machine, and nothing in them compresses or repeats. */
import { createCipheriv, createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

/** Written at a time: large enough to be quick, small enough to be held. Bytes. */
const PART_BYTES = 1024 * 1024

/** Writes the file. @returns its SHA-256 in hex */
export async function writeSeededFile(
  path: string,
  seed: number,
  { name, size }: { readonly name: string; readonly size: number }
): Promise<string> {
  const key = createHash('sha256').update(`kith demo\0${seed}\0${name}`).digest()
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  const hash = createHash('sha256')
  await using file = await open(path, 'wx')
  for (let left = size; left > 0; left -= PART_BYTES) {
    const part = stream.update(Buffer.alloc(Math.min(left, PART_BYTES)))
    hash.update(part)
    await file.write(part)
  }
  return hash.digest('hex')
}
