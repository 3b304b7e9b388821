/** Answers `blocks`, `have` and `advert`: short looks into what the asker may see. */
import { CID } from 'multiformats/cid'
import { decode as decodeDigest } from 'multiformats/hashes/digest'
import { KithError } from '../errors.ts'
import { DAG_PB_CODEC, isSupportedCid, RAW_CODEC, SHA2_256_CODE } from '../model/content-id.ts'
import { MIB, type Bytes } from '../model/units.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import type { HaveAnswer } from '../ports/exchange.ts'
import type { ContentRecord } from '../ports/record-store.ts'
import type { ServedContent } from '../ports/serving.ts'
import type { AnswerWriter } from './answer-writer.ts'
import { encodeHave, type BlocksAsk, type End } from './codec.ts'
import { frameParts, ProtocolOffence } from './frames.ts'
import { CAPABILITIES_BYTES_MAX, FRAME } from './protocol.ts'
import { sendBlocks, type WantedBlock } from './send-blocks.ts'

/** An advert travels in frames of this size, so that each is small against the largest frame. */
const ADVERT_FRAME_BYTES: Bytes = MIB

/** `root` must be there to be seen: a stranger cannot fish for single blocks by guessing their digests. */
export async function serveBlocks(ask: BlocksAsk, view: ServedContent, out: AnswerWriter): Promise<End> {
  if (!isSupportedCid(ask.root) || !(await view.has(ask.root))) return { status: 'not-found' }
  const wanted = ask.cids.map((cid, index): WantedBlock => ({ index, cid, size: undefined })).filter(({ cid }) => isSupportedCid(cid))
  const complete = await sendBlocks(out, view, FRAME.BLOCK, wanted, 'skip')
  return { status: complete && wanted.length === ask.cids.length ? 'ok' : 'partial' }
}

export async function serveHave(multihashes: readonly Uint8Array[], view: ServedContent, out: AnswerWriter): Promise<End> {
  const answers: HaveAnswer[] = []
  for (const multihash of multihashes) answers.push(await lookUp(multihash, view))
  out.add(frameParts(FRAME.HAVE, encodeHave(answers)))
  return { status: 'ok' }
}

export async function serveAdvert(advert: Uint8Array | null, out: AnswerWriter): Promise<End> {
  if (advert === null) return { status: 'not-found' }
  for (let at = 0; at < advert.byteLength; at += ADVERT_FRAME_BYTES) {
    out.add(frameParts(FRAME.ADVERT, advert.subarray(at, at + ADVERT_FRAME_BYTES)))
    if (out.isFull) await out.flush()
  }
  return { status: 'ok' }
}

/** @param made - what this node says to that peer; null: nothing */
export function serveCapabilities(made: Uint8Array | null, out: AnswerWriter): End {
  if (made === null) return { status: 'not-found' }
  if (made.byteLength > CAPABILITIES_BYTES_MAX)
    throw new KithError('INTERNAL', `capabilities of ${made.byteLength} bytes do not fit into a frame`)
  out.add(frameParts(FRAME.CAPABILITIES, made))
  return { status: 'ok' }
}

/** A record whose root block is gone promises nothing. A bare block counts: it may be the root of a content up to one chunk. */
async function lookUp(bytes: Uint8Array, view: ServedContent): Promise<HaveAnswer> {
  const cid = readMultihash(bytes)
  if (!isSupportedCid(cid)) return { have: false }
  const record = findRecord(cid, view)
  if (record !== undefined && (await view.has(record.root)))
    return { have: true, cid: record.root, size: record.size, class: await classOf(record.root, view) }
  if (await view.has(cid)) return { have: true, class: await classOf(cid, view) }
  return { have: false }
}

function findRecord(raw: CID, view: ServedContent): ContentRecord | undefined {
  const { multihash } = raw
  return (
    view.record(CID.createV1(DAG_PB_CODEC, multihash)) ??
    view.record(raw) ??
    (multihash.code === SHA2_256_CODE ? view.findByHash(multihash.digest) : undefined)
  )
}

async function classOf(cid: CID, view: ServedContent): Promise<PrivacyClass> {
  return (await view.classOf?.(cid)) ?? 'public'
}

function readMultihash(bytes: Uint8Array): CID {
  try {
    return CID.createV1(RAW_CODEC, decodeDigest(bytes))
  } catch {
    throw new ProtocolOffence('malformed-request', 'a question that is no multihash')
  }
}
