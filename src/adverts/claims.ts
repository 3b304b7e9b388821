/** What an advert says about its node: the claims inside the signed token, written and read. Pure. */
import type { UnverifiedJwt } from '../peers/jwt.ts'
import { peerIdFromDid } from '../peers/did-key.ts'
import { AdvertError } from './advert-error.ts'
import { ADDRESS_CHARACTERS_MAX, ADVERT_VERSION, SWARM_ADDRESSES_MAX } from './limits.ts'

export const IPFS_TYPES = ['kubo', 'helia', 'gateway-only'] as const
export type IpfsType = (typeof IPFS_TYPES)[number]

/** A peer's IPFS node, as it says itself. Addresses are hints; nothing here is believed without checks of its own. */
export interface IpfsCapability {
  readonly enabled: boolean
  readonly type: IpfsType
  readonly publicGateway?: string
  readonly swarmAddresses?: readonly string[]
}

/** What a node says about itself besides its content. */
export interface OwnCapabilities {
  readonly ipfsNode: IpfsCapability
  /** Bytes a second. */
  readonly bandwidthLimit?: number
  /** How many bindings it shows when asked for its capabilities; absent: none. */
  readonly bindings?: number
}

/** The signed description of the filter. */
export interface ContentIndex {
  /** SHA-256 of the encoded filter, base64url without padding. */
  readonly digest: string
  /** Size of the encoded filter. */
  readonly bytes: number
  /** Elements in it. */
  readonly count: number
  /** True if not all fitted: then its no means unknown. */
  readonly truncated: boolean
}

export interface Capabilities extends OwnCapabilities {
  readonly did: string
  readonly contentIndex: ContentIndex
}

/** The claims of one advert, checked. */
export interface AdvertHead {
  readonly did: string
  readonly peerId: string
  readonly seq: number
  /** Unix seconds. */
  readonly issuedAt: number
  /** Unix seconds. */
  readonly expires: number
  /** Null in a goodbye: the issuer is leaving and takes back what it said. */
  readonly caps: Capabilities | null
}

/**
 * Checks the claims of a token; members that are not known are passed over.
 *
 * @throws AdvertError: `ignore` for another version, else `reject`, since every relay can see what is wrong
 */
export function readClaims(claims: UnverifiedJwt): AdvertHead {
  const { iss, iat, exp, seq, peerId, v, goodbye, caps } = claims
  // A later version is no offence of whoever passed it on.
  if (v !== ADVERT_VERSION) throw new AdvertError('ignore', 'its version is not known')
  demand(isCount(seq) && seq > 0, 'seq is not a positive integer')
  demand(peerId === peerIdFromDid(iss), 'peerId is not that of its issuer')
  demand(goodbye === undefined || goodbye === true, 'goodbye is not true')
  return { did: iss, peerId, seq, issuedAt: iat, expires: exp, caps: goodbye === true ? null : readCapabilities(caps, iss) }
}

/** @throws AdvertError (reject) */
export function readCapabilities(value: unknown, issuer: string): Capabilities {
  demand(isObject(value), 'caps is not an object')
  const { did, ipfsNode, contentIndex, bandwidthLimit, bindings } = value
  demand(did === issuer, 'caps.did is not its issuer')
  demand(bandwidthLimit === undefined || isCount(bandwidthLimit), 'bandwidthLimit is not a count of bytes')
  demand(bindings === undefined || isCount(bindings), 'bindings is not a count')
  return {
    did,
    ipfsNode: readIpfs(ipfsNode),
    contentIndex: readIndex(contentIndex),
    ...(bandwidthLimit !== undefined && { bandwidthLimit }),
    ...(bindings !== undefined && { bindings })
  }
}

function readIpfs(value: unknown): IpfsCapability {
  demand(isObject(value), 'ipfsNode is not an object')
  const { enabled, type, publicGateway, swarmAddresses } = value
  const known = IPFS_TYPES.find(one => one === type)
  demand(typeof enabled === 'boolean' && known !== undefined, 'ipfsNode lacks enabled or a known type')
  demand(publicGateway === undefined || isAddress(publicGateway), 'publicGateway is not a short text')
  demand(swarmAddresses === undefined || isAddressList(swarmAddresses), `swarmAddresses are not at most ${SWARM_ADDRESSES_MAX} short texts`)
  return {
    enabled,
    type: known,
    ...(publicGateway !== undefined && { publicGateway }),
    ...(swarmAddresses !== undefined && { swarmAddresses })
  }
}

function readIndex(value: unknown): ContentIndex {
  demand(isObject(value), 'contentIndex is not an object')
  const { digest, bytes, count, truncated } = value
  demand(typeof digest === 'string' && /^[A-Za-z0-9_-]{43}$/.test(digest), 'contentIndex.digest is not a SHA-256 in base64url')
  demand(isCount(bytes) && isCount(count), 'contentIndex.bytes or count is not a count')
  demand(typeof truncated === 'boolean', 'contentIndex.truncated is not a boolean')
  return { digest, bytes, count, truncated }
}

function demand(condition: boolean, why: string): asserts condition {
  if (!condition) throw new AdvertError('reject', why)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= ADDRESS_CHARACTERS_MAX
}

function isAddressList(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= SWARM_ADDRESSES_MAX && value.every(isAddress)
}
