/** For a source that fills a session without others. */
import { systemClock } from '../../src/adapters/system/clock.ts'
import { LeafShares } from '../../src/retrieval/leaf-shares.ts'
import type { DagSession } from '../../src/retrieval/session.ts'
import type { OutsideAsk } from '../../src/retrieval/sources.ts'

export function aloneIn(session: DagSession): OutsideAsk {
  return {
    shares: new LeafShares({ clock: systemClock, mayHedge: () => true }, session),
    expected: () => ({ firstByteMs: 50, rate: 1_048_576, isMeasured: false })
  }
}
