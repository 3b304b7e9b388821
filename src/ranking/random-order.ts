/** No order at all, to compare others with: every order is drawn anew. */
import type { Random } from '../ports/random.ts'
import type { Candidate, Ranked, Ranking } from './ranking.ts'

export class RandomOrder implements Ranking {
  readonly #random: Random

  constructor({ random }: { readonly random: Random }) {
    this.#random = random
  }

  order(candidates: readonly Candidate[]): readonly Ranked[] {
    return candidates
      .map(candidate => {
        const score = this.#random.number()
        return { candidate, score, terms: { chance: score }, expectedMs: null }
      })
      .toSorted((a, b) => b.score - a.score)
  }
}
