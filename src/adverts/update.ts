/** `new-content`: a node's signed word that it has made a content public. Made and read here; docs/protocol.md. Pure. */
import { CID } from 'multiformats/cid'
import { equals, fromString } from 'uint8arrays'
import { hex, isSupportedCid, RAW_CODEC } from '../model/content-id.ts'
import type { Bytes, Ms } from '../model/units.ts'
import { peerIdFromDid } from '../peers/did-key.ts'
import { checkJwt, JwtError, signJwt, verifyJwt, type UnverifiedJwt, type VerifyJwtOptions } from '../peers/jwt.ts'
import type { Identity } from '../ports/identity.ts'

/** Gossip topic and `aud` of every update. */
export const UPDATES_TOPIC = 'kith/updates/1'
/** A token has some 600 characters. */
export const UPDATE_CHARACTERS_MAX = 2048
/** News older than this is none. Seconds. */
const LIFETIME_SECONDS = 600
/** Longest media type. Characters. */
const CONTENT_TYPE_CHARACTERS_MAX = 255
/** Longest CID read; a CIDv1 of sha2-256 has 59. Characters. */
const CID_CHARACTERS_MAX = 128

/** A public content, as an update names it. */
export interface PublicContent {
  readonly cid: CID
  /** Of the whole content; absent for directories. */
  readonly sha256?: Uint8Array | undefined
  readonly size: Bytes
  readonly contentType?: string | undefined
}

/** What somebody signed. */
export interface Update extends PublicContent {
  readonly did: string
  readonly peerId: string
}

export async function signUpdate({ cid, sha256, size, contentType }: PublicContent, identity: Identity, now: Ms): Promise<string> {
  const iat = Math.floor(now / 1000)
  const claims = {
    type: 'new-content',
    ...(sha256 === undefined ? {} : { hash: hex(sha256) }),
    cid: cid.toString(),
    size,
    ...(contentType === undefined || !isContentType(contentType) ? {} : { contentType }),
    did: identity.did
  }
  return await signJwt({ ...claims, aud: UPDATES_TOPIC, iat, exp: iat + LIFETIME_SECONDS }, identity)
}

/**
 * All that can be seen without the signature.
 *
 * @returns null for news of a kind this version does not know
 * @throws JwtError
 */
export function readUpdate(jwt: string, now: Ms): Update | null {
  return toUpdate(checkJwt(jwt, rules(now), 'did:key'))
}

/**
 * @returns null for news of a kind this version does not know
 * @throws JwtError
 */
export async function verifyUpdate(jwt: string, now: Ms): Promise<Update | null> {
  return toUpdate((await verifyJwt(jwt, rules(now))).claims)
}

function rules(now: Ms): VerifyJwtOptions {
  return {
    audience: UPDATES_TOPIC,
    now: Math.floor(now / 1000),
    expMaxSeconds: LIFETIME_SECONDS,
    charactersMax: UPDATE_CHARACTERS_MAX
  }
}

function toUpdate({ iss, type, hash, cid, size, contentType, did }: UnverifiedJwt): Update | null {
  if (type !== 'new-content') return null
  demand(did === iss, 'did is not its issuer')
  demand(typeof size === 'number' && Number.isSafeInteger(size) && size >= 0, 'size is not a count of bytes')
  demand(hash === undefined || (typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash)), 'hash is not a SHA-256 in hex')
  demand(contentType === undefined || isContentType(contentType), 'contentType is not a short text')
  const root = parseCid(cid)
  const sha256 = hash === undefined ? undefined : fromString(hash, 'base16')
  // A content of one block is addressed by its own hash.
  if (root.code === RAW_CODEC && sha256 !== undefined) demand(equals(root.multihash.digest, sha256), 'hash is not that of the cid')
  return { did, peerId: peerIdFromDid(iss), cid: root, size, ...(sha256 && { sha256 }), ...(contentType !== undefined && { contentType }) }
}

function parseCid(text: unknown): CID {
  demand(typeof text === 'string' && text.length <= CID_CHARACTERS_MAX, 'cid is not a short text')
  try {
    const cid = CID.parse(text)
    if (cid.version === 1 && isSupportedCid(cid) && cid.toString() === text) return cid
  } catch (error) {
    throw new JwtError('form', 'cid is no CID', { cause: error })
  }
  throw new JwtError('form', 'cid is not a CIDv1 in base32 of a kind that is stored')
}

function isContentType(value: unknown): value is string {
  return typeof value === 'string' && value.length <= CONTENT_TYPE_CHARACTERS_MAX && /^[\x20-\x7e]*$/.test(value)
}

function demand(condition: boolean, why: string): asserts condition {
  if (!condition) throw new JwtError('form', why)
}
