/** Export: a whole DAG into a new CARv1 file of this machine. The file appears whole or, after a crash too, not at all. */
import type { CID } from 'multiformats/cid'
import { carOf } from '../dag/car.ts'
import type { GetBlock } from '../dag/file.ts'
import { KithError } from '../errors.ts'
import { MIB, type Bytes } from '../model/units.ts'
import type { LocalFiles } from '../ports/local-files.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { CarResult } from '../rpc/services.ts'

/** Written at once: small blocks together, so that each does not cost a call to the system. Bytes. */
const WRITE_BYTES = MIB

export interface ExportOptions extends AbortOptions {
  /** Bytes of the file so far. */
  readonly onBytes?: (bytes: Bytes) => void
}

/** @throws CONFLICT if the file exists */
export async function assertFree(files: LocalFiles, path: string): Promise<void> {
  if (await files.exists(path)) throw new KithError('CONFLICT', `"${path}" exists already; nothing was overwritten`, { path })
}

/**
 * @returns `blocks`: distinct ones written; `bytes`: size of the file
 * @throws CONFLICT if the file exists · whatever `get` throws; no file is left then
 */
export async function exportCar(files: LocalFiles, root: CID, get: GetBlock, path: string, options: ExportOptions): Promise<CarResult> {
  await assertFree(files, path)
  const sink = await files.createFile(path)
  let [blocks, bytes] = [0, 0]
  const onBlock = (): void => {
    blocks += 1
  }
  try {
    for await (const batch of batches(carOf(root, get, { signal: options.signal, onBlock }))) {
      await sink.write(batch)
      bytes += batch.byteLength
      options.onBytes?.(bytes)
    }
  } catch (error) {
    await sink.discard()
    throw error
  }
  await sink.commit()
  return { roots: [root.toString()], blocks, bytes }
}

async function* batches(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = []
  let size = 0
  for await (const part of parts) {
    waiting.push(part)
    size += part.byteLength
    if (size < WRITE_BYTES) continue
    yield Buffer.concat(waiting)
    waiting = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(waiting)
}
