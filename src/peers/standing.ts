/**
 * What this node makes of its peers, as everybody asks for it. Answers from memory: what was worked out for a peer is
 * kept until something changes, for a minute at most. Owns no durable state of its own.
 */
import type { Ms } from '../model/units.ts'
import type { Log } from '../ports/log.ts'
import type { Offence, Standing } from '../ports/standing.ts'
import type { IssuerStanding } from './assertions.ts'
import { didFromPeerId } from './did-key.ts'
import { nodeOf } from './did.ts'
import { Judge, type Judgement, type JudgeComponents, type JudgeInit } from './judge.ts'
import { OFFENCES } from './offences.ts'
import type { TrustPath } from './trust-graph.ts'

/** Assertions and behaviour fade over weeks: figures a minute old are good. */
const VIEW_MS: Ms = 60_000
/** Peers in mind; each costs some 300 bytes, and is worked out again in microseconds. */
const VIEWS_MAX = 8_192

export interface PeerStandingComponents extends JudgeComponents {
  readonly log: Log
}

interface View extends Judgement {
  /** On the monotonic clock. */
  readonly goodUntil: Ms
}

export class PeerStanding implements Standing {
  readonly #parts: PeerStandingComponents
  readonly #init: JudgeInit
  readonly #judge: Judge
  /** By PeerId, in the order of their making. */
  readonly #views = new Map<string, View>()
  readonly #listeners = new Set<(peer: string) => void>()
  #known: readonly string[] | undefined

  constructor(components: PeerStandingComponents, init: JudgeInit) {
    this.#parts = components
    this.#init = init
    this.#judge = new Judge(components, init)
    components.book.onChange(did => this.#changed(did))
    components.assertions.onChange(did => this.#changed(did))
  }

  accessOf(peer: string): number {
    return this.#view(peer).access
  }
  trustOf(peer: string): number {
    return this.#view(peer).trust
  }
  isTrusted(peer: string): boolean {
    const { access, shunned } = this.#view(peer)
    return access >= this.#init.minTrusted && shunned === undefined
  }
  isShunned(peer: string): boolean {
    return this.#view(peer).shunned !== undefined
  }
  /** For the host: with whom no connection is worth keeping, in or out. */
  isBlocked(peer: string): boolean {
    return this.isShunned(peer)
  }
  whyShunned(peer: string): string | undefined {
    return this.#view(peer).shunned
  }
  nameOf(peer: string): string | undefined {
    return this.#view(peer).name
  }

  trustedPeers(): readonly string[] {
    return this.knownPeers().filter(peer => this.isTrusted(peer))
  }

  /** PeerIds of all the operator has an entry for. */
  knownPeers(): readonly string[] {
    const { book, bindings } = this.#parts
    this.#known ??= [...new Set([...book.entries()].flatMap(([did]) => nodeOf(did) ?? bindings?.boundPeers?.(did) ?? []))]
    return this.#known
  }

  report(peer: string, offence: Offence): void {
    const did = didOf(peer)
    if (did === undefined) return
    const before = this.#view(peer).shunned
    this.#parts.behaviour.report(did, offence)
    this.#views.delete(peer)
    if (OFFENCES[offence].suspends) this.#judge.forgetGraph()
    if (this.#view(peer).shunned !== before) this.#tell(peer)
  }

  onChange(listener: (peer: string) => void): () => void {
    const own = (peer: string): void => listener(peer)
    this.#listeners.add(own)
    return () => {
      this.#listeners.delete(own)
    }
  }

  /** A DID began or ceased to speak for this node. */
  bindingChanged(peer: string): void {
    this.#forgetAll()
    this.#tell(peer)
  }

  /** What it did wrong is forgotten, a suspension too. Durable when it resolves. */
  async forgive(did: string): Promise<void> {
    await this.#parts.behaviour.forgive(did)
    this.#changed(did)
  }

  /** For what is shown of a DID, a person's included. */
  judge(did: string): Judgement {
    const peer = nodeOf(did)
    return peer === undefined ? this.#judge.judge([did], undefined) : this.#view(peer)
  }

  /** Chains of asserters to a DID, best first. */
  pathsTo(did: string): TrustPath[] {
    return this.#judge.pathsTo(did)
  }

  /** Whose word about others is kept at all. */
  issuerStanding(peer: string): IssuerStanding | undefined {
    const did = didOf(peer)
    return did === undefined || this.isShunned(peer) ? undefined : this.#judge.issuerStanding(did)
  }

  #view(peer: string): View {
    const now = this.#parts.clock.monotonic()
    const known = this.#views.get(peer)
    if (known !== undefined && known.goodUntil > now) return known
    const did = didOf(peer)
    const judgement = this.#judge.judge(did === undefined ? [] : this.#judge.namesOf(did), did)
    const left = judgement.suspendedUntil === undefined ? VIEW_MS : judgement.suspendedUntil - this.#parts.clock.now()
    const view = { ...judgement, goodUntil: now + Math.min(VIEW_MS, left) }
    this.#views.delete(peer)
    this.#views.set(peer, view)
    const [oldest] = this.#views.keys()
    if (this.#views.size > VIEWS_MAX && oldest !== undefined) this.#views.delete(oldest)
    return view
  }

  #changed(did: string): void {
    this.#forgetAll()
    const node = nodeOf(did)
    const bound = this.#parts.bindings?.boundPeers?.(did) ?? []
    for (const peer of new Set(node === undefined ? bound : [node, ...bound])) this.#tell(peer)
  }

  #forgetAll(): void {
    this.#views.clear()
    this.#known = undefined
    this.#judge.forgetGraph()
  }

  #tell(peer: string): void {
    for (const listener of this.#listeners) {
      try {
        listener(peer)
      } catch (error) {
        this.#parts.log.error({ err: error }, 'a listener for the standing of peers threw')
      }
    }
  }
}

/** Undefined for the few of the public swarm that have another kind of key. */
function didOf(peer: string): string | undefined {
  try {
    return didFromPeerId(peer)
  } catch {
    return undefined
  }
}
