/**
 * Where a retrieval reads and keeps its blocks: public content in the cache, private content in realm `own`. That
 * content is private is written down before its first byte is, so that it is never offered in public afterwards.
 */
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

export function storeFor(library: Library, request: RetrievalRequest): SessionStore {
  const reader = readerFor(library, request.class)
  const keep = request.class === 'public' ? inCache(library) : inOwn(library, request)
  let spent = 0
  return {
    has: async cid => await reader.has(cid),
    get: async (cid, options) => await reader.get(cid, options),
    put: async block => {
      spent += block.bytes.byteLength
      if (spent > (request.maxBytes ?? Infinity)) throw unconfirmed(request.maxBytes)
      return await keep(block)
    }
  }
}

type Keep = (block: VerifiedBlock) => Promise<boolean>

function inCache({ realms }: Library): Keep {
  return async block => await realms.cache.blocks.put(block)
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
