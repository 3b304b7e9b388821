/** What goes when more adverts have come than are kept: of whom one trusts least, and the filter before what it says of itself. */
import type { Bytes } from '../model/units.ts'
import type { ContentFilter } from './filter.ts'
import { ADVERTS_KEPT_MAX, FILTERS_KEPT_BYTES_MAX, STRANGERS_FILTERS_BYTES_MAX } from './limits.ts'

interface Kept {
  readonly filter: ContentFilter | null
}

export interface RoomParts {
  readonly trustOf: (peer: string) => number
  readonly isConnected: (peer: string) => boolean
  readonly dropExpired: () => void
  readonly dropFilter: (peer: string) => void
  readonly drop: (peer: string) => void
}

/**
 * Expired ones go first, then those of whom one trusts least, of these the unconnected, of these the oldest. However
 * many strangers come, they make room for each other first.
 *
 * @param entries - by peer, oldest first
 */
export function makeRoom(entries: ReadonlyMap<string, Kept>, parts: RoomParts): void {
  if (!isOverfull(entries, parts)) return
  parts.dropExpired()
  const order = [...entries.keys()].map(peer => ({ peer, trust: parts.trustOf(peer), isConnected: parts.isConnected(peer) }))
  const victims = order.toSorted((a, b) => a.trust - b.trust || Number(a.isConnected) - Number(b.isConnected))
  const bytes = bytesOf(entries, parts)
  for (const { peer, trust } of victims) {
    if (!isTooMuch(bytes)) break
    const size = sizeOf(entries.get(peer))
    if (size === 0) continue
    parts.dropFilter(peer)
    bytes.inAll -= size
    if (trust <= 0) bytes.ofStrangers -= size
  }
  for (const { peer } of victims.slice(0, Math.max(0, entries.size - ADVERTS_KEPT_MAX))) parts.drop(peer)
}

interface FilterBytes {
  inAll: Bytes
  ofStrangers: Bytes
}

function isOverfull(entries: ReadonlyMap<string, Kept>, parts: RoomParts): boolean {
  return entries.size > ADVERTS_KEPT_MAX || isTooMuch(bytesOf(entries, parts))
}

function isTooMuch({ inAll, ofStrangers }: FilterBytes): boolean {
  return inAll > FILTERS_KEPT_BYTES_MAX || ofStrangers > STRANGERS_FILTERS_BYTES_MAX
}

function bytesOf(entries: ReadonlyMap<string, Kept>, { trustOf }: RoomParts): FilterBytes {
  const bytes: FilterBytes = { inAll: 0, ofStrangers: 0 }
  for (const [peer, kept] of entries) {
    const size = sizeOf(kept)
    bytes.inAll += size
    if (size > 0 && trustOf(peer) <= 0) bytes.ofStrangers += size
  }
  return bytes
}

function sizeOf(kept: Kept | undefined): Bytes {
  return kept?.filter?.bytes.byteLength ?? 0
}
