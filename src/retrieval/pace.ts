/**
 * How fast a source delivers at the moment: what came lately over the time it took, the wait for what is on its way
 * included. A source that has stopped becomes slow by and by, long before anything ends.
 */
import { MIB, type Bytes, type Ms, type Rate } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'

/** What is expected of a source before it is asked. */
export interface Expected {
  readonly firstByteMs: Ms
  readonly rate: Rate
  /** It was measured; otherwise it is hope. */
  readonly isMeasured: boolean
  /** One's own people: that it is slow is no trick. */
  readonly isTrusted?: boolean
}

/** What is expected counts as much as one leaf that was seen. */
const EXPECTED_WEIGHT_BYTES: Bytes = MIB
/** What was seen so long ago counts half. */
const HALF_LIFE_MS: Ms = 2_000
const RATE_MIN: Rate = 1

export class Pace {
  readonly #clock: Clock
  #bytes: Bytes = EXPECTED_WEIGHT_BYTES
  #ms: Ms
  /** From then on the next leaf is on its way. */
  #since: Ms

  constructor(clock: Clock, { firstByteMs, rate }: Expected) {
    this.#clock = clock
    this.#ms = (EXPECTED_WEIGHT_BYTES / Math.max(RATE_MIN, rate)) * 1000
    this.#since = clock.monotonic() + firstByteMs
  }

  /** How long nothing has come. */
  get waitedMs(): Ms {
    return Math.max(0, this.#clock.monotonic() - this.#since)
  }

  /** What follows is a new answer, whose first byte takes so long. */
  asked(firstByteMs: Ms): void {
    this.#since = this.#clock.monotonic() + firstByteMs
  }

  /** Something too small to measure came. */
  stirred(): void {
    this.#since = this.#clock.monotonic()
  }

  delivered(bytes: Bytes): void {
    const waited = this.waitedMs
    const kept = keptAfter(waited)
    this.#bytes = this.#bytes * kept + bytes
    this.#ms = this.#ms * kept + waited
    this.stirred()
  }

  /** @param awaited - bytes of the leaf on its way: at most all of it has come by now */
  rate(awaited: Bytes): Rate {
    const waited = this.waitedMs
    const kept = keptAfter(waited)
    const seen = this.#bytes / Math.max(1, this.#ms)
    const most = (this.#bytes * kept + awaited) / Math.max(1, this.#ms * kept + waited)
    return Math.max(RATE_MIN, Math.min(seen, most) * 1000)
  }
}

function keptAfter(ms: Ms): number {
  return 0.5 ** (ms / HALF_LIFE_MS)
}
