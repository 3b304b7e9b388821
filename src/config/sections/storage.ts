/** The configuration of what is kept, for how long, and how much of it. */
import { BadValueError, count, decimal, duration, fieldsOf, flag, listOf, notYet, parseWrittenDuration, path, share, size } from '../key.ts'
import type { Ms } from '../../model/units.ts'
import { level } from './content.ts'

/** Of a content type, how long it is kept when nobody pinned it. */
export interface KeepPolicy {
  readonly type: string
  readonly maxAge: Ms
}

export const PINNING = {
  autoPinTrustThreshold: level('What came from a peer of this access level is held for its user.', 8),
  recentAccessWindow: duration({ doc: 'What was read within this time leaves the cache last.', default: '24h' }),
  maxAutoBytes: size({ doc: 'Most bytes held automatically.', default: '10GiB' }),
  maxBytesForOthers: size({ doc: 'Most bytes held for the collaborative pins of others.', default: '10GiB' }),
  repairBytesPerHour: size({ doc: 'Most bytes fetched in an hour to make up for lost copies.', default: '10GiB' }),
  collaborativePinning: {
    enabled: flag({ doc: 'Take part in collaborative pins.', default: true }),
    minPeers: count({ doc: 'Copies wanted unless a pin says otherwise.', default: 3, min: 1, max: 64 }),
    trustRequired: level('From this access level on a peer counts as a holder.', 5)
  }
} as const

export const CACHE = {
  maxBytes: size({ doc: 'Most bytes kept of what was merely fetched.', default: '10GiB' }),
  ttl: duration({ doc: 'What was not read for this long leaves the cache first. 0: only size counts.', default: '30d' })
} as const

export const GC = {
  interval: duration({ doc: 'How often unpinned content is collected. 0: only when asked.', default: '1h' }),
  watermark: decimal({ doc: 'Share of `cache.maxBytes` from which on the cache is collected.', default: 0.9, min: 0.1, max: 1 }),
  scrubInterval: duration({ doc: 'Every stored block is read and verified once in this time. 0: never.', default: '30d' }),
  policies: listOf('{type, maxAge}', { doc: 'How long unpinned content of a type is kept.', default: [] }, (written): KeepPolicy => {
    const { type, maxAge }: Readonly<Record<string, unknown>> = { ...fieldsOf(written, ['type', 'maxAge'], '{type, maxAge}') }
    if (typeof type !== 'string' || type === '') throw new BadValueError('names no type')
    return { type, maxAge: parseWrittenDuration(maxAge) }
  })
} as const

export const STORAGE = {
  reserve: share({ doc: 'Share of the disk that stays free: puts and fetches are refused and `status` warns below it.', default: '5 %' }),
  passphraseFile: notYet(
    path({ doc: 'File with the passphrase under which the keys of this home are sealed. Not built yet: setting it refuses the start.' }),
    'encryption at rest comes later. Kith refuses to start rather than run with an unsealed home; remove the key to run without, on an encrypted disk if need be'
  )
} as const

export const LIMITS = {
  maxFileSize: size({ doc: 'Largest content put or got.', default: 0 }),
  unconfirmedBytes: size({ doc: 'Most bytes spent on a content hash that no trusted peer has vouched for.', default: '256MiB' }),
  maxConcurrent: count({ doc: 'Retrievals at once; 10,000 more wait.', default: 64, min: 1, max: 10_000 }),
  allowedTypes: listOf(
    'media type',
    { doc: 'Media types that may be put, such as `image/*`; `[]`: all.', default: [] },
    (written): string => {
      if (typeof written === 'string' && /^[\w.+-]+\/(?:\*|[\w.+-]+)$/.test(written)) return written.toLowerCase()
      throw new BadValueError('is not a media type. It looks like image/png or image/*')
    }
  ),
  maxSockets: count({ doc: 'Connections to Kubo and gateways together.', default: 100, min: 1, max: 10_000 })
} as const
