/**
 * Requests and answers of the exchange as CBOR maps, read strictly: unknown keys are ignored, everything known is
 * checked for type, size and order before anyone acts on it.
 */
import { encode } from 'cborg'
import type { CID } from 'multiformats/cid'
import { isSafeName, isSupportedCid } from '../model/content-id.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import { PREFERRED_SOURCES, type PreferredSource } from '../model/source.ts'
import type { AnswerEnd, DagHead, HaveAnswer, LeafRange } from '../ports/exchange.ts'
import { decodeStrict } from '../lib/strict-cbor.ts'
import { bytes, decodeMap, given, guarded, list, optional, readCid, text, uint, type Fields } from './fields.ts'
import { CIDS_MAX, HASHES_MAX, MULTIHASH_BYTES_MAX, RANGES_MAX, TEXT_CHARACTERS_MAX, TTL_SECONDS_MAX } from './protocol.ts'

interface RequestBase {
  /** DID of the asker, as it says; rights come from the authenticated peer id. */
  readonly requesterId: string
  /** 16 bytes. */
  readonly requestId: Uint8Array
  readonly ttl: number
  readonly hops: 0 | 1
  /** The asker will treat what comes as public: it is given nothing else. */
  readonly isPublic?: boolean
  readonly preferredSources?: readonly PreferredSource[]
}

export interface DagAsk extends RequestBase {
  readonly kind: 'dag'
  readonly cid: CID | null
  /** The content that `cid` lies below, as the asker knows it: what it may see there is what it may see of this. */
  readonly root?: CID
  readonly sha256: Uint8Array | null
  readonly skipNodes: number
  readonly leaves: 'all' | readonly LeafRange[]
}
export interface BlocksAsk extends RequestBase {
  readonly kind: 'blocks'
  readonly root: CID
  readonly cids: readonly CID[]
}
interface HaveAsk extends RequestBase {
  readonly kind: 'have'
  readonly multihashes: readonly Uint8Array[]
}
interface PlainAsk extends RequestBase {
  readonly kind: 'advert' | 'capabilities'
}
/** A kind of a later version. Answered with `refused`, not punished. */
interface UnknownAsk {
  readonly kind: 'unknown'
}
export type Ask = DagAsk | BlocksAsk | HaveAsk | PlainAsk
export type ReceivedAsk = Ask | UnknownAsk

export interface End {
  readonly status: AnswerEnd
  readonly reason?: string
}

const REQUEST_ID_BYTES = 16
const SHA256_BYTES = 32
/** Longest reason of an END; a word, for logs. */
const REASON_CHARACTERS_MAX = 64

export function encodeRequest(ask: Ask): Uint8Array {
  const base = {
    k: ask.kind,
    requesterId: ask.requesterId,
    requestId: ask.requestId,
    ttl: ask.ttl,
    hops: ask.hops,
    ...(ask.isPublic === true ? { public: true } : {}),
    ...(ask.preferredSources === undefined ? {} : { preferredSources: [...ask.preferredSources] })
  }
  switch (ask.kind) {
    case 'dag':
      return encode({
        ...base,
        ...(ask.cid === null ? {} : { cid: ask.cid.bytes }),
        ...given('root', ask.root?.bytes),
        ...(ask.sha256 === null ? {} : { contentHash: ask.sha256 }),
        skip: ask.skipNodes,
        leaves: ask.leaves === 'all' ? 'all' : ask.leaves.map(range => [...range])
      })
    case 'blocks':
      return encode({ ...base, cid: ask.root.bytes, cids: ask.cids.map(cid => cid.bytes) })
    case 'have':
      return encode({ ...base, hashes: [...ask.multihashes] })
    default:
      return encode(base)
  }
}

/** @throws ProtocolOffence (malformed-request) */
export function decodeRequest(payload: Uint8Array): ReceivedAsk {
  return guarded('malformed-request', () => {
    const fields = decodeMap(payload)
    const kind = fields.get('k')
    if (kind !== 'dag' && kind !== 'blocks' && kind !== 'have' && kind !== 'advert' && kind !== 'capabilities') return { kind: 'unknown' }
    const base = readBase(fields)
    switch (kind) {
      case 'dag':
        return { ...base, kind, ...readDag(fields) }
      case 'blocks':
        return { ...base, kind, root: readCid(fields.get('cid')), cids: list(fields.get('cids'), CIDS_MAX).map(readCid) }
      case 'have':
        return { ...base, kind, multihashes: list(fields.get('hashes'), HASHES_MAX).map(hash => bytes(hash, MULTIHASH_BYTES_MAX)) }
      default:
        return { ...base, kind }
    }
  })
}

export function encodeHead(head: DagHead): Uint8Array {
  return encode({
    cid: head.cid.bytes,
    ...(head.size === undefined ? {} : { size: head.size }),
    ...(isShort(head.contentType) ? { contentType: head.contentType } : {}),
    ...(isShort(head.name) && isSafeName(head.name) ? { name: head.name } : {})
  })
}

