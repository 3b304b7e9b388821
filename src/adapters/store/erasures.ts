/**
 * Deleted blocks leave the disk: each is overwritten in place soon after its deletion is durable, wherever its
 * segment is not given back as a whole. What is still to be done stands in the index, so a crash only delays it.
 */
import type { IndexDb, Place } from './index-db.ts'
import { payloadOffset } from './segment-format.ts'
import type { SegmentFiles } from './segment-files.ts'
import type { StoreWriter } from './store-writer.ts'

/** Blocks overwritten between two looks at the signal, with one flush. Blocks. */
const ERASURES_PAGE = 64

/** Inside the transaction that deletes the block. */
export function addErasure(index: IndexDb, multihash: Uint8Array, place: Place): void {
  index
    .statement('INSERT INTO erasures (segment, at) VALUES (?, ?) ON CONFLICT DO NOTHING')
    .run(place.segment, place.offset - payloadOffset(multihash))
}

export interface EraseComponents {
  readonly index: IndexDb
  readonly segments: SegmentFiles
  readonly writer: StoreWriter
}

/** Overwrites every block that is noted. Rejects when the signal fires between two flushes, or the disk fails. */
export async function eraseDeleted({ index, segments, writer }: EraseComponents, signal: AbortSignal): Promise<void> {
  for (let page = nextPage(index); page !== undefined; page = nextPage(index)) {
    signal.throwIfAborted()
    const { segment, offsets } = page
    await segments.erase(segment, offsets, (multihash, offset) => {
      const place = index.findBlock(multihash)
      return place?.segment !== segment || place.offset !== offset
    })
    await writer.commitFreeing(db => {
      for (const at of offsets) db.statement('DELETE FROM erasures WHERE segment = ? AND at = ?').run(segment, at)
    })
  }
}

/** Offsets of block headers in one segment. */
function nextPage(index: IndexDb): { readonly segment: number; readonly offsets: number[] } | undefined {
  const rows = index
    .statement('SELECT segment, at FROM erasures ORDER BY segment, at LIMIT ?')
    .all(ERASURES_PAGE)
    .map(row => ({ segment: Number(row['segment']), at: Number(row['at']) }))
  const [first] = rows
  if (first === undefined) return undefined
  return { segment: first.segment, offsets: rows.filter(row => row.segment === first.segment).map(row => row.at) }
}
