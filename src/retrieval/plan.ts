/**
 * What a `get` would do and why, without doing it: `explain` shows it and `get` carries it out, so that they never
 * tell two stories. Types only.
 */
import type { ContentClass } from '../content/content-class.ts'
import type { PrivacyDecision } from '../model/privacy.ts'
import type { PreferredSource, Stage } from '../model/source.ts'
import type { Ms } from '../model/units.ts'
import type { Claim } from '../ranking/ranking.ts'

/** Why a stage or a candidate is not asked. */
export type PlanReason =
  | 'local'
  | 'no-cid'
  | 'not-public'
  | 'not-allowed'
  | 'not-preferred'
  | 'off'
  | 'unhealthy'
  | 'no-peers'
  | 'not-trusted'
  | 'shunned'
  | 'below-min-trust'
  | 'not-connected'
  | 'says-no'
  | 'no-ipfs'
  | 'hops'
  /** Asked before anybody else whether it has it as private. */
  | 'have-first'
  /** Not asked for the content unless it says that it has it; `have` is put to it before the next stage. */
  | 'have-round'
  /** Open once every trusted peer was asked whether it knows the content as private, or after 2 s. */
  | 'peers-first'
  /** Only when the stage before has failed (`routing.strict`). */
  | 'strict'
  /** Better ones of its kind are asked; beyond, the chance of a hit no longer pays for the questions. */
  | 'enough'

export interface PlannedStage {
  readonly stage: Stage | PreferredSource
  /** After the search began, without a verified byte, or when who delivers is slow (`LeafShares.beside`); with the reason `peers-first` at the latest; null: not asked, or with the reason `strict` not by time. */
  readonly startsAfterMs: Ms | null
  readonly reason?: PlanReason
}

export interface PlannedCandidate {
  readonly stage: Stage
  readonly peer?: string
  readonly did?: string
  readonly name?: string
  readonly url?: string
  readonly eligible: boolean
  readonly reason?: PlanReason
  /** For people, beside `reason`: "suspended until …". */
  readonly note?: string
  readonly claim: Claim
  readonly access: number
  readonly trust: number
  readonly score: number
  readonly terms: Readonly<Record<string, number>>
  readonly expectedMs: Ms | null
}

export interface Plan {
  readonly decision: PrivacyDecision
  readonly classes: readonly ContentClass[]
  readonly stages: readonly PlannedStage[]
  /** In the order in which they would be asked; those left out last. */
  readonly candidates: readonly PlannedCandidate[]
}
