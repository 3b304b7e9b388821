/**
 * Which direct peers a request may ask, in which order, and why the others are left out. Asks nobody: adverts,
 * standing and measurements decide. Private content is spoken of to trusted peers and to whom shared it, to nobody else.
 */
import type { CID } from 'multiformats/cid'
import type { Bytes, Rate } from '../model/units.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { HaveAnswer } from '../ports/exchange.ts'
import type { ConnectedPeer, Network } from '../ports/network.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Standing } from '../ports/standing.ts'
import type { Candidate, Claim, Ranking, Wanted } from '../ranking/ranking.ts'
import type { PlannedCandidate, PlanReason } from './plan.ts'

/** Most strangers asked in one round: beyond, the chance of a hit no longer pays for the questions. */
export const STRANGERS_ASKED_MAX = 16

/** How a content is looked up in adverts. */
export interface ContentKeys {
  readonly multihash?: Uint8Array | undefined
  readonly sha256?: Uint8Array | undefined
}

/** What adverts say of one content, at the time it was asked for. */
export interface ContentClaims {
  of(peer: string): Claim
  /** All whose advert says yes, connected or not. */
  claimants(): readonly string[]
}

/** What adverts say; the directory of the adverts folder. */
export interface Claims {
  claimsOn(content: ContentKeys): ContentClaims
  capabilitiesOf(peer: string): { readonly ipfsNode: { readonly enabled: boolean }; readonly bandwidthLimit?: Rate } | undefined
}

/** Connects to a known peer that is not connected. Rejects if it cannot be reached. */
export type Reach = (peer: string, options: AbortOptions) => Promise<unknown>

export interface PeerPlanComponents {
  readonly network: Pick<Network, 'peers'>
  /** Speaks the exchange protocol: asked of each connection of one list, because there may be hundreds. */
  readonly isKith: (peer: ConnectedPeer) => boolean
  readonly directory: Claims
  readonly ranking: Ranking
  readonly standing: Standing
  readonly estimates: Estimates
  readonly didOf: (peer: string) => string
  /** Absent: nobody is dialled. */
  readonly reach?: Reach | undefined
  /** Peers that shared this content by a ticket: they may be asked for it, whatever their level. */
  readonly sharedBy?: ((root: CID) => readonly string[]) | undefined
}

export interface PeerPlanInit {
  readonly askUnknownMinTrust: number
  readonly proxyMinTrust: number
}

/** What decides which peers are asked. */
export interface PeerQuestion extends ContentKeys {
  readonly root: CID | undefined
  readonly isPublic: boolean
  readonly size: Bytes | null
  /** Trusted peers are yet to be asked whether they know it as private. */
  readonly isPeersFirst?: boolean | undefined
  /** What peers said to `have` already. */
  readonly answers?: ReadonlyMap<string, HaveAnswer> | undefined
  /** See {@link Wanted.draw}. */
  readonly draw?: number | undefined
}

export interface PeerPlan {
  /** In the order in which they are asked. */
  readonly asked: readonly PlannedCandidate[]
  /** `have` is put to them when the others are used up, or the next stage is about to start. */
  readonly round: readonly PlannedCandidate[]
  readonly leftOut: readonly PlannedCandidate[]
}

type Group = 'asked' | 'round'
type Sorted = Readonly<Record<Group, Candidate[]>> & { readonly out: PlannedCandidate[] }

export class PeerPlanner {
  readonly #parts: PeerPlanComponents
  readonly #init: PeerPlanInit

  constructor(components: PeerPlanComponents, init: PeerPlanInit) {
    this.#parts = components
    this.#init = init
  }

