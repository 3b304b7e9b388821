/** Bytes of blocks to and from a segment file: no copies on the way out, short writes and reads finished. */
import { readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { KIB } from '../../model/units.ts'
import type { Place } from './index-db.ts'
import { CIPHER_PLAIN, payloadOffset, writeBlockHeader } from './segment-format.ts'

/** Reads up to this size cost less on the calling thread than a turn through the thread pool. Bytes. */
const READ_SYNC_BYTES_MAX = 16 * KIB

/** A block to append. */
export interface Appendable {
  readonly multihash: Uint8Array
  readonly bytes: Uint8Array
}

export function layOut(
  blocks: readonly Appendable[],
  active: { readonly number: number; readonly length: number }
): { parts: Uint8Array[]; places: Place[]; length: number } {
  const headers = Buffer.alloc(blocks.reduce((sum, { multihash }) => sum + payloadOffset(multihash), 0))
  const parts: Uint8Array[] = []
  const places: Place[] = []
  let headersUsed = 0
  let offset = active.length
  for (const { multihash, bytes } of blocks) {
    const headerLength = payloadOffset(multihash)
    writeBlockHeader(headers, headersUsed, multihash, bytes.byteLength)
    parts.push(headers.subarray(headersUsed, headersUsed + headerLength), bytes)
    headersUsed += headerLength
    places.push({ segment: active.number, offset: offset + headerLength, length: bytes.byteLength, cipher: CIPHER_PLAIN })
    offset += headerLength + bytes.byteLength
  }
  return { parts, places, length: offset - active.length }
}

export async function writeAll(file: FileHandle, parts: readonly Uint8Array[], position: number, length: number): Promise<void> {
  let rest = [...parts]
  for (let written = 0; written < length;) {
    const { bytesWritten } = await file.writev(rest, position + written)
    if (bytesWritten === 0) throw new Error('the disk took no more bytes')
    written += bytesWritten
    rest = dropBytes(rest, bytesWritten)
  }
}

/** What is left of `parts` after a short write. */
function dropBytes(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count
  let index = 0
  for (let part = parts[0]; part !== undefined && skip >= part.byteLength; part = parts[index]) {
    skip -= part.byteLength
    index++
  }
  const [first, ...rest] = parts.slice(index)
  return first === undefined ? [] : [first.subarray(skip), ...rest]
}

export async function readAt(file: FileHandle, bytes: Uint8Array, offset: number): Promise<number> {
  let got = 0
  while (got < bytes.byteLength) {
    const count =
      bytes.byteLength <= READ_SYNC_BYTES_MAX
        ? readSync(file.fd, bytes, got, bytes.byteLength - got, offset + got)
        : (await file.read(bytes, got, bytes.byteLength - got, offset + got)).bytesRead
    if (count === 0) break
    got += count
  }
  return got
}
