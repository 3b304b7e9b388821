/** Every limit of adverts: what is sent, what is read, what is kept. */
import { KIB, MIB, type Bytes, type Ms } from '../model/units.ts'

/** Gossip topic and `aud` of every advert. */
export const ADVERTS_TOPIC = 'kith/adverts/1'
/** Version of the claims. Another one is refused: its meaning is not known. */
export const ADVERT_VERSION = 1

/** Largest encoded filter that travels inside a gossip message; gossip multiplies what it carries. Bytes. */
export const FILTER_INLINE_BYTES_MAX: Bytes = 16 * KIB
/** Largest encoded filter read where the configuration sets no limit of its own. Bytes. */
export const FILTER_BYTES_MAX: Bytes = 2 * MIB
/** Longest signed head: 16 addresses of 256 characters, a gateway, and room for claims yet unknown. Characters. */
export const ADVERT_JWT_CHARACTERS_MAX = 8 * KIB
/** CBOR around head and filter: map, two keys, two lengths. Bytes. */
export const ADVERT_OVERHEAD_BYTES_MAX: Bytes = 64
/** Largest gossip message read at all. Bytes. */
export const ADVERT_GOSSIP_BYTES_MAX: Bytes = FILTER_INLINE_BYTES_MAX + ADVERT_JWT_CHARACTERS_MAX + ADVERT_OVERHEAD_BYTES_MAX

/** Longest time an advert may be valid. Generous, so that a slow heartbeat is no offence. Seconds. */
export const ADVERT_LIFETIME_SECONDS_MAX = 24 * 60 * 60
/** Hints for the own IPFS node. Count. */
export const SWARM_ADDRESSES_MAX = 16
/** Longest multiaddr or gateway URL. Characters. */
export const ADDRESS_CHARACTERS_MAX = 256

/** Longest signed answer about capabilities: an advert's head and four bindings of 2,048 characters in base64. Characters. */
export const CAPABILITIES_CHARACTERS_MAX = 24 * KIB

/** Who publishes by hand waits this long before the next: others take one a second of each. */
export const PUBLISH_NOW_GAP_MS: Ms = 2000
/** A change is published when nothing more has changed for this long. */
export const ADVERT_SETTLE_MS: Ms = 2000
/** Gossip hands a message on at once or not at all; a publish that hangs must not stop the next. */
export const PUBLISH_BUDGET_MS: Ms = 5000
/** Shutdown waits this long for the goodbye to be handed on, never longer. */
export const GOODBYE_BUDGET_MS: Ms = 1000

/** Issuers whose advert is kept: three times the connections a node has by default. Count. */
export const ADVERTS_KEPT_MAX = 1024
/** Issuers whose last sequence number is remembered after their advert is gone, some 130 bytes each. Count. */
export const ISSUERS_REMEMBERED_MAX = 8192
/** Adverts between their validation and their delivery, which follow each other at once. Count. */
export const ADVERTS_IN_DELIVERY_MAX = 256
/** All received filters together. Bytes. */
export const FILTERS_KEPT_BYTES_MAX: Bytes = 64 * MIB
/** Of these, what those of strangers may take: anybody can have as many identities as he likes. Bytes. */
export const STRANGERS_FILTERS_BYTES_MAX: Bytes = FILTERS_KEPT_BYTES_MAX / 2

/** Heads of one issuer checked: a second apart, ten at once; an honest one sends one in 30 s. */
export const ISSUER_HEADS_PER_SECOND = 1
export const ISSUER_HEADS_BURST = 10
/** Signatures checked for all issuers together, at a third of a millisecond each. */
export const HEADS_PER_SECOND = 50
export const HEADS_BURST = 100

/** A peer that was found to claim what it has not is asked as if it had said nothing, for this long. */
export const CLAIMS_IGNORED_MS: Ms = 60 * 60_000

/** Bodies pulled at the same time, up to 2 MiB each. Count. */
export const PULLS_RUNNING_MAX = 4
/** Peers that wait for their pull. Count. */
export const PULLS_WAITING_MAX = ADVERTS_KEPT_MAX
/** From the end of one pull from a peer to the start of the next from it. */
export const PULL_GAP_MS: Ms = 5000
/** A body of 2 MiB at 70 kB/s. */
export const PULL_BUDGET_MS: Ms = 30_000

/** A content that was told once by its source is no news for this long. */
export const UPDATE_NEWS_MS: Ms = 10 * 60_000
/** Roots remembered as public because trusted peers said so, some 300 bytes each. Count. */
export const PUBLIC_REMEMBERED_MAX = 10_000
