/** The `content.*` methods: what they take, what they answer, and which service they call. */
import { z } from 'zod'
import { KithError, NotBuiltError } from '../errors.ts'
import { isSafeName } from '../model/content-id.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import { KIB } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import { decodeInline, encodeInline, INLINE_BYTES_MAX, tooLarge } from './inline-data.ts'
import { method } from './method.ts'
import * as s from './schemas.ts'
import type { GetParams, GetReport, PutEntry, PutResult, PutSource } from './services.ts'

/** Answers from here on wait until the client has read the ones before. Bytes. */
const ROOMY_BYTES_MIN = 64 * KIB

const entry = z.strictObject({
  path: s.entryPath,
  data: s.inlineData.exactOptional(),
  file: s.absolutePath.exactOptional()
})

export const putOptions = {
  name: s.name.exactOptional(),
  contentType: s.contentType.exactOptional(),
  type: s.type.exactOptional(),
  privacy: s.privacyParam.exactOptional(),
  pin: z.boolean().exactOptional().describe('keep it until it is removed; default true')
}

export const PUT_NOT_BUILT = ['recipients', 'group', 'collaborative'] as const

const putResult = z.object({
  cid: z.string(),
  uri: z.string(),
  sha256: z.string().optional(),
  size: s.bytes,
  blocks: s.bytes,
  newBlocks: s.bytes,
  privacy: s.privacyClass,
  pinned: z.boolean(),
  skipped: z.array(z.string()).optional()
})

const getOptions = {
  offset: s.bytes.exactOptional(),
  length: s.bytes.exactOptional(),
  preferredSources: s.preferredSources.exactOptional(),
  ttl: s.ttl.exactOptional(),
  deadline: z.number().positive().exactOptional().describe('seconds the whole call may last'),
  hops: z
    .union([z.literal(0), z.literal(1)])
    .exactOptional()
    .describe('1: trusted peers may fetch it for this node from their IPFS; default 1'),
  metadata: z
    .strictObject({ privacy: s.privacyParam.exactOptional(), size: s.bytes.exactOptional(), contentType: s.contentType.exactOptional() })
    .exactOptional()
    .describe('what the caller knows already')
}

const getResult = z.object({
  cid: z.string(),
  sha256: z.string().optional(),
  size: s.bytes,
  data: z.string().optional().describe('base64, up to 4 MiB and without path'),
  path: z.string().optional(),
  skipped: z.array(z.string()).optional().describe('symbolic links that were left out of a tree, at most 10,000'),
  source: s.source,
  bytes: z.object({ local: s.bytes, peer: s.bytes, proxy: s.bytes, ipfs: s.bytes, gateway: s.bytes }),
  attempts: z.array(s.attempt),
  ms: z.number(),
  firstByteMs: z.number()
})

const carResult = z.object({ roots: z.array(z.string()), blocks: s.bytes, bytes: s.bytes })

