/**
 * The default order: trusted peers first, and among equals in that whoever will most likely have delivered the
 * verified content first. Expected milliseconds are a sum of named terms, so that everybody can see why.
 */
import { DIAL_MS, FIRST_BYTE_UNKNOWN_MS, RATE_UNKNOWN } from '../model/hopes.ts'
import { EXPECTED_MS_MAX, STRANGER_SCORE } from '../model/score.ts'
import { MIB } from '../model/units.ts'
import type { Bytes, Ms } from '../model/units.ts'
import { bandwidthWithin } from './bandwidth.ts'
import type { Candidate, Ranked, Ranking, Wanted } from './ranking.ts'
import type { TieBreak } from './tie-break.ts'

/** A content whose size nobody knows counts as one full block. Bytes. */
const SIZE_UNKNOWN: Bytes = MIB
/** What a fault costs: about the time until a hedge has taken over, and a round trip of the next. */
const FAULT_MS: Ms = 1_000
/** What a miss costs beside the wait for it. */
const MISS_MS: Ms = 500
/** That a peer has what it says it has when asked for just that. */
const HAVE_BY_ANSWER = 0.99
/** That a peer has what it says nothing about. */
const HAVE_UNKNOWN = 0.2
/** A filter that says no is never wrong, only old. */
const HAVE_NO = 0.02
/** How far hope goes: with n samples times count e^(−HOPE/√(1+n)) of what was measured. */
const HOPE = 0.8
/** Within this factor of the fastest of them, peers are as good as equally fast, and trust decides. */
const ALIKE_FACTOR = 1.25
/** Share of small requests in which a peer that is not the first is tried first. */
const EXPLORE_SHARE = 0.01
/** Of many peers all together no more; then each gets less than its hundredth. */
const EXPLORE_SHARE_MAX = 0.1
/** Larger contents are not for trying somebody out. Bytes. */
const EXPLORE_BYTES_MAX: Bytes = MIB

interface Timed {
  readonly candidate: Candidate
  readonly terms: Readonly<Record<string, Ms>>
  readonly ms: Ms
}

export class ExpectedTime implements Ranking {
  readonly #tieBreak: TieBreak

  constructor({ tieBreak }: { readonly tieBreak: TieBreak }) {
    this.#tieBreak = tieBreak
  }

  order(candidates: readonly Candidate[], wanted: Wanted): readonly Ranked[] {
    const timed = candidates.map(candidate => timedFor(candidate, wanted))
    const byTime = timed.toSorted((a, b) => compareTimes(a, b) || this.#tieBreak(a.candidate.peer, b.candidate.peer))
    return explored(alikeByTrust(byTime), wanted)
  }
}

function timedFor(candidate: Candidate, { size }: Wanted): Timed {
  const { estimate } = candidate
  const firstByte = estimate.firstByteMs ?? estimate.latencyMs ?? FIRST_BYTE_UNKNOWN_MS
  const queue = firstByte * estimate.inFlight
  const rate = bandwidthWithin(candidate, estimate.rate ?? estimate.bandwidth ?? RATE_UNKNOWN) ?? RATE_UNKNOWN
  const transfer = ((size ?? SIZE_UNKNOWN) / rate) * 1000
  const faults = (estimate.failShare / (1 - Math.min(0.999, estimate.failShare))) * FAULT_MS
  const hope = (firstByte + queue + transfer + faults) * (Math.exp(-HOPE / Math.sqrt(1 + estimate.samples)) - 1)
  const miss = (1 - haveShare(candidate)) * (MISS_MS + firstByte)
  const dial = candidate.isConnected ? 0 : DIAL_MS
  return {
    candidate,
    terms: { firstByte, queue, transfer, faults, miss, dial, hope },
    ms: Math.min(EXPECTED_MS_MAX, firstByte + queue + transfer + faults + miss + dial + hope)
  }
}

function haveShare({ claim, isAnswer = false, estimate }: Candidate): number {
  switch (claim) {
    case 'yes':
      return isAnswer ? HAVE_BY_ANSWER : estimate.precision
    case 'unknown':
      return HAVE_UNKNOWN
    case 'no':
      return HAVE_NO
  }
}

function compareTimes(a: Timed, b: Timed): number {
  return Number(b.candidate.isTrusted) - Number(a.candidate.isTrusted) || a.ms - b.ms
}

/**
 * Groups begin with the fastest that is left, hold those within {@link ALIKE_FACTOR} of it, and go by trust. So who
 * gets faster or more trusted never falls behind anybody.
 */
function alikeByTrust(byTime: readonly Timed[]): Ranked[] {
  const ranked: Ranked[] = []
  for (let start = 0; start < byTime.length;) {
    const leader = byTime[start]
    if (leader === undefined) break
    let end = start + 1
    while (isAlike(leader, byTime[end])) end++
    const group = byTime.slice(start, end).toSorted((a, b) => b.candidate.trust - a.candidate.trust)
    for (const { candidate, terms, ms } of group) ranked.push({ candidate, score: scoreOf(candidate, leader.ms), terms, expectedMs: ms })
    start = end
  }
  return ranked
}

function isAlike(leader: Timed, other: Timed | undefined): boolean {
  return other !== undefined && other.candidate.isTrusted === leader.candidate.isTrusted && other.ms <= leader.ms * ALIKE_FACTOR
}

/** Falls along the order: by the time of the group, then by trust, which moves it by less than the way to the next group. */
function scoreOf({ isTrusted, trust }: Candidate, leaderMs: Ms): number {
  return leaderMs * (trust / 100 - 1) + (isTrusted ? 0 : STRANGER_SCORE)
}

/**
 * In one small request of a hundred each peer that might as well be asked is asked first: nothing else would tell
 * that a slow one has become fast. The draw is the caller's; without one the order is what `explain` shows.
 */
function explored(ranked: readonly Ranked[], { size, draw }: Wanted): readonly Ranked[] {
  const [first, ...others] = ranked
  if (draw === undefined || draw >= EXPLORE_SHARE_MAX || first === undefined || (size ?? 0) > EXPLORE_BYTES_MAX) return ranked
  const equals = others.filter(({ candidate }) => isOfOneKind(candidate, first.candidate))
  const share = Math.min(EXPLORE_SHARE, EXPLORE_SHARE_MAX / equals.length)
  const chosen = equals[Math.floor(draw / share)]
  return chosen === undefined ? ranked : [chosen, ...ranked.filter(other => other !== chosen)]
}

function isOfOneKind(a: Candidate, b: Candidate): boolean {
  return a.isTrusted === b.isTrusted && a.claim === b.claim
}
