/**
 * Single contents that were given to single peers: who may have which root from here, and who said that this node may
 * have one from there. Owns the tables `shares` and `shared-here`. What was granted survives a crash.
 */
import { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'
import { didFromPeerId, peerIdFromDid } from './did-key.ts'
import { storedFields, storedNumber, storedTexts } from './stored-fields.ts'

/** Contents shared one by one; more is what access levels are for. */
const SHARED_ROOTS_MAX = 10_000
/** Peers a content is shared with one by one. */
const SHARED_WITH_MAX = 1_000
/** Peers remembered as having shared a root with this node; the newest is kept. */
const SHARERS_MAX = 8

/** DID → Unix milliseconds at which it ends; 0: never by itself. */
type Ends = Readonly<Record<string, Ms>>

const NEVER: Ms = 0

export interface SharesComponents {
  readonly clock: Clock
  readonly state: StateStore
}

export class Shares {
  readonly #clock: Clock
  readonly #given: StateTable<Ends>
  readonly #taken: StateTable<readonly string[]>
  /** PeerId → root → the end, as `shares` has it. */
  readonly #byPeer = new Map<string, Map<string, Ms>>()

  constructor({ clock, state }: SharesComponents) {
    this.#clock = clock
    this.#given = state.table('shares', readEnds)
    this.#taken = state.table('shared-here', stored => storedTexts(stored, 'who shared a content'))
    for (const [root, ends] of this.#given.entries()) for (const [did, end] of Object.entries(ends)) this.#note(root, did, end)
  }

  /** Whether a peer was given this root one by one. Rights that come with its access are not looked at here. */
  mayHave(peer: string, root: CID): boolean {
    const end = this.#byPeer.get(peer)?.get(root.toV1().toString())
    return end !== undefined && this.#isOpen(end)
  }

  /** The roots a peer was given one by one. */
  grantsOf(peer: string): readonly CID[] {
    const roots = this.#byPeer.get(peer)
    if (roots === undefined) return []
    return [...roots].filter(([, end]) => this.#isOpen(end)).map(([root]) => CID.parse(root))
  }

  /** PeerIds of those who gave this node the root by a ticket, the latest first: whom to ask for it. */
  sharersOf(root: CID): readonly string[] {
    return this.#taken.get(root.toV1().toString()) ?? []
  }

  /** Durable when it resolves. A longer grant is not cut short. `end` absent: until it is taken back. @throws KithError QUOTA_EXCEEDED */
  async grant(root: CID, did: string, end: Ms = NEVER): Promise<void> {
    const key = root.toV1().toString()
    const ends = this.#current(key)
    const before = ends[did]
    if (before !== undefined && (before === NEVER || (end !== NEVER && before >= end))) return
    if (this.#given.get(key) === undefined && this.#given.size >= SHARED_ROOTS_MAX) await this.#forgetEnded()
    if (this.#given.size >= SHARED_ROOTS_MAX || Object.keys(ends).length >= SHARED_WITH_MAX)
      throw new KithError(
        'QUOTA_EXCEEDED',
        `at most ${SHARED_ROOTS_MAX} contents are shared one by one, each with ${SHARED_WITH_MAX} peers; give people a level with kith invite instead`
      )
    await this.#given.put(key, { ...ends, [did]: end })
    this.#note(key, did, end)
  }

  /** Somebody gave this node the root. Durable when it resolves. @throws KithError QUOTA_EXCEEDED */
  async received(root: CID, peer: string): Promise<void> {
    const key = root.toV1().toString()
    if (this.#taken.get(key) === undefined && this.#taken.size >= SHARED_ROOTS_MAX)
      throw new KithError('QUOTA_EXCEEDED', `${SHARED_ROOTS_MAX} contents were given to this node one by one, and no more are remembered`)
    const others = this.sharersOf(root).filter(known => known !== peer)
    await this.#taken.put(key, [peer, ...others].slice(0, SHARERS_MAX))
  }

  /** The content was removed here: nobody has it from here any more. Who gave it to this node is still known, to get it again. */
  async endContent(root: CID): Promise<void> {
    const key = root.toV1().toString()
    for (const did of Object.keys(this.#given.get(key) ?? {})) this.#byPeer.get(peerIdFromDid(did))?.delete(key)
    await this.#given.remove(key)
  }

  /** The peer was blocked. */
  async endPeer(peer: string): Promise<void> {
    const did = didFromPeerId(peer)
    const roots = [...(this.#byPeer.get(peer)?.keys() ?? [])]
    this.#byPeer.delete(peer)
    for (const key of roots) {
      const { [did]: _ended, ...rest } = this.#given.get(key) ?? {}
      if (Object.keys(rest).length === 0) await this.#given.remove(key)
      else await this.#given.put(key, rest)
    }
  }

  #isOpen(end: Ms): boolean {
    return end === NEVER || this.#clock.now() < end
  }

  #note(root: string, did: string, end: Ms): void {
    const peer = peerIdFromDid(did)
    const roots = this.#byPeer.get(peer) ?? new Map<string, Ms>()
    roots.set(root, end)
    this.#byPeer.set(peer, roots)
  }

  /** Without those that have ended. */
  #current(root: string): Ends {
    return Object.fromEntries(Object.entries(this.#given.get(root) ?? {}).filter(([, end]) => this.#isOpen(end)))
  }

  async #forgetEnded(): Promise<void> {
    for (const [root] of this.#given.entries()) if (Object.keys(this.#current(root)).length === 0) await this.endContent(CID.parse(root))
  }
}

function readEnds(stored: unknown): Ends {
  const fields = storedFields(stored, 'a shared content')
  return Object.fromEntries(Object.entries(fields).map(([did, end]) => [did, storedNumber(end, 'the end of a share')]))
}
