/** The configuration of how content is found, told and passed on, and of who may have it. */
import { count, decimal, duration, flag, oneOf, rate, size, wordsOf, type Key } from '../key.ts'
import { MIB } from '../../model/units.ts'

/** One frame of the exchange carries the whole filter, and a frame holds no more. Bytes. */
const ADVERT_BYTES_MAX = 2 * MIB
/** A filter has room for 64 contents at least, which takes up to 250 bytes. Bytes. */
const ADVERT_BYTES_MIN = 512
/** Access levels run from 0 to this. */
const ACCESS_LEVEL_MAX = 10
/** Longer chains of asserters say nothing. */
const TRUST_DEPTH_MAX = 4
const CONTENT_CLASSES = ['private', 'recent', 'small', 'public', 'large', 'archived'] as const

/** An access level, 0–10. */
export function level(doc: string, usual: number): Key<number> {
  return decimal({ doc, default: usual, min: 0, max: ACCESS_LEVEL_MAX })
}

export const ROUTING = {
  ranking: oneOf(['expected-time', 'weighted', 'random'], {
    doc: 'How direct peers are ordered: by the expected time to the content, by the fixed formula, or by chance (for comparison).'
  }),
  maxParallelPeers: count({
    doc: 'Most peers asked at once for one content; 1 is a plain sequential loop.',
    default: 3,
    min: 1,
    max: 64
  }),
  hedgeDelay: duration({
    doc: 'After this long without a verified byte the next peer is asked as well. 0: only when the one before has failed.',
    default: '250ms'
  }),
  ipfsDelay: duration({ doc: 'Head start of the direct peers before IPFS. 0: none, both start together.', default: '150ms' }),
  gatewayDelay: duration({ doc: 'Head start of all others before gateways. 0: none.', default: '600ms' }),
  askUnknownMinTrust: decimal({
    doc: 'Peers that claim nothing are asked for public content only from this trust on.',
    default: 0,
    min: -5,
    max: ACCESS_LEVEL_MAX
  }),
  strict: flag({ doc: 'Each stage only after the one before has failed.', default: false })
} as const

export const P2P_IPFS = {
  preferP2P: wordsOf(CONTENT_CLASSES, {
    doc: 'Classes of content that are provided to IPFS within ten minutes.',
    default: ['private', 'recent', 'small']
  }),
  preferIPFS: wordsOf(CONTENT_CLASSES, {
    doc: 'Classes of content that are provided to IPFS at once.',
    default: ['public', 'large', 'archived']
  }),
  p2pBandwidthLimit: rate({ doc: 'Most bytes a second with direct peers.', default: 0 }),
  ipfsBandwidthLimit: rate({ doc: 'Most bytes a second with IPFS and gateways.', default: 0 }),
  cacheStrategy: oneOf(['lru', 'trust-based', 'predictive'], { doc: 'What leaves a full cache first.' })
} as const

export const TRUST = {
  default: level('Access level (0–10) of a peer nobody set one for.', 0),
  maxDepth: count({ doc: 'Most asserters in a row that are believed.', default: 2, min: 0, max: TRUST_DEPTH_MAX }),
  halfLife: duration({ doc: 'After this long an assertion counts half. 0: it never fades.', default: '90d' }),
  minTrusted: level('From this access level (0–10) on a peer is trusted with what is private.', 5)
} as const

export const PRIVACY = {
  default: oneOf(['private', 'public'], { doc: 'Class of what is put without saying.' }),
  unknown: oneOf(['private', 'public'], { doc: 'Class of a bare hash nobody here knows.' }),
  unknownCid: oneOf(['peers-first', 'public', 'private'], {
    doc: 'Class of a bare CID nobody here knows: `peers-first` asks the peers one trusts whether they know it as private, then everybody.'
  }),
  serveFetched: oneOf(['trusted', 'anyone'], { doc: 'Who is served what this node merely fetched.' })
} as const

export const PROXY = {
  minTrust: level('From this access level on a peer is asked to fetch for this node.', 5),
  serveMinTrust: level('From this access level on a peer may have this node fetch for it.', 5),
  maxBytes: size({ doc: 'Largest content fetched for another.', default: '100MiB' }),
  quotaBytesPerDay: size({ doc: 'Most bytes fetched for one peer in a day.', default: '1GiB' }),
  maxConcurrent: count({ doc: 'Fetches for others at once. 0: none.', default: 4, min: 0, max: 1_000 })
} as const

export const ADVERTS = {
  interval: duration({ doc: 'A changed advert is published at most this often. 0: as soon as changes settle.', default: '30s' }),
  heartbeat: duration({ doc: 'An unchanged advert is published again after this long. 0: never.', default: '5m' }),
  grace: duration({ doc: 'How long an advert outlives its heartbeat.', default: '120s' }),
  falsePositiveRate: decimal({
    doc: 'Share of wrong hits accepted in the filter of an advert.',
    default: 0.001,
    min: 0.000001,
    max: 0.1
  }),
  maxBytes: size({
    doc: 'Largest filter published; what does not fit is left out and the advert says so. 512B to 2MiB. 0: as much as is possible.',
    default: '2MiB',
    min: ADVERT_BYTES_MIN,
    max: ADVERT_BYTES_MAX
  })
} as const

export const SWARMS = {
  minTrust: level('From this access level on a member is given the key of a private swarm.', 5),
  autoAcceptTrust: level('From this access level on an invitation is accepted unasked.', 9),
  overlap: duration({ doc: 'How long listeners take the old key after a rotation. 0: not at all.', default: '7d' })
} as const
