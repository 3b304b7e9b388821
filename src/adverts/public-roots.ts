/** What the public advert names: every root of realm `public`, most recently used first. */
import type { ContentRecord, RecordStore } from '../ports/record-store.ts'
import type { AdvertisedRoot } from './maker.ts'

/** Records read a page. */
const PAGE = 1000

/** Throws if the store does: an interrupted scan is never published. */
export function publicRoots(records: Pick<RecordStore, 'list'>): AdvertisedRoot[] {
  const all: ContentRecord[] = []
  let cursor: string | undefined
  do {
    const page = records.list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    all.push(...page.items)
    cursor = page.cursor
  } while (cursor !== undefined)
  return all.toSorted((a, b) => b.lastAccess - a.lastAccess).map(({ root, sha256 }) => ({ root: root.multihash.bytes, sha256 }))
}
