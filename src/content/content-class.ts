/** The class that decides how a content is treated (semantics: small, large, recent, archived), from its record alone. */
import { MIB, type Bytes, type Ms } from '../model/units.ts'
import type { ContentRecord } from '../ports/record-store.ts'

export const CONTENT_CLASSES = ['private', 'large', 'archived', 'recent', 'small', 'public'] as const
export type ContentClass = (typeof CONTENT_CLASSES)[number]

const DAY: Ms = 24 * 3_600_000
const SMALL_BYTES_MAX: Bytes = MIB
const LARGE_BYTES_MIN: Bytes = 10 * MIB
const RECENT: Ms = DAY
const ARCHIVED_AFTER: Ms = 30 * DAY

/** Of all classes a public content has, the one that decides: large before archived before recent before small before public. */
export function publicClassOf({ size, pinned, createdAt, lastAccess }: ContentRecord, now: Ms): ContentClass {
  if (size > LARGE_BYTES_MIN) return 'large'
  if (pinned && now - lastAccess >= ARCHIVED_AFTER) return 'archived'
  if (now - createdAt < RECENT) return 'recent'
  return size <= SMALL_BYTES_MAX ? 'small' : 'public'
}

/** All classes a content has, by what is known of it: its record, or only its size and whether it is public. */
export function classesOf(
  content: { readonly isPublic: boolean; readonly size: Bytes | null; readonly record?: ContentRecord | undefined },
  now: Ms
): readonly ContentClass[] {
  const { isPublic, record } = content
  const size = record?.size ?? content.size
  const has: Readonly<Record<ContentClass, boolean>> = {
    private: !isPublic,
    large: size !== null && size > LARGE_BYTES_MIN,
    archived: record !== undefined && record.pinned && now - record.lastAccess >= ARCHIVED_AFTER,
    recent: record !== undefined && now - record.createdAt < RECENT,
    small: size !== null && size <= SMALL_BYTES_MAX,
    public: isPublic
  }
  return CONTENT_CLASSES.filter(cls => has[cls])
}