/** @throws ProtocolOffence (malformed-frame) */
export function decodeHead(payload: Uint8Array): DagHead {
  return guarded('malformed-frame', () => {
    const fields = decodeMap(payload)
    const cid = readCid(fields.get('cid'))
    if (!isSupportedCid(cid)) throw new Error('the root is of an unsupported kind')
    const name = optional(fields.get('name'), text)
    if (name !== undefined && !isSafeName(name)) throw new Error('the name is not one a file may have')
    return {
      cid,
      ...given('size', optional(fields.get('size'), uint)),
      ...given('contentType', optional(fields.get('contentType'), text)),
      ...given('name', name)
    }
  })
}

export function encodeHave(answers: readonly HaveAnswer[]): Uint8Array {
  return encode(
    answers.map(({ have, cid, size, class: privacy }) => ({
      have,
      ...(cid === undefined ? {} : { cid: cid.bytes }),
      ...(size === undefined ? {} : { size }),
      ...(privacy === undefined ? {} : { class: privacy })
    }))
  )
}

/** @throws ProtocolOffence (malformed-frame) unless there are exactly `count` answers */
export function decodeHave(payload: Uint8Array, count: number): HaveAnswer[] {
  return guarded('malformed-frame', () => {
    const answers = list(decodeStrict(payload), HASHES_MAX)
    if (answers.length !== count) throw new Error(`${answers.length} answers to ${count} questions`)
    return answers.map(readHave)
  })
}

export function encodeEnd(end: End): Uint8Array {
  return encode({ status: end.status, ...given('reason', end.reason) })
}

/** @throws ProtocolOffence (malformed-frame) */
export function decodeEnd(payload: Uint8Array): End {
  return guarded('malformed-frame', () => {
    const fields = decodeMap(payload)
    const status = fields.get('status')
    if (status !== 'ok' && status !== 'partial' && status !== 'not-found' && status !== 'refused') throw new Error('an unknown status')
    return {
      status,
      ...given(
        'reason',
        optional(fields.get('reason'), value => text(value).slice(0, REASON_CHARACTERS_MAX))
      )
    }
  })
}

function readBase(fields: Fields): RequestBase {
  const requestId = bytes(fields.get('requestId'), REQUEST_ID_BYTES)
  if (requestId.byteLength !== REQUEST_ID_BYTES) throw new Error('requestId has 16 bytes')
  const ttl = uint(fields.get('ttl'))
  if (ttl < 1 || ttl > TTL_SECONDS_MAX) throw new Error('ttl is 1 to 300 seconds')
  const hops = fields.get('hops') ?? 0
  if (hops !== 0 && hops !== 1) throw new Error('hops is 0 or 1')
  const isPublic = fields.get('public') ?? false
  if (typeof isPublic !== 'boolean') throw new Error('public is true or false')
  const preferredSources = optional(fields.get('preferredSources'), value => list(value, PREFERRED_SOURCES.length).map(preferredSource))
  return {
    requesterId: text(fields.get('requesterId') ?? fields.get('did')),
    requestId,
    ttl,
    hops,
    ...(isPublic ? { isPublic } : {}),
    ...given('preferredSources', preferredSources)
  }
}

function readDag(fields: Fields): Omit<DagAsk, 'kind' | keyof RequestBase> {
  const cid = optional(fields.get('cid'), readCid) ?? null
  const sha256 = optional(fields.get('contentHash') ?? fields.get('hash'), value => bytes(value, SHA256_BYTES)) ?? null
  if (sha256 !== null && sha256.byteLength !== SHA256_BYTES) throw new Error('contentHash has 32 bytes')
  if (cid === null && sha256 === null) throw new Error('neither cid nor contentHash')
  return {
    cid,
    ...given('root', optional(fields.get('root'), readCid)),
    sha256,
    skipNodes: uint(fields.get('skip') ?? 0),
    leaves: readRanges(fields.get('leaves') ?? 'all')
  }
}

function readRanges(value: unknown): 'all' | LeafRange[] {
  if (value === 'all') return value
  let end = 0
  return list(value, RANGES_MAX).map(pair => {
    const [start, count] = list(pair, 2).map(uint)
    if (start === undefined || count === undefined || count === 0 || start < end)
      throw new Error('ranges are [start, count], ascending and disjoint')
    end = start + count
    return [start, count]
  })
}

function readHave(value: unknown): HaveAnswer {
  if (!(value instanceof Map)) throw new Error('an answer is a map')
  const have: unknown = value.get('have')
  if (typeof have !== 'boolean') throw new Error('have is true or false')
  return {
    have,
    ...given('cid', optional(value.get('cid'), readCid)),
    ...given('size', optional(value.get('size'), uint)),
    ...given('class', optional(value.get('class'), privacyClass))
  }
}

function isShort(value: string | undefined): value is string {
  return value !== undefined && value.length <= TEXT_CHARACTERS_MAX
}

function privacyClass(value: unknown): PrivacyClass {
  if (value !== 'public' && value !== 'private') throw new Error('an unknown class')
  return value
}

function preferredSource(value: unknown): PreferredSource {
  const found = PREFERRED_SOURCES.find(source => source === value)
  if (found === undefined) throw new Error('an unknown source')
  return found
}
