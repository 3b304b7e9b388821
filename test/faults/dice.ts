/** What a run draws: KITH_SEED replays it, though not how the machine interleaves it. */
import { randomInt } from 'node:crypto'

export const SEED = Number(process.env['KITH_SEED'] ?? randomInt(1, 2 ** 31))

/** Numerical Recipes' generator. */
export class Dice {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * limit)
  }
}
