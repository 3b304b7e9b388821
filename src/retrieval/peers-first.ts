/**
 * Is a bare address private to somebody one trusts? Each trusted peer gets one `have`, whose answer carries its class;
 * known ones that are not connected are dialled meanwhile. One that knows it as private is enough; public ways open when
 * all have said no, or when the time is over: who refuses, hangs up or cannot be reached has not said no, and is asked again.
 */
import type { CID } from 'multiformats/cid'
import { follow } from '../lib/deadline.ts'
import { SingleFlight } from '../lib/single-flight.ts'
import { blockKey } from '../model/content-id.ts'
import type { Attempt } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { HaveAnswer } from '../ports/exchange.ts'
import type { AbortOptions } from '../ports/options.ts'
import { isPrivateAnswer } from './found-private.ts'
import type { PeerQuestions } from './peer-questions.ts'
import type { PeerPlanner } from './plan-peers.ts'

/** What trusted peers said. */
export interface Inquiry {
  /** One of them knows it as private. */
  readonly isPrivate: boolean
  readonly answers: ReadonlyMap<string, HaveAnswer>
  readonly notes: readonly Attempt[]
  readonly ms: Ms
  /** As one of those who have it says. */
  readonly size?: Bytes
}

export interface PeersFirstComponents {
  readonly peers: Pick<PeerPlanner, 'trustedPeers'>
  readonly questions: Pick<PeerQuestions, 'haveInTime'>
  readonly clock: Clock
}

export class PeersFirst {
  readonly #parts: PeersFirstComponents
  /** Whoever asks for the same meanwhile hears the same. */
  readonly #running = new SingleFlight<Inquiry>()

  constructor(components: PeersFirstComponents) {
    this.#parts = components
  }

  async ask(root: CID, options: AbortOptions): Promise<Inquiry> {
    return await this.#running.run(blockKey(root), async within => await this.#ask(root, within), options)
  }

  async #ask(root: CID, options: AbortOptions): Promise<Inquiry> {
    const { peers, questions, clock } = this.#parts
    const startedAt = clock.monotonic()
    const answers = new Map<string, HaveAnswer>()
    const notes: Attempt[] = []
    const enough = new AbortController()
    const unfollow = follow(enough, options.signal)
    try {
      await Promise.all(
        peers.trustedPeers().map(async peer => {
          const answer = await questions.haveInTime(peer, root.multihash.bytes, notes, enough)
          if (answer === undefined) return
          answers.set(peer, answer)
          if (isPrivateAnswer(answer)) enough.abort(new DOMException('the answer is known', 'AbortError'))
        })
      )
    } finally {
      unfollow()
    }
    options.signal?.throwIfAborted()
    const size = [...answers.values()].find(answer => answer.have && answer.size !== undefined)?.size
    return {
      isPrivate: [...answers.values()].some(isPrivateAnswer),
      answers,
      notes,
      ms: clock.monotonic() - startedAt,
      ...(size === undefined ? {} : { size })
    }
  }
}
