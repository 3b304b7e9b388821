/**
 * How the two numbers of a peer come about: access from what the operator set; trust from that, else from the word of
 * others, less what the peer did wrong. Works it out anew each time; `standing.ts` remembers.
 */
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { AssertionBook, IssuerStanding } from './assertions.ts'
import { BEHAVIOUR_MIN, type BehaviourBook, type Blame, type Suspension } from './behaviour.ts'
import { nodeOf } from './did.ts'
import { OFFENCES } from './offences.ts'
import type { TrustBook, TrustRecord } from './trust-book.ts'
import { TrustGraph, type TrustPath } from './trust-graph.ts'

const ACCESS_MAX = 10
/** Levels are percentages. */
const LEVELS_PER_ACCESS = 10
/** Lapses that a stranger is forgiven: ten time-outs. Beyond, it is shunned until enough is forgotten. */
const LAPSES_FORGIVEN = 1
/** What is left of one breach after two weeks is forgiven: an honest node of another version is no enemy for ever. */
const BREACHES_FORGIVEN = 0.903
/** Assertions fade over weeks, so a graph of a minute ago is good. */
const GRAPH_MS: Ms = 60_000

/** DIDs that speak for a node beside its own. */
export interface Bindings {
  /** By PeerId. */
  readonly boundDids: (peer: string) => readonly string[]
  /** The nodes a DID speaks for. */
  readonly boundPeers?: (did: string) => readonly string[]
}

export interface JudgeComponents {
  readonly clock: Clock
  readonly book: TrustBook
  readonly behaviour: BehaviourBook
  readonly assertions: AssertionBook
  /** Absent: no DID speaks for a node but its own. */
  readonly bindings?: Bindings
}

export interface JudgeInit {
  /** Access of whom nobody set a level for. */
  readonly default: number
  readonly maxDepth: number
  /** Milliseconds; 0: assertions never fade. */
  readonly halfLife: Ms
  readonly minTrusted: number
}

/** All that is made of one DID. */
export interface Judgement {
  /** 0–100 as set; undefined: never. */
  readonly level: number | undefined
  readonly name: string | undefined
  readonly access: number
  readonly trust: number
  /** −5 to 0. */
  readonly behaviour: number
  readonly isBlocked: boolean
  /** Unix milliseconds. */
  readonly suspendedUntil: Ms | undefined
  /** Why it is neither asked nor served; undefined if it is. */
  readonly shunned: string | undefined
}

export class Judge {
  readonly #parts: JudgeComponents
  readonly #init: JudgeInit
  #graph: { readonly graph: TrustGraph; readonly goodUntil: Ms } | undefined

  constructor(components: JudgeComponents, init: JudgeInit) {
    this.#parts = components
    this.#init = init
  }

  /** Chains of asserters to a DID, best first. */
  pathsTo(did: string): TrustPath[] {
    return this.#currentGraph().paths(did)
  }

  /** Whose word about others is kept at all, given that it is not shunned. */
  issuerStanding(did: string): IssuerStanding | undefined {
    const set = this.#setAccess(this.namesOf(did))
    if (set !== undefined) return set > 0 ? 'known' : undefined
    const graph = this.#currentGraph()
    return graph.reachesFrom(did) && graph.best(did) > 0 ? 'vouched' : undefined
  }

  /** The DID of a node and those that speak for it; of a person, that alone. */
  namesOf(did: string): string[] {
    const { bindings } = this.#parts
    const peer = bindings === undefined ? undefined : nodeOf(did)
    return peer === undefined ? [did] : [did, ...(bindings?.boundDids(peer) ?? [])]
  }

  /** What was set, said or bound has changed. */
  forgetGraph(): void {
    this.#graph = undefined
  }

