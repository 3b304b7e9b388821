/**
 * What peers call a content they deliver: its name and type, as HEAD says. Claims, kept by peer until it is known who
 * delivered. In memory, for one retrieval.
 */
import { isSafeName } from '../model/content-id.ts'
import type { DagHead } from '../ports/exchange.ts'

export interface Claimed {
  readonly name?: string
  readonly contentType?: string
}

/** A media type with its parameters, as far as a header of HTTP can hold it. */
const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+[\x20-\x7e]*$/

export class HeadClaims {
  readonly #heads = new Map<string, Claimed>()

  note(peer: string, { name, contentType }: DagHead): void {
    this.#heads.set(peer, {
      ...(name === undefined || !isSafeName(name) ? {} : { name }),
      ...(contentType === undefined || !MEDIA_TYPE.test(contentType) ? {} : { contentType })
    })
  }

  of(peer: string | undefined): Claimed {
    return (peer === undefined ? undefined : this.#heads.get(peer)) ?? {}
  }
}
