/** Where a content lies on this node and who put it, for those who may see a part of it only. Asks nobody. */
import { create as createDigest } from 'multiformats/hashes/digest'
import type { Library } from '../content/library.ts'
import { IDENTITY_CODE, SHA2_256_CODE, type ContentRef } from '../model/content-id.ts'
import type { Realm } from '../model/privacy.ts'

export interface KnownContent {
  readonly realm: Realm
  /** Names of the tokens that put it; absent: the operator alone, or it is a part of something. */
  readonly putBy?: readonly string[]
}

/** @returns undefined if nothing of it is here, nor was private here once */
export async function contentFacts(library: Library, ref: ContentRef): Promise<KnownContent | undefined> {
  const found = library.find(ref)
  if (found !== undefined) {
    const { putBy } = found.record
    return { realm: found.realm, ...(putBy === undefined ? {} : { putBy }) }
  }
  const { cid, sha256 } = ref
  // It carries its bytes: who names it has them.
  if (cid?.multihash.code === IDENTITY_CODE) return undefined
  const realm = cid === null ? undefined : await library.realmOfBlock(cid)
  if (realm !== undefined) return { realm }
  const multihash = cid?.multihash.bytes ?? (sha256 === null ? undefined : createDigest(SHA2_256_CODE, sha256).bytes)
  return multihash !== undefined && library.wasPrivate(multihash) ? { realm: 'own' } : undefined
}
