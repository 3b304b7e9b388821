/**
 * Content that a caller may not see must answer exactly as what does not exist here, and the question about it must
 * not leave this node. So the question is put about a decoy: an address of the same form that nothing has. It takes
 * the very path of an unknown address, in the same time, and names nothing to anybody.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { KithError, toKithError } from '../errors.ts'
import { hex, SHA2_256_CODE } from '../model/content-id.ts'
import type { ContentRef } from '../model/content-id.ts'

/** What stands in for a hidden content. The same content has the same decoy for as long as the daemon runs. */
export interface Decoy {
  readonly content: string
  /** An error about the decoy as one about what was asked for. */
  restore(error: unknown): KithError
  /** The same for what an answer says. */
  readonly restored: (text: string) => string
}

export class Decoys {
  readonly #secret = randomBytes(32)

  for(ref: ContentRef): Decoy {
    const { cid, sha256, form, path } = ref
    const digest = createHmac('sha256', this.#secret)
      .update(sha256 ?? cid?.multihash.bytes ?? new Uint8Array())
      .digest()
    if (cid === null) return decoy(hex(digest), hex(sha256 ?? digest), hex(digest))
    const stand = CID.createV1(cid.code, createDigest(SHA2_256_CODE, digest)).toString()
    const scheme = form === 'kith' || form === 'ipfs' ? `${form}://` : ''
    return decoy(stand, cid.toString(), `${scheme}${[stand, ...path].join('/')}`)
  }
}

function decoy(stand: string, real: string, content: string): Decoy {
  const restored = (text: string): string => text.replaceAll(stand, real)
  return {
    content,
    restored,
    restore(thrown) {
      const error = toKithError(thrown)
      const data: unknown = JSON.parse(restored(JSON.stringify(error.data)))
      return new KithError(error.code, restored(error.message), { ...Object(data) }, { cause: error })
    }
  }
}
