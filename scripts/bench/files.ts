/** Random files: content nobody has seen before, so that nothing is found in a cache. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const MIB = 1024 * 1024
/** Written at once. Bytes. */
const PIECE_BYTES = 8 * MIB

/** What was measured before must not be written to the disk while something else is measured. */
export async function settleDisk(): Promise<void> {
  await once(spawn('sync', { stdio: 'ignore' }), 'exit')
}

export class Scratch implements AsyncDisposable {
  readonly path: string
  #made = 0

  private constructor(path: string) {
    this.path = path
  }

  static async make(): Promise<Scratch> {
    return new Scratch(await mkdtemp(join(tmpdir(), 'kith-bench-')))
  }

  /** @returns the path of a new file of `bytes` random bytes */
  async file(bytes: number): Promise<string> {
    const path = join(this.path, `file-${++this.#made}`)
    await using handle = await open(path, 'w')
    for (let left = bytes; left > 0; left -= PIECE_BYTES) await handle.write(randomBytes(Math.min(left, PIECE_BYTES)))
    return path
  }

  /** @returns the path of a new folder of `count` files of `bytes` random bytes */
  async folder(count: number, bytes: number): Promise<string> {
    const path = join(this.path, `folder-${++this.#made}`)
    await mkdir(path)
    for (let index = 0; index < count; index++) await writeFile(join(path, `${index}.bin`), randomBytes(bytes))
    return path
  }

  async remove(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove(this.path)
  }
}
