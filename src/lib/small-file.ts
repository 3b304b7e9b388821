/** Reads files that are small if they are what they should be: a configuration, a key, a port. Owns nothing. */
import { constants, open, type FileHandle } from 'node:fs/promises'

/** A pipe that nobody writes to would otherwise hold whoever opens it for ever. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK

/** There is something, and it cannot be what was looked for. The message goes on after its name: `is no plain file`. */
export class UnfitFileError extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'UnfitFileError'
  }
}

/**
 * The whole of a plain file (links are followed) of at most `bytesMax` bytes; never reads more, whatever its size is said to be.
 *
 * @throws UnfitFileError for a device, a pipe, a folder, and for what is longer · errors of `open` and `read` as they are
 */
export async function readSmallFile(path: string, bytesMax: number): Promise<Buffer> {
  const handle = await open(path, READ_FLAGS)
  try {
    const facts = await handle.stat()
    if (!facts.isFile()) throw new UnfitFileError('is no plain file')
    if (facts.size > bytesMax) throw tooLong(bytesMax)
    return await readAll(handle, bytesMax)
  } finally {
    await handle.close()
  }
}

async function readAll(handle: FileHandle, bytesMax: number): Promise<Buffer> {
  const bytes = Buffer.alloc(bytesMax + 1)
  let length = 0
  while (length < bytes.byteLength) {
    const { bytesRead } = await handle.read(bytes, length, bytes.byteLength - length)
    if (bytesRead === 0) return bytes.subarray(0, length)
    length += bytesRead
  }
  throw tooLong(bytesMax)
}

function tooLong(bytesMax: number): UnfitFileError {
  return new UnfitFileError(`has more than ${bytesMax} bytes`)
}
