/**
 * One content looked up in the adverts of many, as of one moment. A plan asks a thousand filters, so what can be done
 * once is: the content's words, the clock, and what of an advert decides. Keeps nothing.
 */
import { equals } from 'uint8arrays'
import type { Ms } from '../model/units.ts'
import type { Claim } from '../ranking/ranking.ts'
import type { ClaimWatch, Watched } from './claim-watch.ts'
import { elementOfMultihash, wordsOf } from './element.ts'
import type { ContentFilter } from './filter.ts'

/** How a content is looked up; one of the two is enough, both together miss nothing. */
export interface ContentKeys {
  /** Multihash of the root. */
  readonly multihash?: Uint8Array | undefined
  /** SHA-256 of the whole content. */
  readonly sha256?: Uint8Array | undefined
}

/** What of an advert answers for a content. */
export interface Claimed {
  /** The filter the head names, an older one, or none yet. */
  readonly filter: ContentFilter | null
  /** What the filter lacks its peer has not: it is the one the head names, and everything fitted into it. */
  readonly isComplete: boolean
  /** Unix milliseconds from which it counts no longer. */
  readonly goodUntil: Ms
  readonly watched: Watched
}

export interface ContentLookUpComponents {
  /** By peer; some may have expired. */
  readonly adverts: ReadonlyMap<string, Claimed>
  readonly watch: ClaimWatch
  /** Met one that has expired. */
  readonly onExpired: (peer: string) => void
}

export class ContentLookUp {
  readonly #parts: ContentLookUpComponents
  readonly #now: Ms
  readonly #elements: readonly Int32Array[]

  /** @param now - Unix milliseconds */
  constructor(components: ContentLookUpComponents, content: ContentKeys, now: Ms) {
    this.#parts = components
    this.#now = now
    this.#elements = elementsOf(content)
  }

  /** What a peer's advert says. */
  of(peer: string): Claim {
    const advert = this.#parts.adverts.get(peer)
    if (advert === undefined || !this.#counts(peer, advert)) return 'unknown'
    if (this.#isIn(advert)) return this.#isBelieved(peer, advert) ? 'yes' : 'unknown'
    return advert.isComplete && this.#elements.length > 0 ? 'no' : 'unknown'
  }

  /** All whose advert says yes, connected or not. */
  claimants(): string[] {
    const found: string[] = []
    for (const [peer, advert] of this.#parts.adverts)
      if (this.#counts(peer, advert) && this.#isIn(advert) && this.#isBelieved(peer, advert)) found.push(peer)
    return found
  }

  #counts(peer: string, { filter, goodUntil, watched }: Claimed): boolean {
    if (this.#now < goodUntil) return filter !== null && !this.#parts.watch.isIgnored(watched)
    this.#parts.onExpired(peer)
    return false
  }

  #isIn({ filter, watched }: Claimed): boolean {
    if (filter === null) return false
    for (const words of this.#elements) {
      watched.lookUps++
      if (filter.hasWords(words)) return true
    }
    return false
  }

  #isBelieved(peer: string, { filter, watched }: Claimed): boolean {
    return filter !== null && this.#parts.watch.isBelieved(peer, watched, filter.falseRate)
  }
}

/** Content of one block is one element, by whichever of the two it is known. */
function elementsOf({ multihash, sha256 }: ContentKeys): Int32Array[] {
  const byRoot = multihash === undefined ? undefined : elementOfMultihash(multihash)
  const isOne = byRoot !== undefined && sha256 !== undefined && equals(byRoot, sha256)
  return [byRoot, isOne ? undefined : sha256].flatMap(element => (element === undefined ? [] : [wordsOf(element)]))
}
