/**
 * From what a caller names to what is asked for: the address read, its class settled, its record found. Where trusted
 * peers have a say in the class they are asked here, before anybody else hears of it.
 */
import type { CID } from 'multiformats/cid'
import type { Found, Library } from '../content/library.ts'
import { IDENTITY_CODE, parseContent, type ContentRef } from '../model/content-id.ts'
import type { PrivacyDecision } from '../model/privacy.ts'
import type { Bytes } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Classifier } from '../retrieval/classify.ts'
import type { Inquiry } from '../retrieval/peers-first.ts'
import type { RetrievalRequest, Retriever } from '../retrieval/retriever.ts'
import type { Want } from '../retrieval/session.ts'
import type { ContentParam, GetParams } from '../rpc/services.ts'

/** Seconds a search lasts unless the caller says otherwise. */
export const TTL_DEFAULT_S = 30

/** What is asked for. */
export interface Target {
  readonly root: CID
  /** The content as a whole; `root` may lie below it. */
  readonly context: CID
  readonly decision: PrivacyDecision
  readonly params: GetParams
  readonly inquiry?: Inquiry | undefined
  readonly maxBytes?: Bytes
}

/** What is known of a request before anything is fetched for it. */
export interface Settled {
  readonly ref: ContentRef
  readonly decision: PrivacyDecision
  readonly found: Found | undefined
  /** Undefined while only a hash is known. */
  readonly context: CID | undefined
  readonly inquiry?: Inquiry
  /** Trusted peers are yet to be asked whether they know it as private. */
  readonly isPeersFirst: boolean
}

type Asked = Pick<GetParams, 'metadata' | 'preferredSources'> & { readonly content: ContentParam }

/** A trusted peer has it as private: that comes before what an address or a request says. */
export const PRIVATE_BY_PEER: PrivacyDecision = { public: false, class: 'private', reason: 'peer' }

export interface TargetsComponents {
  readonly library: Library
  readonly classifier: Classifier
  readonly retriever: Pick<Retriever, 'askPeersFirst' | 'hasTrustedPeers'>
}

export class Targets {
  readonly #parts: TargetsComponents

  constructor(components: TargetsComponents) {
    this.#parts = components
  }

  /** Asks nobody. */
  async look(params: Asked): Promise<Settled> {
    const { library, classifier, retriever } = this.#parts
    const ref = parseContent(params.content)
    const decision = await classifier.classify(ref, params.metadata?.privacy)
    const found = library.find(ref)
    const carriesItself = ref.cid?.multihash.code === IDENTITY_CODE
    const isUnknown = found === undefined && !carriesItself && classifier.isForPeersFirst(ref, decision)
    const isPeersFirst = isUnknown && retriever.hasTrustedPeers
    return { ref, decision, found, context: ref.cid ?? found?.record.root, isPeersFirst }
  }

  /** Asks trusted peers where they come first. Whatever `preferredSources` says: it is about where the bytes come from. */
  async settle(params: Asked, options: AbortOptions): Promise<Settled> {
    const settled = await this.look(params)
    if (!settled.isPeersFirst || settled.context === undefined) return settled
    const inquiry = await this.#parts.retriever.askPeersFirst(settled.context, options)
    if (!inquiry.isPrivate) return { ...settled, inquiry, isPeersFirst: false }
    await this.#parts.library.rememberPrivate([settled.context.multihash.bytes]) // it stays so when who said it is away
    return { ...settled, decision: PRIVATE_BY_PEER, inquiry, isPeersFirst: false }
  }
}

export function requestFor({ root, context, decision, params, inquiry, maxBytes }: Target, want: Want): RetrievalRequest {
  const { ttl = TTL_DEFAULT_S, hops = 1, preferredSources = [], metadata, by } = params
  return {
    root,
    context,
    class: decision.class,
    classReason: decision.reason,
    isClassDoubtful: decision.public && decision.reason !== 'local-record',
    want,
    ttl,
    hops,
    ...(inquiry === undefined ? {} : { inquiry }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(metadata?.size === undefined ? {} : { size: metadata.size }),
    ...(by === undefined ? {} : { by }),
    ...(preferredSources.length === 0 ? {} : { preferredSources })
  }
}
