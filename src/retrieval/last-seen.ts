/**
 * Who had a public content last: a small note for the message when nobody has it. Keyed digests, so that nobody reads
 * out of it what was looked for; of content that is not public nothing is noted. A crash loses the last seconds.
 */
import { bytesKey } from '../model/content-id.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Standing } from '../ports/standing.ts'
import type { StateTable } from '../ports/state-table.ts'
import type { Sighting } from './not-found.ts'

/** Contents of which a sighting is kept; the oldest goes first. A few hundred bytes each. */
const SIGHTINGS_MAX = 10_000
/** A sighting of the same peer is written again only after this long: half of what its words tell apart. Milliseconds. */
const NOTED_AGAIN_MS: Ms = 30_000

export interface StoredSighting {
  readonly peer: string
  readonly what: 'had' | 'claimed'
  readonly at: Ms
}

export interface LastSeenComponents {
  readonly table: StateTable<StoredSighting>
  readonly keyedDigest: (bytes: Uint8Array) => Uint8Array
  readonly standing: Pick<Standing, 'nameOf'>
  readonly didOf: (peer: string) => string
  readonly clock: Clock
}

/** @throws TypeError for what is no sighting */
export function readSighting(stored: unknown): StoredSighting {
  if (typeof stored !== 'object' || stored === null) throw new TypeError('a sighting is an object')
  const { peer, what, at } = { peer: undefined, what: undefined, at: undefined, ...stored }
  if (typeof peer !== 'string' || typeof at !== 'number' || (what !== 'had' && what !== 'claimed'))
    throw new TypeError('a sighting has a peer, what it did, and when')
  return { peer, what, at }
}

export class LastSeen {
  readonly #parts: LastSeenComponents
  /** Keys, the oldest sighting first. */
  readonly #order: Set<string>

  constructor(components: LastSeenComponents) {
    this.#parts = components
    const byAge = [...components.table.entries()].toSorted(([, a], [, b]) => a.at - b.at)
    this.#order = new Set(byAge.map(([key]) => key))
  }

  /** A peer delivered a public content, or says it has it. What it had outweighs what another claims. */
  note(content: Uint8Array, peer: string, what: StoredSighting['what']): void {
    const { table, clock } = this.#parts
    const key = this.#keyOf(content)
    const known = table.get(key)
    if (known?.what === 'had' && what === 'claimed' && known.peer !== peer) return
    const at = clock.now()
    if (known?.peer === peer && at - known.at < NOTED_AGAIN_MS && (known.what === what || what === 'claimed')) return
    table.note(key, { peer, what: known?.peer === peer && known.what === 'had' ? 'had' : what, at })
    this.#order.delete(key)
    this.#order.add(key)
    this.#makeRoom()
  }

  of(content: Uint8Array): Sighting | undefined {
    const { table, clock, standing, didOf } = this.#parts
    const found = table.get(this.#keyOf(content))
    if (found === undefined) return undefined
    const name = standing.nameOf(found.peer)
    return { ...found, did: didOf(found.peer), ...(name === undefined ? {} : { name }), ago: Math.max(0, clock.now() - found.at) }
  }

  #keyOf(content: Uint8Array): string {
    return bytesKey(this.#parts.keyedDigest(content))
  }

  #makeRoom(): void {
    for (const key of this.#order) {
      if (this.#order.size <= SIGHTINGS_MAX) return
      this.#order.delete(key)
      // Were it not removed it would merely come back at the next start, as the oldest.
      this.#parts.table.remove(key).catch(() => {})
    }
  }
}
