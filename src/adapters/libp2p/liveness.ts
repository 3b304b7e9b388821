/**
 * Hangs up on peers that are gone without a word: a machine that lost its power or its network. A connection lives as
 * long as anything at all passes on it, however long an answer waits behind a transfer. Owns one timer for all; keeps
 * nothing on disk.
 */
import { BLOCK_MS_MAX, isComing } from '../../model/slow-line.ts'
import type { Bytes, Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Line } from './line.ts'

/**
 * How often the muxer asks the other side for a sign of life, once the last one has come. One that lives is never
 * quiet for longer, plus the round trip.
 */
export const SIGN_OF_LIFE_INTERVAL: Ms = 10_000
/** Between two looks at all connections. */
const LOOK_INTERVAL: Ms = 5_000
/**
 * Looks in a row without a sign after which a peer is gone: 30 s. Looks are counted and not time, so that a machine
 * that slept, or was too busy to read, finds what came meanwhile before it judges.
 */
const QUIET_LOOKS_MAX = 6

interface Watched {
  readonly line: Line
  received: Bytes
  taken: Bytes
  wasWaiting: boolean
  quietLooks: number
}

export class Liveness {
  readonly #clock: Clock
  readonly #log: Log
  readonly #watched = new Set<Watched>()
  #isLooking = false

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock
    this.#log = log
  }

  /** Until it closes. */
  watch(line: Line): void {
    const watched = { line, received: line.received, taken: line.taken, wasWaiting: false, quietLooks: 0 }
    this.#watched.add(watched)
    line.onClose(() => this.#watched.delete(watched))
    this.#lookLater()
  }

  /** Bytes that came from this peer over the connections it has now. */
  received(peer: string): Bytes {
    let bytes: Bytes = 0
    for (const { line } of this.#watched) if (line.peer === peer) bytes += line.received
    return bytes
  }

  /** For a budget of `span`: whether to wait as long again, because bytes of the peer come, behind which the answer may be. */
  whileComing(peer: string, span: Ms): () => boolean {
    const startedAt = this.#clock.monotonic()
    let before = this.received(peer)
    return () => {
      const came = this.received(peer) - before
      before += came
      return isComing(came, span) && this.#clock.monotonic() - startedAt < BLOCK_MS_MAX
    }
  }

  #lookLater(): void {
    if (this.#isLooking || this.#watched.size === 0) return
    this.#isLooking = true
    this.#clock.after(LOOK_INTERVAL, () => {
      this.#isLooking = false
      for (const watched of [...this.#watched]) this.#look(watched)
      this.#lookLater()
    })
  }

  #look(watched: Watched): void {
    const { line } = watched
    watched.quietLooks = isMoving(watched) ? 0 : watched.quietLooks + 1
    Object.assign(watched, { received: line.received, taken: line.taken, wasWaiting: line.waiting > 0 })
    if (watched.quietLooks < QUIET_LOOKS_MAX) return
    this.#watched.delete(watched)
    this.#log.info({ peer: line.peer }, 'a peer is gone: nothing came from it any more')
    line.abort(new Error(`nothing came from ${line.peer} for ${(QUIET_LOOKS_MAX * LOOK_INTERVAL) / 1000} s`))
  }
}

/**
 * What the system takes is a sign only while bytes wait, for then it makes room by what the other side has
 * acknowledged; a few bytes it takes without asking anybody.
 */
function isMoving({ line, received, taken, wasWaiting }: Watched): boolean {
  return line.received > received || (wasWaiting && line.waiting > 0 && line.taken > taken)
}
