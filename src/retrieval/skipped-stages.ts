/** What the attempts of a search tell of stages that are not asked. Pure: made from the plan. */
import type { Attempt, SkipReason } from '../model/source.ts'
import type { PlanReason } from './plan.ts'
import type { FullPlan } from './planner.ts'

/** What an attempt may say of a stage that was not asked; a stage that is merely empty, or not named, is not told of. */
const TOLD: Readonly<Partial<Record<PlanReason, SkipReason>>> = {
  'not-public': 'not-public',
  'no-cid': 'no-cid',
  off: 'off',
  unhealthy: 'unhealthy'
}

export function skippedStages(plan: FullPlan): Attempt[] {
  const isPrivate = !plan.decision.public
  return (['peer', 'ipfs', 'gateway'] as const).flatMap((stage): Attempt[] => {
    if (stage === 'peer') return isPrivate && plan.peers.asked.length === 0 ? [skipped('peer', 'not-allowed')] : []
    const reason = plan.stages.find(planned => planned.stage === stage)?.reason
    const told = reason === undefined ? undefined : TOLD[reason]
    if (told !== undefined && told !== 'unhealthy') return [skipped(stage, told)]
    return plan.outside[stage].flatMap(({ planned }) => {
      const why = planned.reason === undefined ? undefined : TOLD[planned.reason]
      return why === undefined ? [] : [{ ...skipped(stage, why), ...(planned.url === undefined ? {} : { url: planned.url }) }]
    })
  })
}

function skipped(stage: Attempt['stage'], reason: SkipReason): Attempt {
  return { stage, outcome: 'skipped', ms: 0, bytes: 0, reason }
}
