/**
 * How far the word of others reaches: the best chain of asserters to each DID. Pure. Only those the operator set a
 * level for begin a chain, and each link can only weaken it: circles and made-up identities add nothing.
 */

export interface Assertion {
  readonly iss: string
  readonly sub: string
  /** What its word weighs now: its level as a share, faded. 0–1. */
  readonly weight: number
}

/** What a DID is worth by the word of others. */
export interface TrustPath {
  /** The asserters, the operator's own acquaintance first. */
  readonly through: readonly string[]
  /** Never more than the access of the first. */
  readonly trust: number
}

export interface GraphComponents {
  /** Access the operator gave to an asserter; undefined: none was set. */
  readonly accessOf: (did: string) => number | undefined
  /** Whether the word of an asserter counts that is itself worth `trust`: not of one that is shunned. */
  readonly counts: (did: string, trust: number) => boolean
}

type Reach = ReadonlyMap<string, TrustPath>

export class TrustGraph {
  readonly #bySubject: ReadonlyMap<string, readonly Assertion[]>
  readonly #counts: GraphComponents['counts']
  /** Whom chains of fewer than `maxDepth` asserters lead to, those that begin one included. */
  readonly #asserters: Reach
  /** The same with the full length. */
  readonly #reached: Reach

  /** @param maxDepth - most asserters in a chain */
  constructor(
    components: GraphComponents,
    { maxDepth, assertions }: { readonly maxDepth: number; readonly assertions: readonly Assertion[] }
  ) {
    this.#counts = components.counts
    this.#bySubject = Map.groupBy(assertions, ({ sub }) => sub)
    const byIssuer = Map.groupBy(assertions, ({ iss }) => iss)
    let shorter: Reach = new Map()
    let reached: Reach = beginnings(components, byIssuer.keys())
    for (let depth = 0; depth < maxDepth; depth++) {
      shorter = reached
      reached = this.#extend(reached, byIssuer)
    }
    this.#asserters = shorter
    this.#reached = reached
  }

  /** 0 if nobody vouches for it. Of one that the operator set a level for: at least that. */
  best(did: string): number {
    return this.#reached.get(did)?.trust ?? 0
  }

  /** Whether chains through it can still lead somewhere. */
  reachesFrom(did: string): boolean {
    return this.#asserters.has(did)
  }

  /** One chain for each last asserter, best first. */
  paths(did: string): TrustPath[] {
    return (this.#bySubject.get(did) ?? [])
      .flatMap(({ iss, weight }) => {
        const from = this.#asserters.get(iss)
        if (from === undefined || weight === 0 || !this.#counts(iss, from.trust) || from.through.includes(did)) return []
        return [{ through: [...from.through, iss], trust: from.trust * weight }]
      })
      .toSorted((a, b) => b.trust - a.trust)
  }

  #extend(reached: Reach, byIssuer: ReadonlyMap<string, readonly Assertion[]>): Reach {
    const further = new Map(reached)
    for (const [iss, from] of reached) {
      if (!this.#counts(iss, from.trust)) continue
      for (const { sub, weight } of byIssuer.get(iss) ?? []) {
        const trust = from.trust * weight
        if (trust > (further.get(sub)?.trust ?? 0)) further.set(sub, { through: [...from.through, iss], trust })
      }
    }
    return further
  }
}

function beginnings({ accessOf }: GraphComponents, issuers: Iterable<string>): Reach {
  return new Map(
    [...issuers].flatMap(did => {
      const access = accessOf(did) ?? 0
      return access > 0 ? [[did, { through: [], trust: access }] as const] : []
    })
  )
}
