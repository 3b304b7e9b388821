/**
 * Block changes as rows of the index, inside the caller's transaction. Keeps the counts of each segment, so that
 * usage and emptied segments are known without a scan.
 */
import { addErasure } from './erasures.ts'
import type { IndexDb, Place } from './index-db.ts'

/** What is accepted but not yet durable. `seq` gives the order among all changes of a realm. */
export interface Change {
  readonly kind: 'put' | 'delete' | 'quarantine'
  readonly multihash: Uint8Array
  /** A put of what is stored already, to give back the place where it is. */
  readonly isMove?: boolean
  /** Empty unless a put. */
  readonly bytes: Uint8Array
  readonly seq: number
}

interface Delta {
  blocks: number
  bytes: number
}

/**
 * @param places of the puts among `changes`, in their order
 * @param active the segment that grew and its new length
 * @param at Unix milliseconds, noted with what is quarantined
 */
export function applyChanges(
  index: IndexDb,
  changes: readonly Change[],
  places: readonly Place[],
  active: { readonly number: number; readonly length: number } | undefined,
  at: number
): void {
  const deltas = new Map<number, Delta>()
  let used = 0
  for (const change of changes) {
    if (change.kind === 'put') applyPut(index, change.multihash, places[used++], deltas)
    else applyRemoval(index, change, deltas, at)
  }
  for (const [number, delta] of deltas) {
    index.countSegment(number, { ...delta, length: number === active?.number ? active.length : 0 })
  }
}

function applyPut(index: IndexDb, hash: Uint8Array, place: Place | undefined, deltas: Map<number, Delta>): void {
  if (place === undefined) throw new RangeError('a put has no place')
  index.removeQuarantine(hash)
  if (!index.insertBlock(hash, place)) {
    count(deltas, index.removeBlock(hash), -1)
    index.insertBlock(hash, place)
  }
  count(deltas, place, 1)
}

function applyRemoval(index: IndexDb, change: Change, deltas: Map<number, Delta>, at: number): void {
  const place = index.removeBlock(change.multihash)
  count(deltas, place, -1)
  if (change.kind === 'delete') index.removeQuarantine(change.multihash)
  if (place === undefined) return
  if (change.kind === 'quarantine') index.addQuarantine(change.multihash, place, at)
  else addErasure(index, change.multihash, place)
}

function count(deltas: Map<number, Delta>, place: Place | undefined, sign: 1 | -1): void {
  if (place === undefined) return
  const delta = deltas.get(place.segment) ?? { blocks: 0, bytes: 0 }
  delta.blocks += sign
  delta.bytes += sign * place.length
  deltas.set(place.segment, delta)
}
