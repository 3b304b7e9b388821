/** A small file system in memory, to be filled up. */
import { open, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { MIB } from '../../src/model/units.ts'
import { run } from './machine.ts'

export const DISK_BYTES = 16 * MIB

export class SmallDisk implements AsyncDisposable {
  readonly path: string
  private constructor(path: string) {
    this.path = path
    run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', path])
  }
  static async make(path: string): Promise<SmallDisk> {
    return new SmallDisk(path)
  }

  grow(): void {
    run('mount', ['-o', `remount,size=${2 * DISK_BYTES}`, this.path])
  }

  /** Somebody else takes all that is left. */
  async fill(): Promise<void> {
    await using file = await open(join(this.path, 'of somebody else'), 'w')
    const { bavail, bsize } = await statfs(this.path)
    for (let left = bavail; left > 0; left = (await statfs(this.path)).bavail)
      await file.write(Buffer.alloc(Math.min(left * bsize, MIB), 1))
  }

  async empty(): Promise<void> {
    await unlink(join(this.path, 'of somebody else'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    run('umount', [this.path])
  }
}
