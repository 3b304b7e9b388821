/**
 * While a content was sought as public, a trusted peer said that it has it as private. Its word comes before what an
 * address or a request says: the search ends at once, and whoever began it goes on as for private content.
 */
import type { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import type { Attempt } from '../model/source.ts'
import type { Ms } from '../model/units.ts'
import { SourceError } from '../ports/block-source.ts'
import type { ExchangeClient, HaveAnswer } from '../ports/exchange.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Standing } from '../ports/standing.ts'
import type { Inquiry } from './peers-first.ts'

export class FoundPrivate extends KithError {
  readonly inquiry: Inquiry

  constructor(answers: ReadonlyMap<string, HaveAnswer>, made: { readonly attempts: readonly Attempt[]; readonly ms: Ms } = NOTHING_MADE) {
    super('UNAVAILABLE', 'a peer you trust has this content as private; ask for it again, and it is sought as private', {
      attempts: made.attempts
    })
    this.name = 'FoundPrivate'
    const size = [...answers.values()].find(answer => answer.have && answer.size !== undefined)?.size
    const notes = made.attempts.filter(({ outcome }) => outcome !== 'skipped')
    this.inquiry = { isPrivate: true, answers, notes, ms: made.ms, ...(size === undefined ? {} : { size }) }
  }
}

const NOTHING_MADE = { attempts: [], ms: 0 } as const

export function isPrivateAnswer(answer: HaveAnswer | undefined): boolean {
  return answer?.have === true && answer.class === 'private'
}

export interface PeerWordsComponents {
  readonly exchange: Pick<ExchangeClient, 'have'>
  readonly standing: Pick<Standing, 'isTrusted'>
}

/** What peers said of one content in one search; who has not said anything is asked before its bytes are taken as public. */
export class PeerWords {
  readonly #parts: PeerWordsComponents
  readonly #content: CID
  /** False: the class is beyond doubt, and nobody is asked. */
  readonly #isAsked: boolean
  readonly #said: Map<string, HaveAnswer>

  constructor(components: PeerWordsComponents, content: CID, isAsked: boolean, said: ReadonlyMap<string, HaveAnswer> = new Map()) {
    this.#parts = components
    this.#content = content
    this.#isAsked = isAsked
    this.#said = new Map(said)
  }

  /** @throws FoundPrivate if the peer is trusted and has it as private */
  note(peer: string, answer: HaveAnswer): void {
    this.#said.set(peer, answer)
    if (this.#isAsked && isPrivateAnswer(answer) && this.#parts.standing.isTrusted(peer)) throw new FoundPrivate(this.#said)
  }

  /** Of a trusted peer. @throws FoundPrivate · SourceError if it does not say */
  async clear(peer: string, options: AbortOptions): Promise<void> {
    if (this.#isAsked && this.#parts.standing.isTrusted(peer)) await this.#ask(peer, options)
  }

  /** Of a peer that is to fetch for this one: trusted or not, what it has as private it must not give as public. */
  async clearProxy(peer: string, options: AbortOptions): Promise<void> {
    if (!this.#isAsked) return
    if (isPrivateAnswer(await this.#ask(peer, options))) throw new SourceError('refused', 'it has this as private, and is not trusted here')
  }

  async #ask(peer: string, options: AbortOptions): Promise<HaveAnswer> {
    const known = this.#said.get(peer)
    if (known !== undefined) return known
    const [answer] = await this.#parts.exchange.have(peer, [this.#content.multihash.bytes], options)
    if (answer === undefined) throw new SourceError('fault', 'it does not say whether it has this')
    this.note(peer, answer)
    return answer
  }
}
