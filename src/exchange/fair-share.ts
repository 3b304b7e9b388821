/**
 * Whose bytes go next. Answers send in batches; while several want to, turns are shared by deficit round-robin over
 * peers, however many streams each has open. Trusted peers come first, strangers keep a fifth of the bytes.
 *
 * What is shared is this process: one thread encrypts, so one batch at a time. A peer that does not take its batch
 * gives the turn back and goes on by itself, for then the network is what it waits for, and that is not ours to share.
 */
import { abortable } from '../lib/deadline.ts'
import { deferred, type Deferred } from '../lib/deferred.ts'
import { KIB, type Bytes, type Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { AbortOptions } from '../ports/options.ts'

/** What each peer may send a round; the usual batch. Larger batches save up for some rounds. */
const QUANTUM_BYTES: Bytes = 256 * KIB
/** A turn counts as so much at least: thousands of answers of a few bytes take more time than one of many. */
const TURN_BYTES_MIN: Bytes = 16 * KIB
/** Of what is sent while both want to, strangers get at least this share. */
const STRANGERS_SHARE = 1 / 5
/** A batch that is not taken within this while the process has nothing else to do waits for the network. */
const LEASE_MS: Ms = 2
/** A timer later than this means that the process was busy: then the batch may have waited for us. */
const LATE_MS: Ms = 2
/** After this the turn goes on in any case. */
const HOLD_MAX_MS: Ms = 100

/** The right to send one batch; disposing passes it on. */
export type Turn = Disposable

interface Waiting {
  readonly bytes: Bytes
  readonly turn: Deferred<Turn>
}

/** One peer's batches, in order. */
interface PeerLine {
  readonly peer: string
  readonly waiting: Waiting[]
  /** What it may still send. */
  deficit: Bytes
  /** It has had the quantum of this round, and sends until that is used up. */
  hasTurn: boolean
}

interface Held {
  readonly since: Ms
}

export class FairShare {
  readonly #clock: Clock
  readonly #trusted = new RoundRobin()
  readonly #strangers = new RoundRobin()
  /** What strangers are owed for the trusted bytes that went before them. */
  #owed: Bytes = 0
  #held: Held | undefined
  #isPassing = false
  #cancelLease: (() => void) | undefined

  constructor(components: { readonly clock: Clock }) {
    this.#clock = components.clock
  }

  /** At once when nobody else sends. @throws the signal's reason */
  enter(who: { readonly peer: string; readonly isTrusted: boolean }, bytes: Bytes, options: AbortOptions): Turn | Promise<Turn> {
    if (this.#held === undefined && this.#isQuiet) return this.#hold()
    return this.#wait(who.isTrusted ? this.#trusted : this.#strangers, who.peer, bytes, options)
  }

  get #isQuiet(): boolean {
    return this.#trusted.isEmpty && this.#strangers.isEmpty
  }

  async #wait(line: RoundRobin, peer: string, bytes: Bytes, options: AbortOptions): Promise<Turn> {
    const waiting: Waiting = { bytes: Math.max(bytes, TURN_BYTES_MIN), turn: deferred() }
    line.push(peer, waiting)
    this.#watchLease()
    try {
      return await abortable(waiting.turn.promise, options)
    } catch (error) {
      // It may have come to its turn in the same moment.
      if (!line.remove(peer, waiting)) (await waiting.turn.promise)[Symbol.dispose]()
      throw error
    }
  }

  #hold(): Turn {
    const held: Held = { since: this.#clock.monotonic() }
    this.#held = held
    return {
      [Symbol.dispose]: () => {
        this.#release(held)
      }
    }
  }

  #release(held: Held): void {
    if (this.#held !== held) return // its lease ran out
    this.#held = undefined
    this.#cancelLease?.()
    this.#cancelLease = undefined
    if (!this.#isQuiet) this.#passOn()
  }

  /** In the next turn of the event loop: who has just sent may by then want to send again, and has its place in the order. */
  #passOn(): void {
    if (this.#isPassing) return
    this.#isPassing = true
    setImmediate(() => {
      this.#isPassing = false
      const next = this.#held === undefined ? this.#next() : undefined
      if (next === undefined) return
      next.turn.resolve(this.#hold())
      this.#watchLease()
    })
  }

  #next(): Waiting | undefined {
    const stranger = this.#strangers.head
    const first = this.#trusted.head
    if (first === undefined) return this.#strangers.take()
    if (stranger === undefined) return this.#trusted.take()
    if (this.#owed >= stranger.bytes) {
      this.#owed -= stranger.bytes
      return this.#strangers.take()
    }
    const taken = this.#trusted.take()
    this.#owed += ((taken?.bytes ?? 0) * STRANGERS_SHARE) / (1 - STRANGERS_SHARE)
    return taken
  }

  #watchLease(): void {
    const held = this.#held
    if (held === undefined) {
      this.#passOn()
      return
    }
    if (this.#isQuiet || this.#cancelLease !== undefined) return
    const due = this.#clock.monotonic() + LEASE_MS
    this.#cancelLease = this.#clock.after(LEASE_MS, () => {
      this.#cancelLease = undefined
      const now = this.#clock.monotonic()
      if (now - due <= LATE_MS || now - held.since >= HOLD_MAX_MS) this.#release(held)
      else this.#watchLease()
    })
  }
}

/** Deficit round-robin: each round a peer saves one quantum, and sends what it has saved enough for. */
class RoundRobin {
  readonly #lines = new Map<string, PeerLine>()
  /** In the order of their turns. */
  readonly #ring: PeerLine[] = []

  get isEmpty(): boolean {
    return this.#ring.length === 0
  }

  /** What {@link take} gives. */
  get head(): Waiting | undefined {
    for (;;) {
      const line = this.#ring[0]
      const head = line?.waiting[0]
      if (line === undefined || head === undefined) return undefined
      if (!line.hasTurn) line.deficit += QUANTUM_BYTES
      line.hasTurn = line.deficit >= head.bytes
      if (line.hasTurn) return head
      this.#ring.push(line)
      this.#ring.shift()
    }
  }

  take(): Waiting | undefined {
    const head = this.head
    const [line] = this.#ring
    if (head === undefined || line === undefined) return undefined
    line.waiting.shift()
    line.deficit -= head.bytes
    this.#forgetWhenEmpty(line)
    return head
  }

  push(peer: string, waiting: Waiting): void {
    let line = this.#lines.get(peer)
    if (line === undefined) {
      line = { peer, waiting: [], deficit: 0, hasTurn: false }
      this.#lines.set(peer, line)
      this.#ring.push(line)
    }
    line.waiting.push(waiting)
  }

  /** False if its turn has come already. */
  remove(peer: string, waiting: Waiting): boolean {
    const line = this.#lines.get(peer)
    const at = line?.waiting.indexOf(waiting) ?? -1
    if (line === undefined || at < 0) return false
    line.waiting.splice(at, 1)
    this.#forgetWhenEmpty(line)
    return true
  }

  #forgetWhenEmpty(line: PeerLine): void {
    if (line.waiting.length > 0) return
    this.#lines.delete(line.peer)
    this.#ring.splice(this.#ring.indexOf(line), 1)
  }
}
