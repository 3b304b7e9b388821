/**
 * Makes the plan of a request: which stages open when, whom each would ask, in which order, and why others are left
 * out. Asks nobody and starts nothing; `get` carries the plan out, `explain` shows it.
 */
import type { CID } from 'multiformats/cid'
import type { ContentClass } from '../content/content-class.ts'
import type { PrivacyDecision } from '../model/privacy.ts'
import { PREFERRED_SOURCES, type PreferredSource } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import type { BlockSource } from '../ports/block-source.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { HaveAnswer } from '../ports/exchange.ts'
import type { Plan, PlannedCandidate, PlannedStage, PlanReason } from './plan.ts'
import { HAVE_BUDGET_MS } from './peer-questions.ts'
import type { PeerPlan, PeerPlanner } from './plan-peers.ts'

/** The proxy waits this long after the own IPFS began, so that peers are not put to work for what is on its way. */
const PROXY_AFTER_IPFS_MS: Ms = 250

/** What decides a plan. */
export interface PlanRequest {
  /** The content as a whole; undefined while only its hash is known. */
  readonly context: CID | undefined
  readonly sha256?: Uint8Array | undefined
  readonly decision: PrivacyDecision
  readonly classes?: readonly ContentClass[] | undefined
  readonly size?: Bytes | null | undefined
  readonly hops: 0 | 1
  readonly preferredSources?: readonly PreferredSource[] | undefined
  /** What peers said to `have` already. */
  readonly answers?: ReadonlyMap<string, HaveAnswer> | undefined
  /** See `Wanted.draw` of the ranking: given for `get`, absent for `explain`. */
  readonly draw?: number | undefined
  /** All of it is here: nobody is asked. */
  readonly isLocal?: boolean | undefined
  /** Trusted peers are yet to be asked whether they know the content as private. */
  readonly isPeersFirst?: boolean | undefined
}

export interface PlannerComponents {
  readonly peers: PeerPlanner
  readonly ipfs: BlockSource | undefined
  /** Best first; may change while the node runs. */
  readonly gateways: () => readonly BlockSource[]
  readonly estimates: Estimates
}

export interface PlannerInit {
  readonly ipfsDelay: Ms
  readonly gatewayDelay: Ms
  readonly strict: boolean
}

/** A source outside Kith and what was planned for it. */
export interface PlannedSource {
  readonly source: BlockSource
  readonly planned: PlannedCandidate
}

/** A plan with what carrying it out needs. */
export interface FullPlan extends Plan {
  readonly peers: PeerPlan
  readonly outside: Readonly<Record<'ipfs' | 'gateway', readonly PlannedSource[]>>
}

/** Stages in the order in which they open. */
type StageName = PreferredSource | 'proxy'

export class Planner {
  readonly #parts: PlannerComponents
  readonly #init: PlannerInit

  constructor(components: PlannerComponents, init: PlannerInit) {
    this.#parts = components
    this.#init = init
  }

  plan(request: PlanRequest): FullPlan {
    const { context, sha256, decision, classes = [], answers } = request
    const question = {
      root: context,
      multihash: context?.multihash.bytes,
      sha256,
      isPublic: decision.public,
      size: request.size ?? null,
      answers,
      draw: request.draw,
      isPeersFirst: request.isPeersFirst
    }
    const peers = this.#parts.peers.plan(question, this.#closed('peer', request))
    const proxies = this.#parts.peers.proxies(question, this.#closed('proxy', request))
    const outside = { ipfs: this.#outside('ipfs', request), gateway: this.#outside('gateway', request) }
    const candidates = {
      peer: peers.asked,
      proxy: proxies,
      ipfs: outside.ipfs.map(({ planned }) => planned),
      gateway: outside.gateway.map(({ planned }) => planned)
    }
    const order = this.#order(request)
    const stages = this.#stages(order, request, { ...candidates, peer: [...peers.asked, ...peers.round] })
    const rounds = { yes: peers.round.filter(({ eligible }) => eligible), no: peers.round.filter(({ eligible }) => !eligible) }
    const all = order.flatMap(stage => (stage === 'peer' ? [...peers.asked, ...rounds.yes] : candidates[stage]))
    return {
      decision,
      classes,
      stages: [{ stage: 'local', startsAfterMs: 0 }, ...stages],
      candidates: [
        ...(request.isLocal === true ? [LOCAL] : []),
        ...all.filter(({ eligible }) => eligible),
        ...rounds.no,
        ...all.filter(({ eligible }) => !eligible),
        ...peers.leftOut
      ],
      peers,
      outside
    }
  }

  /** As named, or all; those that were not named last. The proxy follows the peers, and the own IPFS if that works. */
  #order({ preferredSources = [] }: PlanRequest): StageName[] {
    const named: readonly PreferredSource[] = preferredSources.length === 0 ? PREFERRED_SOURCES : preferredSources
    const order: StageName[] = [...named, ...PREFERRED_SOURCES.filter(source => !named.includes(source))]
    const peer = order.indexOf('peer')
    const isIpfsUsable = named.includes('ipfs') && this.#parts.ipfs !== undefined && this.#parts.ipfs.unavailable() === undefined
    const after = isIpfsUsable ? Math.max(peer, order.indexOf('ipfs')) : peer
    order.splice(after + 1, 0, 'proxy')
    return order
  }