export const contentMethods = {
  'content.put': method({
    access: 'write',
    doc: 'Stores content and answers its address once it is durable.',
    params: {
      path: s.absolutePath.exactOptional().describe('file or directory of the machine the daemon runs on'),
      data: s.inlineData.exactOptional().describe('base64, at most 4 MiB'),
      entries: z
        .array(entry)
        .max(s.LIST_ITEMS_MAX)
        .exactOptional()
        .describe(`a directory, entry by entry; at most ${s.LIST_ITEMS_MAX}, larger ones by their path`),
      ...putOptions,
      idempotencyKey: s.idempotencyKey.exactOptional()
    },
    notBuilt: PUT_NOT_BUILT,
    result: putResult,
    async run({ content }, { idempotencyKey, ...params }, context): Promise<PutResult> {
      const { path, data, entries, privacy, ...rest } = params
      const { signal, onProgress } = context
      const source = putSource({ path, data, entries })
      const options = { ...rest, ...builtPrivacy(privacy) }
      const put = async (within: AbortOptions): Promise<PutResult> =>
        await content.put(source, options, { ...within, ...(onProgress === undefined ? {} : { onProgress }) })
      return idempotencyKey === undefined ? await put({ signal }) : await context.putOnce(idempotencyKey, params, put)
    }
  }),

  'content.get': method({
    access: 'read',
    doc: 'Gets content from the nearest place that can prove it has the right bytes, and says who served it.',
    params: {
      content: s.content,
      path: s.absolutePath.exactOptional().describe('write it there (file or tree); must not exist'),
      ...getOptions
    },
    large: true,
    result: getResult,
    async run(
      { content },
      { metadata, path, ...options },
      context
    ): Promise<GetReport & { data?: string; path?: string; skipped?: readonly string[] }> {
      const { signal, onProgress } = context
      const { privacy, ...facts } = metadata ?? {}
      const params: GetParams = metadata === undefined ? options : { ...options, metadata: { ...facts, ...builtPrivacy(privacy) } }
      const { data, ...report } = await content.get(path === undefined ? params : { ...params, path }, {
        signal,
        ...(onProgress === undefined ? {} : { onProgress })
      })
      if (data === undefined || data.size > INLINE_BYTES_MAX) return report
      if (data.size > ROOMY_BYTES_MIN) await context.room()
      signal.throwIfAborted()
      return { ...report, data: encodeInline(await data.read()) }
    }
  }),

  'content.stat': method({
    access: 'read',
    doc: 'What is recorded here about a content.',
    params: { content: s.content },
    result: s.statResult,
    run: async ({ content }, params, { signal }) => await content.stat(params.content, { signal })
  }),

  'content.has': method({
    access: 'read',
    doc: 'Whether the whole content is here. Asks nobody.',
    params: { content: s.content },
    result: z.object({ local: z.boolean() }),
    run: async ({ content }, params, { signal }) => await content.has(params.content, { signal })
  }),

  'content.ls': method({
    access: 'read',
    doc: 'The entries of a directory.',
    params: { content: s.content },
    large: true,
    result: z.object({
      entries: z.array(z.object({ name: z.string(), cid: z.string(), type: z.enum(['file', 'directory', 'symlink']), size: s.bytes }))
    }),
    run: async ({ content }, params, { signal }) => await content.ls(params.content, { signal })
  }),

  'content.list': method({
    access: 'read',
    doc: 'The contents recorded here, oldest first, page by page.',
    params: {
      cursor: s.cursor.exactOptional(),
      limit: s.limit.exactOptional(),
      privacy: s.privacyParam.exactOptional(),
      type: s.type.exactOptional()
    },
    large: true,
    result: z.object({ items: z.array(s.statResult), cursor: z.string().optional() }),
    run: async ({ content }, { privacy, ...page }) => await content.list({ ...page, ...builtPrivacy(privacy) })
  }),

  'content.rm': method({
    access: 'write',
    doc: 'Forgets a content: its record and pins go now, its blocks with the next collection.',
    params: { content: s.content, force: z.boolean().exactOptional().describe('also if it is pinned') },
    result: z.object({ removed: z.boolean() }),
    run: async ({ content }, params) => await content.rm(params)
  }),

  'content.verify': method({
    access: 'write',
    doc: 'Reads every block of a content, or of the whole store, and compares it with its address; with `repair` what is bad or missing is fetched again.',
    params: { content: s.content.exactOptional(), repair: z.boolean().exactOptional().describe('fetch again what is corrupt or missing') },
    result: z.object({ checkedBlocks: s.bytes, corrupt: z.array(z.string()), missing: z.array(z.string()), repaired: s.bytes }),
    run: async ({ content }, params, { signal, onProgress }) =>
      await content.verify(params, { signal, ...(onProgress === undefined ? {} : { onProgress }) })
  }),

  'content.export': method({
    access: 'read',
    doc: 'Writes a content with all its blocks into a new CAR file of the machine the daemon runs on.',
    params: { content: s.content, path: s.absolutePath.describe('the CAR file; must not exist') },
    notBuilt: ['recipient'],
    result: carResult,
    run: async ({ content }, params, { signal, onProgress }) =>
      await content.export(params, { signal, ...(onProgress === undefined ? {} : { onProgress }) })
  }),

  'content.import': method({
    access: 'write',
    doc: 'Reads a CAR file (version 1 or 2) of the machine the daemon runs on; each of its roots becomes a content here.',
    params: { path: s.absolutePath, privacy: s.privacyParam.exactOptional() },
    result: carResult,
    run: async ({ content }, { path, privacy }, { signal, onProgress }) =>
      await content.import({ path, ...builtPrivacy(privacy) }, { signal, ...(onProgress === undefined ? {} : { onProgress }) })
  }),

  'content.link': method({
    access: 'read',
    doc: 'Addresses of a public content to hand out: ipfs://CID, and URLs at gateways.',
    params: {
      content: s.content,
      filename: s.name.exactOptional().describe('what a browser calls it'),
      download: z.boolean().exactOptional().describe('the browser saves it instead of showing it')
    },
    result: z.object({ uri: z.string(), gateways: z.array(z.string()) }),
    run: async ({ content }, params) => await content.link(params)
  }),

  'content.privacy': method({
    access: 'read',
    doc: 'Whether a content counts as public here, why, and whom this node told of it. `toldTo` is empty in this version: who was told is not recorded.',
    params: { content: s.content },
    result: z.object({
      public: z.boolean(),
      class: s.privacyClass,
      reason: s.privacyReason,
      toldTo: z
        .array(z.object({ when: z.string(), who: z.string(), what: z.string() }))
        .describe('empty: who was told is not recorded in this version')
    }),
    run: async ({ content }, params) => await content.privacy(params.content)
  })
}

/** @throws NotBuiltError for `restricted` */
export function builtPrivacy(privacy: 'public' | 'private' | 'restricted' | undefined): { privacy?: PrivacyClass } {
  if (privacy === 'restricted') throw new NotBuiltError('The privacy "restricted"')
  return privacy === undefined ? {} : { privacy }
}

interface PutSourceParams {
  readonly path: string | undefined
  readonly data: string | undefined
  readonly entries: readonly z.output<typeof entry>[] | undefined
}

function putSource({ path, data, entries }: PutSourceParams): PutSource {
  const given = [path, data, entries].filter(value => value !== undefined).length
  if (given !== 1) throw new KithError('INVALID_PARAMS', `give exactly one of "path", "data" and "entries"; ${given} were given`)
  if (path !== undefined) return { path }
  if (data !== undefined) return { bytes: decodeInline(data, 'data') }
  return { entries: putEntries(entries ?? []) }
}

function putEntries(entries: readonly z.output<typeof entry>[]): PutEntry[] {
  let total = 0
  return entries.map(({ path, data, file }, index) => {
    const at = `entries.${index}`
    if (!path.split('/').every(isSafeName))
      throw new KithError('INVALID_PARAMS', `the parameter "${at}.path" is not a relative path of safe names`, { parameter: `${at}.path` })
    if ((data === undefined) === (file === undefined))
      throw new KithError('INVALID_PARAMS', `"${at}" needs either "data" or "file"`, { parameter: at })
    if (data === undefined) return file === undefined ? { path } : { path, file }
    const bytes = decodeInline(data, `${at}.data`)
    total += bytes.byteLength
    if (total > INLINE_BYTES_MAX) throw tooLarge(total, 'entries')
    return { path, data: bytes }
  })
}
