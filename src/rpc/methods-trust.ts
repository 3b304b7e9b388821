/** The methods `trust.*`. */
import { z } from 'zod'
import { method } from './method.ts'
import { peerName } from './schemas.ts'

/** More than any DID is long. Characters. */
const DID_CHARACTERS_MAX = 256
/** Readers named in one call. */
const READERS_MAX = 64
/** A word or a short sentence. Characters. */
const CONTEXT_CHARACTERS_MAX = 256
/** `90d`. Characters. */
const DURATION_CHARACTERS_MAX = 32

const levelRule = 'it must be a whole number from 0 to 100'
const did = z.string().min(1).max(DID_CHARACTERS_MAX).describe('did:key:z6Mk…, did:web:example.org, or a PeerId')
const level = z.int(levelRule).min(0, levelRule).max(100, levelRule).describe('0–100; access is a tenth of it')
const to = z.array(did).max(READERS_MAX)

const entry = z.object({
  did: z.string(),
  name: z.string().optional(),
  level: z.number().optional(),
  access: z.number(),
  effective: z.number(),
  blocked: z.boolean(),
  paths: z.array(z.object({ through: z.array(z.string()), trust: z.number() })),
  behaviour: z.number(),
  offences: z.record(z.string(), z.number()).optional(),
  suspendedUntil: z.iso.datetime().optional(),
  note: z.string().optional().describe('why it is neither asked nor served')
})

export const trustMethods = {
  'trust.set': method({
    access: 'peers',
    doc: 'Gives a node or a person a level: from `trust.minTrusted` on it may have what is private. Nothing else moves access.',
    params: { did, level, name: peerName.describe('what you call it').exactOptional() },
    result: entry,
    run: async ({ trust }, params) => await trust.set(params)
  }),
  'trust.get': method({
    access: 'read or peers',
    doc: 'How far one is trusted, and why.',
    params: { did },
    result: entry,
    run: async ({ trust }, params) => await trust.get(params.did)
  }),
  'trust.list': method({
    access: 'read or peers',
    doc: 'Everybody with a level or a block, who is shunned for what it did, and those that others speak of.',
    params: {},
    large: true,
    result: z.object({ items: z.array(entry) }),
    run: async ({ trust }) => await trust.list()
  }),
  'trust.assert': method({
    access: 'peers',
    doc: 'Tells others, signed for each of them alone, how far one is trusted here; those that are away hear of it when they connect.',
    params: {
      did,
      level: level.describe('0–100; absent: the level that was set').exactOptional(),
      context: z
        .string()
        .max(CONTEXT_CHARACTERS_MAX)
        .refine(value => value.isWellFormed(), 'it is not well-formed Unicode')
        .describe('what it is about, for people')
        .exactOptional(),
      expires: z.string().max(DURATION_CHARACTERS_MAX).describe('a duration such as 90d; default 365d').exactOptional(),
      to: to.describe('who is told; absent: every node with access of at least `trust.minTrusted`').exactOptional()
    },
    result: z.object({ jwt: z.string(), delivery: z.record(z.string(), z.enum(['delivered', 'queued', 'refused'])) }),
    run: async ({ trust }, params, { signal }) => await trust.assert(params, { signal })
  }),
  'trust.revoke': method({
    access: 'peers',
    doc: 'Takes back the level and the name, and what was asserted to others.',
    params: { did, to: to.describe('who hears that it is taken back; absent: whoever was told').exactOptional() },
    result: entry,
    run: async ({ trust }, params, { signal }) => await trust.revoke(params, { signal })
  }),
  'trust.block': method({
    access: 'peers',
    doc: 'Access 0 for good, whatever the level; closes the connection. A person with all nodes it was seen to speak for.',
    params: { did },
    result: entry,
    run: async ({ trust }, params) => await trust.block(params.did)
  }),
  'trust.unblock': method({
    access: 'peers',
    doc: 'Ends a block, and forgives: offences and a suspension are forgotten; the level is what it was.',
    params: { did },
    result: entry,
    run: async ({ trust }, params) => await trust.unblock(params.did)
  })
}
