/** Whether two files hold the same bytes: compared byte by byte, and the digest of one against what it must be. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

/** Read from each at a time. Bytes. */
const PART_BYTES = 1024 * 1024

export async function sameFile(path: string, original: { readonly path: string; readonly sha256: string }): Promise<boolean> {
  await using a = await open(path)
  await using b = await open(original.path)
  const hash = createHash('sha256')
  const [ours, theirs] = [Buffer.alloc(PART_BYTES), Buffer.alloc(PART_BYTES)]
  for (;;) {
    const [left, right] = await Promise.all([a.read(ours, 0, PART_BYTES), b.read(theirs, 0, PART_BYTES)])
    const part = ours.subarray(0, left.bytesRead)
    if (!part.equals(theirs.subarray(0, right.bytesRead))) return false
    if (part.byteLength === 0) return hash.digest('hex') === original.sha256
    hash.update(part)
  }
}
