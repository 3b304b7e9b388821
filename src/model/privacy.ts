/** Privacy classes and the physical stores (realms) that follow from them. */

export type PrivacyClass = 'public' | 'private'

/**
 * One privacy domain's physical store. `public`: put, pinned or published here as public. `cache`: public,
 * merely fetched. `own`: this node's private content. (A group's realm comes with private swarms.)
 */
export type Realm = 'public' | 'cache' | 'own'

export const REALMS: readonly Realm[] = ['public', 'cache', 'own']

/** Why a content counts as public or not: the first rule that matched. */
export type PrivacyReason = 'local-record' | 'group' | 'peer' | 'request' | 'address' | 'update' | 'cid' | 'unknown-hash'

export interface PrivacyDecision {
  readonly public: boolean
  readonly class: PrivacyClass
  readonly reason: PrivacyReason
}
