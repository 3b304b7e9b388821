/**
 * The newest advert or goodbye taken from each peer, by number and digest: what stops replays, also after a restart.
 * Written within seconds: a crash may bring back an advert that was replaced in the last of them. Bounded.
 */
import { KithError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import { ISSUERS_REMEMBERED_MAX } from './limits.ts'

/** What is known of an issuer. */
export interface KnownSequence {
  readonly seq: number
  /** SHA-256 of the signed head, base64url: tells the same advert from a second one with its number. */
  readonly digest: string
}

interface Stored extends KnownSequence {
  /** Unix seconds: which are forgotten first. */
  readonly at: number
}

export interface KnownSequencesComponents {
  readonly state: StateStore
  readonly clock: Clock
  readonly log: Log
}

export class KnownSequences {
  readonly #parts: KnownSequencesComponents
  readonly #table: StateTable<Stored>
  readonly #known: BoundedMap<KnownSequence>

  constructor(components: KnownSequencesComponents) {
    this.#parts = components
    this.#table = components.state.table('advert-seq', readStored)
    this.#known = new BoundedMap(ISSUERS_REMEMBERED_MAX, peer => this.#forget(peer))
    const oldestFirst = [...this.#table.entries()].toSorted(([, a], [, b]) => a.at - b.at)
    for (const [peer, { seq, digest }] of oldestFirst) this.#known.set(peer, { seq, digest })
  }

  get(peer: string): KnownSequence | undefined {
    return this.#known.get(peer)
  }

  set(peer: string, { seq, digest }: KnownSequence): void {
    this.#known.set(peer, { seq, digest })
    this.#table.note(peer, { seq, digest, at: Math.floor(this.#parts.clock.now() / 1000) })
  }

  #forget(peer: string): void {
    this.#table.remove(peer).catch((err: unknown) => this.#parts.log.debug({ err }, 'the number of an old advert could not be forgotten'))
  }
}

function readStored(stored: unknown): Stored {
  if (typeof stored === 'object' && stored !== null && 'seq' in stored && 'digest' in stored && 'at' in stored) {
    const { seq, digest, at } = stored
    if (typeof seq === 'number' && typeof digest === 'string' && typeof at === 'number') return { seq, digest, at }
  }
  throw new KithError('INTERNAL', 'the number of an advert is not stored in a form this version reads')
}
