/**
 * What the host makes of peers: the standing the domain keeps, as soon as there is one. The host is made before it, and
 * nobody connects before both are there. In memory only.
 */
import type { Standing } from '../../ports/standing.ts'

/** The part of the standing a host acts on. */
export type HostStanding = Pick<Standing, 'trustOf' | 'isTrusted' | 'isShunned' | 'report' | 'onChange'>

/**
 * Gossip score of a peer that is neither asked nor served: below the graylist (−80) whatever it earned by good
 * behaviour, so that nothing it sends is looked at.
 */
const SHUNNED_SCORE = -1000

export class Judgement {
  #standing: HostStanding | undefined
  #unfollow: () => void = () => {}
  readonly #listeners = new Set<(peer: string) => void>()

  /** From here on it counts. */
  follow(standing: HostStanding): void {
    this.#unfollow()
    this.#standing = standing
    this.#unfollow = standing.onChange(peer => {
      for (const listener of this.#listeners) listener(peer)
    })
  }

  /** T of a peer (0–10) is what it brings into gossip's score: those one trusts stay in the mesh longest, and survive more. */
  scoreOf(peer: string): number {
    if (this.isShunned(peer)) return SHUNNED_SCORE
    return this.#standing?.trustOf(peer) ?? 0
  }

  /** Blocked, suspended, or trusted less than a stranger: it is not let in, and not dialled. */
  isShunned(peer: string): boolean {
    return this.#standing?.isShunned(peer) ?? false
  }

  isTrusted(peer: string): boolean {
    return this.#standing?.isTrusted(peer) ?? false
  }

  report(...offence: Parameters<Standing['report']>): void {
    this.#standing?.report(...offence)
  }

  onChange(listener: (peer: string) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
