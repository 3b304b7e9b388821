/**
 * Where a retrieval reads and keeps its blocks: public content in the cache, private content in realm `own`. That
 * content is private is written down before its first byte is, so that it is never offered in public afterwards.
 */
import type { CID } from 'multiformats/cid'
import type { Library } from '../content/library.ts'
import { KithError } from '../errors.ts'
import type { VerifiedBlock } from '../model/block.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import type { BlockReader } from '../ports/serving.ts'
import type { RetrievalRequest } from './retriever.ts'
import type { SessionStore } from './session.ts'

/** What this node may read for a class: for public content never a private realm. */
export function readerFor(library: Library, cls: PrivacyClass): BlockReader {
  return library.reader(cls === 'public' ? ['public', 'cache'] : ['own', 'public', 'cache'])
}

/** Where one search keeps its blocks. */
export interface SearchStore extends SessionStore {
  /** What was sought as public is private: remembered as such, and what came so far moves where that is kept. */
  foundPrivate(): Promise<void>
}

export function storeFor(library: Library, request: RetrievalRequest): SearchStore {
  const reader = readerFor(library, request.class)
  const kept: CID[] | undefined = request.isClassDoubtful === true ? [] : undefined
  const keep = request.class === 'public' ? inCache(library, kept) : inOwn(library, request)
  let spent = 0
  return {
    has: async cid => await reader.has(cid),
    get: async (cid, options) => await reader.get(cid, options),
    put: async block => {
      spent += block.bytes.byteLength
      if (spent > (request.maxBytes ?? Infinity)) throw unconfirmed(request.maxBytes)
      return await keep(block)
    },
    foundPrivate: async () => await moveToOwn(library, request, kept ?? [])
  }
}

type Keep = (block: VerifiedBlock) => Promise<boolean>

/** @param kept - takes what was not there before */
function inCache({ realms }: Library, kept: CID[] | undefined): Keep {
  return async block => {
    const isNew = await realms.cache.blocks.put(block)
    if (isNew) kept?.push(block.cid)
    return isNew
  }
}

async function moveToOwn(library: Library, { root, context }: RetrievalRequest, kept: readonly CID[]): Promise<void> {
  const { own, cache } = library.realms
  await library.rememberPrivate([root, context, ...kept].map(cid => cid.multihash.bytes))
  for (const cid of kept) {
    const block = await cache.blocks.get(cid)
    if (block !== undefined) await own.blocks.put(block)
    await cache.blocks.delete(cid)
  }
}

function inOwn(library: Library, { root, context }: RetrievalRequest): Keep {
  let remembered: Promise<void> | undefined
  return async block => {
    remembered ??= library.rememberPrivate([root.multihash.bytes, context.multihash.bytes])
    await remembered
    return await library.realms.own.blocks.put(block)
  }
}

function unconfirmed(maxBytes: number | undefined): KithError {
  return new KithError(
    'TOO_LARGE',
    `the content for this hash is larger than limits.unconfirmedBytes (${maxBytes} bytes), and no trusted peer has vouched for it. Ask by CID instead.`
  )
}
