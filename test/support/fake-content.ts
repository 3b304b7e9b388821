/** `content.*` of the fake services: an in-memory store that keeps every byte it was given. */
import { writeFile } from 'node:fs/promises'
import { KithError } from '../../src/errors.ts'
import { contentUri, hex, parseContent, rawCid } from '../../src/model/content-id.ts'
import type { PrivacyClass } from '../../src/model/privacy.ts'
import { sha256 } from '../../src/model/sha256.ts'
import type { ContentFacts } from '../../src/rpc/scoped-content.ts'
import type { EventBus } from '../../src/observe/events.ts'
import type { AbortOptions } from '../../src/ports/options.ts'
import type {
  ContentParam,
  ContentServices,
  GetReport,
  OpenedContent,
  ProgressOptions,
  PutParams,
  PutResult,
  PutSource,
  StatResult
} from '../../src/rpc/services.ts'
import type { FakeFaults, FakeServices, Signal } from './fake-services.ts'

/** Address of a directory that the fake always has. */
export const FAKE_DIRECTORY = 'bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354'
/** Bytes a read hands out at once. */
const CHUNK_BYTES = 64 * 1024

interface Kept {
  readonly bytes: Uint8Array
  readonly stat: StatResult
  readonly putBy?: readonly string[]
}

export interface ContentParts {
  readonly fake: () => FakeServices
  readonly events: EventBus
  readonly hangs: Signal
  readonly abortions: Signal
}

