/** A clock that a test sets, estimates of nobody, and builders of candidates. */
import type { Clock } from '../../../src/ports/clock.ts'
import type { Outcome } from '../../../src/model/source.ts'
import type { PeerEstimate } from '../../../src/ports/estimates.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { MeasuredEstimates } from '../../../src/ranking/estimates.ts'
import type { Candidate, Ranked } from '../../../src/ranking/ranking.ts'
import { UNMEASURED } from '../../../src/ranking/unmeasured.ts'

/** Nothing here waits: the time is a number. */
export class HandClock implements Clock {
  #elapsed = 0
  readonly #start = Date.UTC(2026, 0, 1)

  now(): number {
    return this.#start + this.#elapsed
  }

  monotonic(): number {
    return this.#elapsed
  }

  after(): () => void {
    return () => {}
  }

  pass(ms: number): void {
    this.#elapsed += ms
  }
}

export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** mulberry32 */
  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.number() * 256))
  }
}

export interface Played {
  readonly firstByteMs?: number
  readonly totalMs?: number
  readonly outcome?: Outcome
  readonly bytes?: number
  /** Bytes that came with the first one. */
  readonly firstBlock?: number
}

/** One request, from sending to its end; the clock passes. */
export function play(estimates: MeasuredEstimates, clock: HandClock, source: string, played: Played = {}): void {
  const { firstByteMs, totalMs = firstByteMs ?? 0, outcome = 'ok', bytes = 0, firstBlock } = played
  const measurement = estimates.begin(source)
  clock.pass(firstByteMs ?? 0)
  if (firstByteMs !== undefined) measurement.firstByte(firstBlock)
  clock.pass(totalMs - (firstByteMs ?? 0))
  measurement.end(outcome, bytes)
}

export function candidateFor(
  peer: string,
  known: Partial<Omit<Candidate, 'estimate'>> & { readonly estimate?: Partial<PeerEstimate> } = {}
): Candidate {
  const { estimate, ...rest } = known
  return {
    peer,
    claim: 'yes',
    isTrusted: true,
    access: 10,
    trust: 10,
    isConnected: true,
    isRelayed: false,
    connectedSince: 1,
    hasIpfs: false,
    ...rest,
    estimate: { ...UNMEASURED.of(peer), ...estimate }
  }
}

export function peersOf(ranked: readonly Ranked[]): string[] {
  return ranked.map(({ candidate: { peer } }) => peer)
}
