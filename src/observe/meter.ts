/** The figures behind `daemon.health`: what this process did lately. In memory only. */
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'

/** Window of `avg_response_time`. */
const RESPONSE_WINDOW_MS: Ms = 5 * 60_000
/** Window of `operations_per_second`. */
const RATE_WINDOW_MS: Ms = 60_000
/** Samples kept: beyond, the oldest go, whatever their age. */
const SAMPLES_MAX = 100_000

export interface Performance {
  /** Seconds, 3 digits. */
  readonly avg_response_time: number
  /** hits / (hits + misses) since start, 2 digits. */
  readonly cache_hit_rate: number
  /** 1 digit. */
  readonly operations_per_second: number
}

export class Meter {
  readonly #clock: Clock
  #samples: { readonly at: Ms; readonly ms: Ms }[] = []
  #hits = 0
  #misses = 0

  constructor(components: { readonly clock: Clock }) {
    this.#clock = components.clock
  }

  retrieved({ ms, isHit }: { readonly ms: Ms; readonly isHit: boolean }): void {
    if (isHit) this.#hits += 1
    else this.#misses += 1
    this.#samples.push({ at: this.#clock.monotonic(), ms })
    if (this.#samples.length > SAMPLES_MAX * 1.1) this.#samples = this.#samples.slice(-SAMPLES_MAX)
  }

  performance(): Performance {
    const now = this.#clock.monotonic()
    this.#samples = this.#samples.filter(({ at }) => now - at <= RESPONSE_WINDOW_MS)
    const total = this.#samples.reduce((sum, { ms }) => sum + ms, 0)
    const lately = this.#samples.filter(({ at }) => now - at <= RATE_WINDOW_MS).length
    const asked = this.#hits + this.#misses
    return {
      avg_response_time: round(this.#samples.length === 0 ? 0 : total / this.#samples.length / 1000, 3),
      cache_hit_rate: round(asked === 0 ? 0 : this.#hits / asked, 2),
      operations_per_second: round(lately / (RATE_WINDOW_MS / 1000), 1)
    }
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