  #stages(
    order: readonly StageName[],
    request: PlanRequest,
    candidates: Readonly<Record<StageName, readonly PlannedCandidate[]>>
  ): PlannedStage[] {
    const delays = this.#delays(order)
    let isFirst = true
    return order.map((stage, index) => {
      const closed = this.#closed(stage, request) ?? emptyBecause(stage, candidates[stage])
      if (closed !== undefined) return { stage, startsAfterMs: null, reason: closed }
      if (!isFirst && this.#init.strict) return { stage, startsAfterMs: null, reason: 'strict' }
      isFirst = false
      const waits = request.isPeersFirst === true && stage !== 'peer'
      const delay = delays[index] ?? 0
      return waits ? { stage, startsAfterMs: HAVE_BUDGET_MS + delay, reason: 'peers-first' } : { stage, startsAfterMs: delay }
    })
  }

  /** The first source starts at once, the second after `ipfsDelay`, the third after `gatewayDelay`, whatever they are. */
  #delays(order: readonly StageName[]): Ms[] {
    const { ipfsDelay, gatewayDelay } = this.#init
    const steps = [0, ipfsDelay, gatewayDelay]
    const delays: Ms[] = []
    let sources = 0
    for (const stage of order) {
      if (stage !== 'proxy') delays.push(steps[sources++] ?? gatewayDelay)
      else delays.push((delays.at(-1) ?? 0) + (sources === 1 ? ipfsDelay : PROXY_AFTER_IPFS_MS))
    }
    return delays
  }

  /** Why a stage is not asked at all. */
  #closed(stage: StageName, { decision, preferredSources = [], hops, isLocal, context }: PlanRequest): PlanReason | undefined {
    if (isLocal === true) return 'local'
    if (stage !== 'peer' && !decision.public) return 'not-public'
    if (preferredSources.length > 0 && !preferredSources.includes(stage === 'proxy' ? 'peer' : stage)) return 'not-preferred'
    if (stage === 'proxy' && hops === 0) return 'hops'
    return stage !== 'peer' && context === undefined ? 'no-cid' : undefined
  }

  #outside(stage: 'ipfs' | 'gateway', request: PlanRequest): PlannedSource[] {
    const { ipfs, gateways, estimates } = this.#parts
    const sources = stage === 'gateway' ? gateways() : ipfs === undefined ? [] : [ipfs]
    const closed = this.#closed(stage, request)
    return sources.map(source => {
      const reason = closed ?? source.unavailable()
      const planned = {
        ...OUTSIDE,
        stage,
        ...(source.url === undefined ? {} : { url: source.url }),
        eligible: reason === undefined,
        ...(reason === undefined ? {} : { reason }),
        expectedMs: estimates.of(estimateName(source)).firstByteMs
      }
      return { source, planned }
    })
  }
}

const OUTSIDE = { claim: 'unknown', access: 0, trust: 0, score: 0, terms: {} } as const
const LOCAL: PlannedCandidate = { ...OUTSIDE, stage: 'local', eligible: true, claim: 'yes', expectedMs: 0 }

/** Under which name a source outside Kith is measured. */
export function estimateName({ stage, url }: Pick<BlockSource, 'stage' | 'url'>): string {
  return url ?? stage
}

function emptyBecause(stage: StageName, candidates: readonly PlannedCandidate[]): PlanReason | undefined {
  if (candidates.some(({ eligible, reason }) => eligible || reason === 'have-round')) return undefined
  if (stage === 'peer') return 'no-peers'
  if (stage === 'proxy') return 'no-ipfs'
  return candidates[0]?.reason ?? 'off'
}
