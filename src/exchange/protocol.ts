/** Names and limits of `/kith/exchange/1`, the same on both sides. docs/protocol.md says what they mean. */
import { BLOCK_BYTES_MAX } from '../model/block.ts'
import { KIB, type Bytes } from '../model/units.ts'

export const EXCHANGE_PROTOCOL = '/kith/exchange/1'

/** Types from here on may be skipped by who does not know them; below, an unknown type ends the stream. */
export const SKIPPABLE_FROM = 0x80

/** 0x10–0x1f are kept for have-bitmaps and several sources, 0x21–0x2f for more capabilities. */
export const FRAME = {
  REQUEST: 0x01,
  HEAD: 0x02,
  NODE: 0x03,
  LEAF: 0x04,
  BLOCK: 0x05,
  HAVE: 0x06,
  ADVERT: 0x07,
  END: 0x08,
  CAPABILITIES: 0x20
} as const

/** Largest payload of any frame: the largest block and its index, or an advert with its head. */
export const FRAME_BYTES_MAX: Bytes = BLOCK_BYTES_MAX + 64 * KIB
/** Largest request: 256 CIDs take 11 KiB, 4,096 ranges at most 45 KiB. */
export const REQUEST_BYTES_MAX: Bytes = 64 * KIB
/** Largest HEAD, HAVE or END: a name, a type, a CID; 64 answers. */
export const CONTROL_BYTES_MAX: Bytes = 16 * KIB

/** Largest CAPABILITIES: one signed statement. */
export const CAPABILITIES_BYTES_MAX: Bytes = 64 * KIB

/** Ranges of one request; a fetcher with more gaps asks twice. */
export const RANGES_MAX = 4096
/** Single blocks of one request. */
export const CIDS_MAX = 256
/** Questions of one `have`. */
export const HASHES_MAX = 64
/** Longest multihash read: identity digests have at most 128 bytes. */
export const MULTIHASH_BYTES_MAX: Bytes = 132
/** Longest CID read: version and codec before the multihash. */
export const CID_BYTES_MAX: Bytes = MULTIHASH_BYTES_MAX + 8
/** Longest name or content type; bytes of a file name on every common system. */
export const TEXT_CHARACTERS_MAX = 255
/** `ttl` of a request, seconds. */
export const TTL_SECONDS_MAX = 300
