/** `route.*`: what `content.get` would do and why. Makes the same plan from the same facts, and asks nobody. */
import { classesOf } from '../content/content-class.ts'
import type { Library } from '../content/library.ts'
import { hex } from '../model/content-id.ts'
import type { Clock } from '../ports/clock.ts'
import type { Classifier } from '../retrieval/classify.ts'
import type { PlannedCandidate } from '../retrieval/plan.ts'
import type { FullPlan } from '../retrieval/planner.ts'
import type { Retriever } from '../retrieval/retriever.ts'
import type { RouteCandidate, RouteParams, RouteServices } from '../rpc/services-people.ts'
import { Targets, type Settled } from './find-target.ts'

export interface RouteServicesComponents {
  readonly library: Library
  readonly classifier: Classifier
  readonly retriever: Retriever
  readonly clock: Clock
}

export function routeServices(parts: RouteServicesComponents): RouteServices {
  const targets = new Targets(parts)
  const planOf = async (params: RouteParams): Promise<{ readonly settled: Settled; readonly plan: FullPlan }> => {
    const settled = await targets.look(params)
    return { settled, plan: planFor(parts, settled, params) }
  }
  return {
    explain: async params => {
      const { settled, plan } = await planOf(params)
      const { decision, classes, stages, candidates } = plan
      return { content: addressOf(settled), privacy: decision, classes, stages, candidates: candidates.map(shown) }
    },
    best: async params => {
      const { plan } = await planOf(params)
      const first = plan.candidates.find(({ eligible }) => eligible)
      return first === undefined ? null : shown(first)
    }
  }
}

function planFor({ retriever, clock }: RouteServicesComponents, settled: Settled, params: RouteParams): FullPlan {
  const { ref, decision, found, context, isPeersFirst } = settled
  const size = params.metadata?.size ?? found?.record.size ?? null
  return retriever.plan({
    context,
    sha256: ref.sha256 ?? undefined,
    decision,
    classes: classesOf({ isPublic: decision.public, size, record: found?.record }, clock.now()),
    size,
    hops: 1,
    preferredSources: params.preferredSources,
    isLocal: found !== undefined,
    isPeersFirst
  })
}

function addressOf({ ref, context }: Settled): string {
  if (context !== undefined) return [context.toString(), ...ref.path].join('/')
  return ref.sha256 === null ? '' : `sha256:${hex(ref.sha256)}`
}

/** The shape of the contract, and nothing beside it. */
function shown({
  stage,
  peer,
  did,
  name,
  url,
  eligible,
  reason,
  note,
  claim,
  access,
  trust,
  score,
  terms,
  expectedMs
}: PlannedCandidate): RouteCandidate {
  return {
    stage,
    ...(peer === undefined ? {} : { peer }),
    ...(did === undefined ? {} : { did }),
    ...(name === undefined ? {} : { name }),
    ...(url === undefined ? {} : { url }),
    eligible,
    ...(reason === undefined ? {} : { reason }),
    ...(note === undefined ? {} : { note }),
    claim,
    access,
    trust,
    score,
    terms,
    expectedMs
  }
}
