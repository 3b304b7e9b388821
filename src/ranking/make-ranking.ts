/** The orders there are, by the name the configuration gives them. */
import type { Random } from '../ports/random.ts'
import { ExpectedTime } from './expected-time.ts'
import { RandomOrder } from './random-order.ts'
import type { Ranking } from './ranking.ts'
import { saltedTieBreak } from './tie-break.ts'
import { Weighted } from './weighted.ts'

export type RankingName = 'expected-time' | 'weighted' | 'random'

/** @param parts.random - salts ties once, and draws the order of `random` */
export function makeRanking(name: RankingName, { random }: { readonly random: Random }): Ranking {
  switch (name) {
    case 'expected-time':
      return new ExpectedTime({ tieBreak: saltedTieBreak(random) })
    case 'weighted':
      return new Weighted({ tieBreak: saltedTieBreak(random) })
    case 'random':
      return new RandomOrder({ random })
  }
}
