/**
 * Chance that follows from a seed and a purpose: the same on every machine and in every run, and what is drawn for
 * one purpose does not move when another draws more.
 */

/** FNV-1a, 32 bits: spreads a text over all seeds. */
const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193
/** The step of mulberry32. */
const WEYL = 0x6d2b79f5

export class Draw {
  #state: number

  constructor(seed: number, purpose: string) {
    let hash = FNV_OFFSET
    for (const unit of `${seed}\0${purpose}`) hash = Math.imul(hash ^ (unit.codePointAt(0) ?? 0), FNV_PRIME)
    this.#state = hash >>> 0
  }

  /** From 0 to below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + WEYL) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A new array with the same items in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    return items
      .map(item => ({ item, at: this.next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item)
  }
}
