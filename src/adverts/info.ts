/** An advert as operators see it. Pure. */
import type { AdvertInfo } from '../rpc/services.ts'
import type { AdvertHead, Capabilities } from './claims.ts'

/** A head that is no goodbye. */
export interface PresentHead extends AdvertHead {
  readonly caps: Capabilities
}

export function advertInfo({ did, peerId, seq, issuedAt, expires, caps }: PresentHead): AdvertInfo {
  return {
    did,
    peerId,
    seq,
    issuedAt: new Date(issuedAt * 1000).toISOString(),
    expires: new Date(expires * 1000).toISOString(),
    count: caps.contentIndex.count,
    truncated: caps.contentIndex.truncated,
    ipfsNode: { enabled: caps.ipfsNode.enabled, type: caps.ipfsNode.type }
  }
}