  /** @param own - the DID of the node itself: behaviour is a node's, not a person's */
  judge(names: readonly string[], own: string | undefined): Judgement {
    const { book, behaviour } = this.#parts
    const records = names.flatMap(did => book.get(did) ?? [])
    const level = levelOf(names.map(did => book.get(did)))
    const suspension = own === undefined ? undefined : behaviour.suspension(own)
    const isBlocked = records.some(record => record.isBlocked === true)
    const isOut = isBlocked || suspension !== undefined
    const blame = own === undefined ? NO_BLAME : behaviour.blame(own)
    const access = isOut ? 0 : level === undefined ? this.#init.default : level / LEVELS_PER_ACCESS
    const base = level !== undefined || isOut ? access : Math.max(access, ...names.map(did => this.#currentGraph().best(did)))
    const trust = withBlame(base, blame, { isKnown: level !== undefined })
    return {
      level,
      name: records.find(({ name }) => name !== undefined)?.name,
      access,
      trust,
      behaviour: Math.max(BEHAVIOUR_MIN, 0 - blame.lapses - blame.breaches),
      isBlocked,
      suspendedUntil: suspension?.until,
      shunned: isBlocked ? 'blocked' : suspension === undefined ? this.#whyDistrusted(trust, own) : whySuspended(suspension)
    }
  }

  #whyDistrusted(trust: number, own: string | undefined): string | undefined {
    return trust < 0 ? `trust is below 0: it ${this.#worstOf(own)}` : undefined
  }

  #worstOf(did: string | undefined): string {
    const counts = did === undefined ? {} : (this.#parts.behaviour.get(did)?.counts ?? {})
    const worst = Object.entries(OFFENCES)
      .map(([offence, { costs, words }]) => ({ words, cost: costs * (counts[offence] ?? 0) }))
      .toSorted((a, b) => b.cost - a.cost)[0]
    return worst?.words ?? 'misbehaved'
  }

  /** Undefined if no level was set. 0 for who is blocked or suspended. */
  #setAccess(names: readonly string[]): number | undefined {
    const { book, behaviour } = this.#parts
    const records = names.map(did => book.get(did))
    if (records.some(record => record?.isBlocked === true) || names.some(did => behaviour.suspension(did) !== undefined)) return 0
    const level = levelOf(records)
    return level === undefined ? undefined : level / LEVELS_PER_ACCESS
  }

  #currentGraph(): TrustGraph {
    const now = this.#parts.clock.monotonic()
    if (this.#graph !== undefined && this.#graph.goodUntil > now) return this.#graph.graph
    const { assertions, behaviour } = this.#parts
    const accessOf = (did: string): number | undefined => this.#setAccess(this.namesOf(did))
    const graph = new TrustGraph(
      {
        accessOf,
        counts: (did, trust) => accessOf(did) !== 0 && withBlame(trust, behaviour.blame(did), { isKnown: true }) >= 0
      },
      { maxDepth: this.#init.maxDepth, assertions: assertions.weighed(this.#init.halfLife) }
    )
    this.#graph = { graph, goodUntil: now + GRAPH_MS }
    return graph
  }
}

const NO_BLAME: Blame = { lapses: 0, breaches: 0 }

/** What is forgiven orders peers, and takes nobody below 0. */
function withBlame(base: number, { lapses, breaches }: Blame, { isKnown }: { readonly isKnown: boolean }): number {
  const heldAgainst = (breaches > BREACHES_FORGIVEN ? breaches : 0) + (isKnown || lapses <= LAPSES_FORGIVEN ? 0 : lapses)
  const floor = Math.min(0, base - heldAgainst)
  return Math.min(ACCESS_MAX, Math.max(BEHAVIOUR_MIN, floor, base - Math.min(-BEHAVIOUR_MIN, breaches + lapses)))
}

function whySuspended({ until, offence }: Suspension): string {
  return `suspended until ${new Date(until).toISOString()}: it ${OFFENCES[offence].words}`
}

/** The first name is the node's own: what was set for it comes before what was set for whoever speaks for it. */
function levelOf([own, ...others]: readonly (TrustRecord | undefined)[]): number | undefined {
  if (own?.level !== undefined) return own.level
  const levels = others.flatMap(record => record?.level ?? [])
  return levels.length === 0 ? undefined : Math.max(...levels)
}