  /** @param closed - why no peer is asked at all; then all of them are left out for it */
  plan(question: PeerQuestion, closed?: PlanReason): PeerPlan {
    const sharers = question.root === undefined ? [] : (this.#parts.sharedBy?.(question.root) ?? [])
    const sorted: Sorted = { asked: [], round: [], out: [] }
    for (const candidate of this.#candidates(question, sharers)) {
      const placed = closed ?? this.#place(candidate, question, sharers)
      if (isGroup(placed)) sorted[placed].push(candidate)
      else sorted.out.push(this.#leftOut(candidate, placed))
    }
    const { size, draw } = question
    const asked = claimantsFirst(this.#ranked(sorted.asked, { size, ...(draw === undefined ? {} : { draw }) }), this.#parts.standing)
    const isTrusted = ({ peer }: PlannedCandidate): boolean => peer !== undefined && this.#parts.standing.isTrusted(peer)
    const round = this.#bounded(this.#ranked(sorted.round, { size }), 'says-no', sorted.out)
    return {
      asked:
        question.isPeersFirst === true
          ? trustedFirst(this.#bounded(asked, 'enough', sorted.out), isTrusted)
          : this.#bounded(asked, 'enough', sorted.out),
      // Of a trusted peer an advert's no is no more than that: it does not speak of what is private.
      round: round.map(each => ({ ...each, reason: 'have-round', ...(isTrusted(each) ? { claim: 'unknown' } : { eligible: false }) })),
      leftOut: sorted.out
    }
  }

  /** Trusted peers that say they have an IPFS node, best first: they may fetch public content for this one. */
  proxies({ root, isPublic, size }: PeerQuestion, closed?: PlanReason): PlannedCandidate[] {
    if (root === undefined || !isPublic || closed !== undefined) return []
    const { network, isKith, standing } = this.#parts
    const able = network
      .peers()
      .filter(({ peer }) => standing.accessOf(peer) >= this.#init.proxyMinTrust && !standing.isShunned(peer))
      .flatMap(connection => (isKith(connection) ? [this.#candidate(connection.peer, connection, { claim: 'unknown' })] : []))
    const ranked = this.#ranked(
      able.filter(({ hasIpfs }) => hasIpfs),
      { size }
    )
    return ranked.map(each => ({ ...each, stage: 'proxy' }))
  }

  /** Trusted peers, whom a bare address is put to before anybody else hears of it. */
  trustedPeers(): readonly string[] {
    const { network, isKith, standing, reach } = this.#parts
    const connected = new Map(network.peers().flatMap(each => (each.identified ? [[each.peer, isKith(each)] as const] : [])))
    return standing.trustedPeers().filter(peer => !standing.isShunned(peer) && (connected.get(peer) ?? reach !== undefined))
  }

  #candidates(question: PeerQuestion, sharers: readonly string[]): Candidate[] {
    const { network, isKith, directory, standing } = this.#parts
    const connected = network.peers()
    const known = new Map<string, ConnectedPeer | undefined>()
    for (const each of connected) if (isKith(each)) known.set(each.peer, each)
    // Who has not yet said what it speaks is taken as one that is being dialled, and waited for when its turn comes.
    const strangers = new Set(connected.filter(({ peer, identified }) => identified && !known.has(peer)).map(({ peer }) => peer))
    const absent = (peers: readonly string[]): void => {
      for (const peer of peers) if (!known.has(peer) && !strangers.has(peer)) known.set(peer, undefined)
    }
    absent(standing.trustedPeers())
    absent(sharers)
    const said = directory.claimsOn(question)
    if (question.isPublic) absent(said.claimants())
    return [...known].map(([peer, connection]) => this.#candidate(peer, connection, this.#claim(peer, question, said)))
  }

  #candidate(peer: string, connection: ConnectedPeer | undefined, claimed: Pick<Candidate, 'claim' | 'isAnswer'>): Candidate {
    const { directory, standing, estimates } = this.#parts
    const capabilities = directory.capabilitiesOf(peer)
    return {
      peer,
      ...claimed,
      isTrusted: standing.isTrusted(peer),
      access: standing.accessOf(peer),
      trust: standing.trustOf(peer),
      isConnected: connection !== undefined,
      isRelayed: connection?.relayed ?? false,
      connectedSince: connection?.since ?? 0,
      hasIpfs: capabilities?.ipfsNode.enabled ?? false,
      ...(capabilities?.bandwidthLimit === undefined ? {} : { bandwidthLimit: capabilities.bandwidthLimit }),
      estimate: estimates.of(peer)
    }
  }

  /** What it answered, else what its advert says. Adverts speak of public content only: a no says nothing about what is private. */
  #claim(peer: string, question: PeerQuestion, said: ContentClaims): Pick<Candidate, 'claim' | 'isAnswer'> {
    const answer = question.answers?.get(peer)
    if (answer !== undefined) return { claim: answer.have ? 'yes' : 'no', isAnswer: true }
    const claim = said.of(peer)
    const isAsked = !question.isPublic || (question.isPeersFirst === true && this.#parts.standing.isTrusted(peer))
    return { claim: claim === 'no' && isAsked ? 'unknown' : claim }
  }

  #place(candidate: Candidate, { isPublic, isPeersFirst = false }: PeerQuestion, sharers: readonly string[]): Group | PlanReason {
    const { peer, claim, isTrusted, isConnected, trust, isAnswer = false } = candidate
    if (this.#parts.standing.isShunned(peer)) return 'shunned'
    if (!isPublic && !isTrusted && !sharers.includes(peer)) return 'not-trusted'
    if (claim === 'no' && isAnswer) return 'says-no'
    const isDialled = claim === 'yes' || !isPublic || (isPeersFirst && isTrusted)
    if (!isConnected && (this.#parts.reach === undefined || !isDialled)) return 'not-connected'
    if (claim === 'yes') return 'asked'
    if (isPublic && !isTrusted && trust < this.#init.askUnknownMinTrust) return 'below-min-trust'
    return claim === 'no' ? 'round' : 'asked'
  }

  /** Best first. */
  #ranked(candidates: readonly Candidate[], wanted: Wanted): PlannedCandidate[] {
    return this.#parts.ranking.order(candidates, wanted).map(({ candidate, score, terms, expectedMs }) => ({
      ...this.#described(candidate),
      eligible: true,
      ...(candidate.isConnected ? {} : { note: 'not connected: it is dialled' }),
      score,
      terms,
      expectedMs
    }))
  }

  /** All claimants, all trusted peers, and the best of the others. */
  #bounded(ranked: readonly PlannedCandidate[], reason: PlanReason, out: PlannedCandidate[]): PlannedCandidate[] {
    let strangers = 0
    return ranked.filter(each => {
      if (each.claim === 'yes' || (each.peer !== undefined && this.#parts.standing.isTrusted(each.peer))) return true
      strangers += 1
      if (strangers > STRANGERS_ASKED_MAX) out.push({ ...each, eligible: false, reason })
      return strangers <= STRANGERS_ASKED_MAX
    })
  }

  #leftOut(candidate: Candidate, reason: PlanReason): PlannedCandidate {
    const why = reason === 'shunned' ? this.#parts.standing.whyShunned(candidate.peer) : undefined
    return {
      ...this.#described(candidate),
      eligible: false,
      reason,
      ...(why === undefined ? {} : { note: why }),
      score: 0,
      terms: {},
      expectedMs: null
    }
  }

  #described({
    peer,
    claim,
    access,
    trust
  }: Candidate): Pick<PlannedCandidate, 'stage' | 'peer' | 'did' | 'name' | 'claim' | 'access' | 'trust'> {
    const name = this.#parts.standing.nameOf(peer)
    return { stage: 'peer', peer, did: this.#parts.didOf(peer), ...(name === undefined ? {} : { name }), claim, access, trust }
  }
}

function isGroup(placed: Group | PlanReason): placed is Group {
  return placed === 'asked' || placed === 'round'
}

/** Before anybody else hears of it, each trusted peer is asked whether it has it as private. */
function trustedFirst(asked: readonly PlannedCandidate[], isTrusted: (each: PlannedCandidate) => boolean): PlannedCandidate[] {
  return [
    ...asked.filter(isTrusted).map((each): PlannedCandidate => ({ ...each, reason: 'have-first' })),
    ...asked.filter(each => !isTrusted(each))
  ]
}

/**
 * Among trusted peers, and among the others, claimants come before those of whom nothing is known. Which places the
 * trusted ones have is the ranking's to say.
 */
function claimantsFirst(ranked: readonly PlannedCandidate[], standing: Standing): PlannedCandidate[] {
  const isTrusted = ({ peer }: PlannedCandidate): boolean => peer !== undefined && standing.isTrusted(peer)
  const inClass = (wanted: boolean): PlannedCandidate[] => {
    const members = ranked.filter(each => isTrusted(each) === wanted)
    return [...members.filter(({ claim }) => claim === 'yes'), ...members.filter(({ claim }) => claim !== 'yes')]
  }
  const [trusted, others] = [inClass(true), inClass(false)]
  return ranked.flatMap(each => (isTrusted(each) ? trusted : others).shift() ?? [])
}
