/** Who joins those who deliver, and when it is looked whether somebody should. The candidates themselves know of what use they are. */
import type { Ms } from '../model/units.ts'
import type { Candidate } from './rung.ts'
import type { RungState } from './running.ts'

/** While others could join those who deliver, it is looked this often whether they should: soon at first, then ever more seldom. */
const PACE_MS_MIN: Ms = 20
const PACE_MS_MAX: Ms = 320
/** Candidates of a rung looked at each time; the best come first. Count. */
const LOOKED_AT_MAX = 8

export interface HelpersInit {
  readonly states: readonly RungState[]
  readonly start: (state: RungState, candidate: Candidate) => void
  /** A rung after this one is about to begin. */
  readonly lookForMore: (state: RungState) => void
}

export class Helpers {
  readonly #init: HelpersInit
  #pace: Ms = PACE_MS_MIN

  constructor(init: HelpersInit) {
    this.#init = init
  }

  /** Somebody began or ended. */
  stir(): void {
    this.#pace = PACE_MS_MIN
  }

  /**
   * Lets others join those who deliver, if that is of use: of their own rung first, then of the others in their order.
   *
   * @returns when to look again; Infinity: nobody is left who could
   */
  seek(winner: RungState): Ms {
    let isAnyLeft = this.#seekOn(winner, winner)
    for (const [index, state] of this.#init.states.entries()) {
      if (state === winner) continue
      const before = state.running
      if (this.#seekOn(state, winner)) isAnyLeft = true
      if (state.running > before) for (const earlier of this.#init.states.slice(0, index)) this.#init.lookForMore(earlier)
    }
    if (!isAnyLeft) return Infinity
    const next = this.#pace
    this.#pace = Math.min(2 * this.#pace, PACE_MS_MAX)
    return next
  }

  /** @returns whether somebody may be of use later */
  #seekOn(state: RungState, winner: RungState): boolean {
    const able = state.pending.filter(candidate => candidate.help !== undefined).slice(0, LOOKED_AT_MAX)
    for (const candidate of able) {
      if (state.running >= state.rung.maxParallel) return false
      if (candidate.help?.(winner.rung.stage) !== true) continue
      state.pending.splice(state.pending.indexOf(candidate), 1)
      this.#init.start(state, candidate)
    }
    return able.length > 0 && state.running < state.rung.maxParallel
  }
}
