/**
 * Content addresses: what a caller may write (`CONTENT` of the contract) and what it means.
 * Pure: parses and prints, looks nothing up.
 */
import { CID } from 'multiformats/cid'
import type { MultihashDigest } from 'multiformats'
import { create as createDigest } from 'multiformats/hashes/digest'
import { fromString, toString } from 'uint8arrays'
import { InvalidContentError } from '../errors.ts'

export const RAW_CODEC = 0x55
export const DAG_PB_CODEC = 0x70
export const SHA2_256_CODE = 0x12
export const IDENTITY_CODE = 0x00
/** Identity CIDs carry their bytes; beyond this they are an abuse (IPIP-512). Bytes. */
export const IDENTITY_BYTES_MAX = 128
/** Longest address read. A CID with a deep path fits; characters. */
const CONTENT_CHARACTERS_MAX = 4096

/** Of one that is not known. Characters. */
const ALGORITHM_CHARACTERS_SHOWN = 32

/** Addresses read lately: an app asks for the same ones again and again, and reading one is dear. Entries. */
const PARSED_MAX = 256
/** Longer ones are not kept; a CID with its scheme fits. Characters. */
const PARSED_CHARACTERS_MAX = 128
const parsed = new Map<string, ContentRef>()

/** How an address was written; decides privacy when nothing else is known. */
export type ContentForm = 'cid' | 'ipfs' | 'kith' | 'hash'

export interface ContentRef {
  readonly form: ContentForm
  /** CIDv1 of the root; null when only the content hash is known. */
  readonly cid: CID | null
  /** SHA-256 of the whole content (32 bytes); null when addressed by CID. */
  readonly sha256: Uint8Array | null
  /** Path segments below the root, each checked by {@link isSafeName}. */
  readonly path: readonly string[]
}

/** `{"algorithm":"sha256","value":HEX}` of the contract. */
export interface HashParam {
  readonly algorithm: string
  readonly value: string
}

/** Map key of a block: its multihash, because CIDv0, CIDv1 and codecs differ for the same bytes. */
export function blockKey(cid: CID): string {
  return digestKey(cid.multihash)
}

export function digestKey(multihash: MultihashDigest): string {
  return bytesKey(multihash.bytes)
}

export function bytesKey(bytes: Uint8Array): string {
  return toString(bytes, 'base64')
}

/** CIDv1 raw of content whose SHA-256 is given: right only up to one chunk (1,048,576 bytes). */
export function rawCid(sha256: Uint8Array): CID {
  return CID.createV1(RAW_CODEC, createDigest(SHA2_256_CODE, sha256))
}

export function toV1(cid: CID): CID {
  return cid.version === 1 ? cid : CID.createV1(cid.code, cid.multihash)
}

/** Control characters (C0, DEL, C1) and those that turn the direction of text: a name must look like what it is. */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const UNSAFE_CHARACTERS = /[/\\\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

/**
 * A name that may become a file on disk: not empty, `.` or `..`; without `/`, `\`, control or direction characters;
 * well-formed, and at most 255 bytes.
 */
export function isSafeName(name: string): boolean {
  if (name === '' || name === '.' || name === '..') return false
  return name.isWellFormed() && !UNSAFE_CHARACTERS.test(name) && fromString(name).byteLength <= 255
}

/**
 * Reads an address in any of the forms of the contract.
 *
 * @throws InvalidContentError (INVALID_CONTENT) naming what is wrong
 */
export function parseContent(input: string | HashParam): ContentRef {
  if (typeof input !== 'string') {
    if (input.algorithm !== 'sha256')
      throw new InvalidContentError(
        JSON.stringify(input),
        `algorithm "${input.algorithm.slice(0, ALGORITHM_CHARACTERS_SHOWN)}" is not supported, only sha256 is`
      )
    return hashRef(input.value, input.value)
  }
  const known = parsed.get(input)
  if (known !== undefined) return known
  const ref = readContent(input)
  if (input.length > PARSED_CHARACTERS_MAX) return ref
  if (parsed.size >= PARSED_MAX) parsed.clear()
  parsed.set(input, ref)
  return ref
}

function readContent(input: string): ContentRef {
  const text = input.trim()
  if (text.length > CONTENT_CHARACTERS_MAX) throw new InvalidContentError(text, `it is longer than ${CONTENT_CHARACTERS_MAX} characters`)
  if (text.startsWith('sha256:')) return hashRef(text, text.slice(7))
  if (/^[0-9a-fA-F]{64}$/.test(text)) return hashRef(text, text)
  if (text.startsWith('ipfs://')) return cidRef(text, text.slice(7), 'ipfs')
  if (text.startsWith('kith://')) return cidRef(text, text.slice(7), 'kith')
  if (text.startsWith('/ipfs/')) return cidRef(text, text.slice(6), 'cid')
  return cidRef(text, text, 'cid')
}

/** The address a person hands on: `ipfs://CID` if public, else `kith://CID`. */
export function contentUri(cid: CID, isPublic: boolean): string {
  return `${isPublic ? 'ipfs' : 'kith'}://${toV1(cid).toString()}`
}

export function hex(bytes: Uint8Array): string {
  return toString(bytes, 'base16')
}

function hashRef(input: string, value: string): ContentRef {
  if (!/^[0-9a-fA-F]{64}$/.test(value)) throw new InvalidContentError(input, 'a SHA-256 is 64 hexadecimal digits')
  return { form: 'hash', cid: null, sha256: fromString(value.toLowerCase(), 'base16'), path: [] }
}

function cidRef(input: string, rest: string, form: ContentForm): ContentRef {
  const [head = '', ...segments] = rest.split('/')
  const cid = parseCid(input, head)
  if (segments.at(-1) === '') segments.pop()
  const path = segments.map(segment => decodeSegment(input, segment))
  return { form, cid, sha256: null, path }
}

function decodeSegment(input: string, segment: string): string {
  if (!isSafeName(segment)) throw new InvalidContentError(input, `the path segment "${segment}" is not allowed`)
  return segment
}

function parseCid(input: string, text: string): CID {
  let cid: CID
  try {
    cid = CID.parse(text)
  } catch {
    throw new InvalidContentError(input, 'it is not a CID')
  }
  assertSupported(input, cid)
  return toV1(cid)
}

function assertSupported(input: string, cid: CID): void {
  if (cid.code !== RAW_CODEC && cid.code !== DAG_PB_CODEC)
    throw new InvalidContentError(input, `its codec 0x${cid.code.toString(16)} is not supported, only raw and dag-pb are`)
  const { code, digest } = cid.multihash
  if (code === SHA2_256_CODE && digest.byteLength === 32) return
  if (code === IDENTITY_CODE && digest.byteLength <= IDENTITY_BYTES_MAX) return
  throw new InvalidContentError(
    input,
    code === IDENTITY_CODE
      ? `identity CIDs hold at most ${IDENTITY_BYTES_MAX} bytes`
      : `its hash 0x${code.toString(16)} is not supported, only sha2-256 and identity are`
  )
}

/** Whether a link met inside a DAG is one Kith follows. */
export function isSupportedCid(cid: CID): boolean {
  try {
    assertSupported('', cid)
    return true
  } catch {
    return false
  }
}
