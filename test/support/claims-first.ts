/** The plainest ranking: who claims the content, then who may have it, then who says no; within each, the longest connected. */
import type { Candidate, Claim, Ranked, Ranking } from '../../src/ranking/ranking.ts'

const CLASS_OF: Readonly<Record<Claim, number>> = { yes: 0, unknown: 1, no: 2 }

export class ClaimsFirst implements Ranking {
  order(candidates: readonly Candidate[]): readonly Ranked[] {
    return candidates.toSorted(compare).map(candidate => ({ candidate, score: -CLASS_OF[candidate.claim], terms: {}, expectedMs: null }))
  }
}

/** The sort is stable, so equals keep the order they came in: no peer id can be mined to win a tie. */
function compare(a: Candidate, b: Candidate): number {
  return CLASS_OF[a.claim] - CLASS_OF[b.claim] || a.connectedSince - b.connectedSince
}
