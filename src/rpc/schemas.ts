/** The shapes that several methods share: parameters a caller writes, and results as they are answered. */
import { z } from 'zod'
import { clipped, didYouMean } from '../lib/nearest-word.ts'
import { PREFERRED_SOURCES } from '../model/source.ts'
import { MESSAGE_BYTES_MAX } from './message-length.ts'

/** `content.list` and `peers.list` answer at most so many items a page. */
const PAGE_ITEMS_MAX = 1000
/** Longest search, seconds: after it every peer has forgotten the request id. */
const TTL_SECONDS_MAX = 300
/** Keys are random ids. Characters. */
const IDEMPOTENCY_KEY_CHARACTERS_MAX = 255
/** Longest free text (names, types); a file name has 255 bytes, the rest is slack. Characters. */
const TEXT_CHARACTERS_MAX = 1024
/** Cursors are short tokens of the store. Characters. */
const CURSOR_CHARACTERS_MAX = 4096

/** Longest address: a CID with a deep path fits. Reading one says more exactly what is wrong with it. Characters. */
const CONTENT_CHARACTERS_MAX = 8_192
/** `sha256` and its hex digits. Characters. */
const HASH_CHARACTERS_MAX = 128
/** Words (kinds of sources, of events) have some 20. Characters. */
const WORD_CHARACTERS_MAX = 64
/** Names of subscriptions, as they were given out. Characters. */
const SUBSCRIPTION_CHARACTERS_MAX = 64
/** Items of any list among the parameters; those that may be long at all are directories, and longer ones are put by their path. Count. */
export const LIST_ITEMS_MAX = 16_384

/** Half a surrogate pair is no text: stored, it would come back as something else. */
const text = z
  .string()
  .max(TEXT_CHARACTERS_MAX)
  .refine(value => value.isWellFormed(), 'it is not well-formed Unicode')

export const content = z
  .union([
    z.string().max(CONTENT_CHARACTERS_MAX),
    z.strictObject({ algorithm: z.string().max(HASH_CHARACTERS_MAX), value: z.string().max(HASH_CHARACTERS_MAX) })
  ])
  .describe('CIDv1, CIDv0, ipfs://CID, kith://CID, /ipfs/CID[/path], sha256:HEX, 64 hex digits, or {"algorithm":"sha256","value":HEX}')

/** What the operator calls a peer: it has to fit a table. Characters. */
const PEER_NAME_CHARACTERS_MAX = 64
export const peerName = text.max(PEER_NAME_CHARACTERS_MAX)

export const name = text.describe('file name, for people')
export const contentType = text.describe('media type')
export const type = text.describe('free word of the application, for listing and policies')
export const privacyParam = z.enum(['public', 'private', 'restricted']).describe('who may have the bytes; "restricted" is not built yet')
const ttlRule = `it must be whole seconds, from 1 to ${TTL_SECONDS_MAX}`
export const ttl = z.int(ttlRule).min(1, ttlRule).max(TTL_SECONDS_MAX, ttlRule).describe('whole seconds the search may last; default 30')
export const idempotencyKey = z
  .string()
  .min(1)
  .max(IDEMPOTENCY_KEY_CHARACTERS_MAX)
  .describe('the same key with the same parameters puts once, for 24 hours, and answers the same again')
export const bytes = z.int().min(0)
export const cursor = z.string().max(CURSOR_CHARACTERS_MAX).describe('where the last page ended')
export const limit = z.int().min(1).max(PAGE_ITEMS_MAX).describe('items a page')
export const peer = z.string().min(1).max(TEXT_CHARACTERS_MAX).describe('PeerId or DID')
export const absolutePath = z
  .string()
  .startsWith('/', 'it must be an absolute path of the machine the daemon runs on')
  .max(CURSOR_CHARACTERS_MAX)

/** Bytes as base64. How many they may be is said where they are decoded; here only that no message holds more. */
export const inlineData = z.string().max(MESSAGE_BYTES_MAX)
/** Below a directory that is put. */
export const entryPath = z.string().min(1).max(CURSOR_CHARACTERS_MAX)
export const subscription = z.string().max(SUBSCRIPTION_CHARACTERS_MAX)

/**
 * At most `most` of a few words. `wrong` says what is wrong with one; the first that is ends the look: each costs a
 * comparison with all words there are.
 */
export function wordsOf(most: number, wrong: (word: string, index: number, words: readonly string[]) => string | undefined) {
  return z
    .array(z.string().max(WORD_CHARACTERS_MAX))
    .max(most, { abort: true, error: `at most ${most} words are taken` })
    .superRefine((words, context) => {
      for (const [index, word] of words.entries()) {
        const message = wrong(word, index, words)
        if (message !== undefined) return context.addIssue({ code: 'custom', message })
      }
    })
}

export const preferredSources = wordsOf(PREFERRED_SOURCES.length, (word, index, words) => {
  if (!PREFERRED_SOURCES.some(source => source === word))
    return `"${clipped(word)}" is no source.${didYouMean(word, PREFERRED_SOURCES)} Known: ${PREFERRED_SOURCES.join(', ')}`
  return words.indexOf(word) === index ? undefined : `"${word}" is given twice`
})
  .pipe(z.array(z.enum(['peer', 'ipfs', 'gateway'])))
  .describe('the only sources to use, in this order: peer, ipfs, gateway; empty or absent: all')

// Results. They describe; the types come from services.ts.
export const privacyClass = z.enum(['public', 'private', 'restricted'])
export const privacyReason = z.enum(['local-record', 'group', 'peer', 'request', 'address', 'update', 'cid', 'unknown-hash'])
export const stage = z.enum(['local', 'peer', 'proxy', 'ipfs', 'gateway'])
const who = { stage, peer: z.string().optional(), did: z.string().optional(), url: z.string().optional() }
export const source = z.object(who)
export const attempt = z.object({
  ...who,
  outcome: z.enum(['ok', 'not-found', 'refused', 'timeout', 'cancelled', 'fault', 'corrupt', 'skipped']),
  ms: z.number(),
  bytes,
  reason: z.string().optional()
})

export const statResult = z.object({
  cid: z.string(),
  uri: z.string(),
  sha256: z.string().optional(),
  size: bytes,
  blocks: bytes,
  localBlocks: bytes,
  privacy: privacyClass,
  pinned: z.boolean(),
  name: z.string().optional(),
  contentType: z.string().optional(),
  type: z.string().optional(),
  createdAt: z.iso.datetime(),
  lastAccess: z.iso.datetime()
})

export const nothing = z.object({}).describe('nothing')