export function fakeContent({ fake, events, hangs, abortions }: ContentParts): {
  readonly content: ContentServices
  readonly facts: ContentFacts
} {
  const kept = new Map<string, Kept>()
  const directory = { name: 'hello.txt', bytes: new TextEncoder().encode('hello world') }

  const find = (content: ContentParam): Kept => {
    const ref = parseContent(content)
    const inDirectory = ref.cid?.toString() === FAKE_DIRECTORY && ref.path[0] === directory.name
    const key = inDirectory
      ? hex(sha256(directory.bytes))
      : ref.sha256 === null
        ? hex(ref.cid?.multihash.digest ?? new Uint8Array())
        : hex(ref.sha256)
    const found = inDirectory ? keep(directory.bytes, { name: directory.name }) : kept.get(key)
    if (found === undefined)
      throw new KithError('NOT_FOUND', 'no source has it', { attempts: [{ stage: 'local', outcome: 'not-found', ms: 0, bytes: 0 }] })
    return found
  }

  const keep = (bytes: Uint8Array, params: PutParams): Kept => {
    const digest = sha256(bytes)
    const cid = rawCid(digest)
    const privacy: PrivacyClass = params.privacy ?? 'private'
    const { pin = true, by, ...names } = params
    const at = '2026-01-01T00:00:00.000Z'
    const stat: StatResult = {
      ...names,
      cid: cid.toString(),
      uri: contentUri(cid, privacy === 'public'),
      sha256: hex(digest),
      size: bytes.byteLength,
      blocks: 1,
      localBlocks: 1,
      privacy,
      pinned: pin,
      createdAt: at,
      lastAccess: at
    }
    return { bytes, stat, ...(by === undefined ? {} : { putBy: [by] }) }
  }

  const hangIfAsked = async (method: string, content: ContentParam, options: ProgressOptions): Promise<void> => {
    if (content !== fake().faults.hang) return
    for (const bytes of fake().faults.progress ?? []) options.onProgress?.({ bytes, total: 100 })
    hangs.fire()
    await aborted(options).finally(() => {
      fake().aborted.push(method)
      abortions.fire()
    })
  }

  const reportOf = ({ bytes, stat }: Kept): GetReport => ({
    cid: stat.cid,
    ...(stat.sha256 === undefined ? {} : { sha256: stat.sha256 }),
    size: stat.size,
    source: { stage: 'local' },
    bytes: { local: bytes.byteLength, peer: 0, proxy: 0, ipfs: 0, gateway: 0 },
    attempts: [{ stage: 'local', outcome: 'ok', ms: 1, bytes: bytes.byteLength }],
    ms: 1,
    firstByteMs: 1
  })

  const facts: ContentFacts = async ref => {
    const digest = ref.sha256 ?? ref.cid?.multihash.digest ?? new Uint8Array()
    const item = kept.get(hex(digest))
    return item === undefined ? undefined : { realm: realmOf(item), ...(item.putBy === undefined ? {} : { putBy: item.putBy }) }
  }

  const services: ContentServices = {
    async put(source, params, options): Promise<PutResult> {
      fake().calls.push('put')
      const bytes = await readAll(source, options).catch((error: unknown) => {
        fake().aborted.push('put')
        abortions.fire()
        throw error
      })
      const item = keep(bytes, params)
      const key = item.stat.sha256 ?? ''
      const before = kept.get(key)
      const putBy = [...(before?.putBy ?? []), ...(item.putBy ?? [])]
      kept.set(key, { ...item, putBy })
      events.emit('content.stored', { cid: item.stat.cid }, { realm: realmOf(item), putBy })
      const { cid, uri, sha256: hash, size, privacy, pinned } = item.stat
      return {
        cid,
        uri,
        ...(hash === undefined ? {} : { sha256: hash }),
        size,
        blocks: 1,
        newBlocks: before === undefined ? 1 : 0,
        privacy,
        pinned
      }
    },
    async get({ path, ...params }, options) {
      fake().calls.push('get')
      fake().asked.push(params)
      await hangIfAsked('get', params.content, options)
      if (params.content === FAKE_DIRECTORY && path === undefined)
        throw new KithError('IS_DIRECTORY', 'this content is a directory: give a path')
      const item = find(params.content)
      const part = item.bytes.subarray(params.offset ?? 0, (params.offset ?? 0) + (params.length ?? item.bytes.byteLength))
      if (path === undefined) return { ...reportOf(item), data: { size: part.byteLength, read: async () => part } }
      await writeFile(path, part, { flag: 'wx' })
      return { ...reportOf(item), path }
    },
    async open(params, options): Promise<OpenedContent> {
      fake().calls.push('open')
      fake().asked.push(params)
      await hangIfAsked('open', params.content, options)
      if (params.content === FAKE_DIRECTORY) return { cid: FAKE_DIRECTORY, kind: 'directory', size: 11, async *read() {}, close() {} }
      const item = find(params.content)
      const { cid, size, contentType, name } = item.stat
      return {
        cid,
        kind: 'file',
        size,
        ...(contentType === undefined ? {} : { contentType }),
        ...(name === undefined ? {} : { name }),
        read: ({ offset = 0, length = size }, { signal }) => chunks(item.bytes.subarray(offset, offset + length), fake().faults, signal),
        report: () => reportOf(item),
        close: () => void fake().calls.push('close')
      }
    },
    stat: async content => find(content).stat,
    has: async content => {
      try {
        return { local: find(content).bytes.byteLength >= 0 }
      } catch {
        return { local: false }
      }
    },
    ls: async content => {
      if (parseContent(content).cid?.toString() !== FAKE_DIRECTORY) throw new KithError('CONFLICT', 'not a directory')
      return {
        entries: [{ name: directory.name, cid: rawCid(sha256(directory.bytes)).toString(), type: 'file', size: directory.bytes.byteLength }]
      }
    },
    list: async ({ cursor = '0', limit = 100 }) => {
      const all = [...kept.values()].map(item => item.stat)
      const end = Number(cursor) + limit
      return { items: all.slice(Number(cursor), end), ...(end < all.length ? { cursor: String(end) } : {}) }
    },
    rm: async ({ content, force }) => {
      const { stat } = find(content)
      if (stat.pinned && force !== true) throw new KithError('CONFLICT', 'it is pinned: use force')
      return { removed: kept.delete(stat.sha256 ?? '') }
    },
    verify: async ({ content: one }) => {
      if (one !== undefined) find(one)
      return { checkedBlocks: 3, corrupt: [], missing: [], repaired: 0 }
    },
    export: async ({ content: one, path }) => {
      await writeFile(path, find(one).bytes, { flag: 'wx' })
      return { roots: [], blocks: 3, bytes: 300 }
    },
    import: async ({ path }) => {
      fake().calls.push(`import ${path}`)
      return { roots: [], blocks: 3, bytes: 300 }
    },
    link: async () => ({ uri: 'ipfs://bafkqaaa', gateways: [] }),
    privacy: async content => {
      if ((await facts(parseContent(content))) === undefined) return { public: true, class: 'public', reason: 'cid', toldTo: [] }
      const { privacy } = find(content).stat
      return { public: privacy === 'public', class: privacy, reason: 'local-record', toldTo: [] }
    }
  }
  return { content: services, facts }
}

function realmOf({ stat }: Kept): string {
  return stat.privacy === 'public' ? 'public' : 'own'
}

async function* chunks(bytes: Uint8Array, faults: FakeFaults, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) {
    signal?.throwIfAborted()
    if (faults.failAfter !== undefined && at >= faults.failAfter) throw new KithError('INTEGRITY', 'the source sent wrong bytes')
    yield bytes.subarray(at, at + CHUNK_BYTES)
  }
}

async function aborted({ signal }: AbortOptions): Promise<never> {
  return await new Promise((_resolve, reject) => {
    if (signal?.aborted === true) reject(signal.reason)
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

async function readAll(source: PutSource, { signal }: AbortOptions): Promise<Uint8Array> {
  if ('bytes' in source) return source.bytes
  if ('path' in source) return new TextEncoder().encode(source.path)
  if ('entries' in source) return new TextEncoder().encode(source.entries.map(entry => entry.path).join('\n'))
  const parts: Uint8Array[] = []
  for await (const part of source.stream) {
    signal?.throwIfAborted()
    parts.push(part)
  }
  return Buffer.concat(parts)
}
