/** Is this content public? The first rule that matches decides; a request may tighten the answer, never loosen it. */
import { create as createDigest } from 'multiformats/hashes/digest'
import type { Library } from '../content/library.ts'
import { SHA2_256_CODE, type ContentRef } from '../model/content-id.ts'
import type { PrivacyClass, PrivacyDecision, PrivacyReason } from '../model/privacy.ts'

export interface ClassifierInit {
  readonly unknown: PrivacyClass
  readonly unknownCid: 'peers-first' | 'public' | 'private'
}

export class Classifier {
  readonly #library: Library
  readonly #init: ClassifierInit

  constructor(components: { readonly library: Library }, init: ClassifierInit) {
    this.#library = components.library
    this.#init = init
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
    if (realm !== undefined) return decide(realm === 'own' ? 'private' : 'public', 'local-record')
    const multihash = ref.cid?.multihash.bytes ?? (ref.sha256 === null ? undefined : createDigest(SHA2_256_CODE, ref.sha256).bytes)
    return multihash !== undefined && this.#library.wasPrivate(multihash) ? decide('private', 'local-record') : undefined
  }

  #requested(ref: ContentRef, asked: PrivacyClass | undefined): PrivacyDecision | undefined {
    if (ref.form === 'kith') return decide('private', 'address')
    if (asked !== undefined) return decide(asked, 'request')
    return ref.form === 'ipfs' ? decide('public', 'address') : undefined
  }

  /** Peers are asked first only once access levels exist; with no peer to ask, public ways open at once. */
  #unknown(ref: ContentRef): PrivacyDecision {
    if (ref.cid === null) return decide(this.#init.unknown, 'unknown-hash')
    return decide(this.#init.unknownCid === 'private' ? 'private' : 'public', 'cid')
  }
}

function decide(cls: PrivacyClass, reason: PrivacyReason): PrivacyDecision {
  return { public: cls === 'public', class: cls, reason }
}
