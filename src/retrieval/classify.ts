/** Is this content public? The first rule that matches decides; a request may tighten the answer, never loosen it. */
import { create as createDigest } from 'multiformats/hashes/digest'
import type { Library } from '../content/library.ts'
import { SHA2_256_CODE, type ContentRef } from '../model/content-id.ts'
import type { PrivacyClass, PrivacyDecision, PrivacyReason } from '../model/privacy.ts'

export interface ClassifierInit {
  readonly unknown: PrivacyClass
  readonly unknownCid: 'peers-first' | 'public' | 'private'
}

export interface ClassifierComponents {
  readonly library: Library
  /** A trusted DID has signed that this root, or content hash, is public. */
  readonly isKnownPublic?: ((multihash: Uint8Array) => boolean) | undefined
}

export class Classifier {
  readonly #library: Library
  readonly #isKnownPublic: (multihash: Uint8Array) => boolean
  readonly #init: ClassifierInit

  constructor(components: ClassifierComponents, init: ClassifierInit) {
    this.#library = components.library
    this.#isKnownPublic = components.isKnownPublic ?? (() => false)
    this.#init = init
  }

  /** A bare address that nobody here knows: trusted peers are asked before it counts as public. */
  isForPeersFirst(ref: ContentRef, decision: PrivacyDecision): boolean {
    return this.#init.unknownCid === 'peers-first' && ref.form === 'cid' && decision.public && decision.reason === 'cid'
  }

  async classify(ref: ContentRef, asked?: PrivacyClass): Promise<PrivacyDecision> {
    const decision = (await this.#local(ref)) ?? this.#requested(ref, asked) ?? this.#unknown(ref)
    if (!decision.public) return decision
    if (asked === 'private') return decide('private', 'request')
    return ref.form === 'kith' ? decide('private', 'address') : decision
  }

  async #local(ref: ContentRef): Promise<PrivacyDecision | undefined> {
    const found = this.#library.find(ref)
    if (found !== undefined) return decide(found.realm === 'own' ? 'private' : 'public', 'local-record')
    const realm = ref.cid === null ? undefined : await this.#library.realmOfBlock(ref.cid)
    const multihash = multihashOf(ref)
    // A block that was merely fetched says less than what is remembered: it may be left of a search that began as a public one.
    const isRemembered = realm !== 'public' && multihash !== undefined && this.#library.wasPrivate(multihash)
    if (realm === 'own' || isRemembered) return decide('private', 'local-record')
    return realm === undefined ? undefined : decide('public', 'local-record')
  }

  #requested(ref: ContentRef, asked: PrivacyClass | undefined): PrivacyDecision | undefined {
    if (ref.form === 'kith') return decide('private', 'address')
    if (asked !== undefined) return decide(asked, 'request')
    return ref.form === 'ipfs' ? decide('public', 'address') : undefined
  }

  /** With `peers-first` it is public unless a trusted peer knows better; whoever retrieves asks them. */
  #unknown(ref: ContentRef): PrivacyDecision {
    const multihash = multihashOf(ref)
    if (multihash !== undefined && this.#isKnownPublic(multihash)) return decide('public', 'update')
    if (ref.cid === null) return decide(this.#init.unknown, 'unknown-hash')
    return decide(this.#init.unknownCid === 'private' ? 'private' : 'public', 'cid')
  }
}

function multihashOf({ cid, sha256 }: ContentRef): Uint8Array | undefined {
  return cid?.multihash.bytes ?? (sha256 === null ? undefined : createDigest(SHA2_256_CODE, sha256).bytes)
}

function decide(cls: PrivacyClass, reason: PrivacyReason): PrivacyDecision {
  return { public: cls === 'public', class: cls, reason }
}
