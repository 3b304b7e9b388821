/**
 * The sequence numbers of the own adverts. A number is durable before it is used: a crash loses numbers at most, and
 * none is ever used twice. In memory: which numbers this run has used.
 */
import type { Ms } from '../model/units.ts'
import { readUnverifiedJwt } from '../peers/jwt.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import { decodeAdvert } from './codec.ts'
import { ADVERT_GOSSIP_BYTES_MAX, ADVERT_JWT_CHARACTERS_MAX } from './limits.ts'

/** Numbers of this run that are remembered: a fortnight of heartbeats. */
const REMEMBERED_MAX = 4096

export interface SequenceStore {
  load(): number | undefined
  /** Durable when it returns. */
  save(seq: number): Promise<void>
}

export class OwnNumbers {
  readonly #store: SequenceStore
  readonly #used = new BoundedMap<true>(REMEMBERED_MAX)
  /** The last number of the run before. */
  #before = 0
  #last = 0

  constructor(store: SequenceStore) {
    this.#store = store
  }

  load(): void {
    this.#before = this.#store.load() ?? 0
    this.#last = this.#before
  }

  /** A number above all before it; the time of day where that is one. */
  async draw(now: Ms): Promise<number> {
    const seq = Math.max(this.#last + 1, now)
    await this.#store.save(seq)
    this.#last = seq
    this.#used.set(String(seq), true)
    return seq
  }

  /** Whether an advert signed with the own key is neither of this run nor of an earlier one: a second node has the key. */
  isForeign(advert: Uint8Array): boolean {
    try {
      const { seq } = readUnverifiedJwt(decodeAdvert(advert, ADVERT_GOSSIP_BYTES_MAX).jwt, ADVERT_JWT_CHARACTERS_MAX)
      return typeof seq === 'number' && seq > this.#before && this.#used.get(String(seq)) === undefined
    } catch {
      return false
    }
  }
}
