/**
 * What is remembered of one source, and how each observation changes it. Plain data that passes through JSON; no
 * clock, no names: times are handed in, Unix milliseconds, and a clock that was set back counts as no time passed.
 */
import { RATE_UNKNOWN } from '../model/hopes.ts'
import { KIB } from '../model/units.ts'
import type { Bytes, Ms, Rate } from '../model/units.ts'

export interface Figures {
  /** Running mean, in factors, of the times to the first byte; null before the first. */
  firstByteMs: Ms | null
  /** The peak above that mean, as it was at {@link firstByteAt}. */
  peakMs: Ms
  firstByteAt: Ms
  /** The last times to the first byte, oldest first, at most {@link FIRST_BYTES_KEPT_MAX}. */
  recentMs: Ms[]
  latencyMs: Ms | null
  /** Natural logarithm of bytes a second: rates differ by factors, not by differences. */
  logRate: number | null
  bandwidth: Rate | null
  /** Outcomes of late, fading by {@link FAULT_HALF_LIFE_MS}. */
  ok: number
  bad: number
  /** The same of the last few only, so that a burst of failures is seen at once, whatever was before. */
  lastOk: number
  lastBad: number
  countedAt: Ms
  /** What claims were worth, the last {@link CLAIMS_WEIGHT_MAX} or so. */
  claimsTrue: number
  claimsFalse: number
  /** True and false claims ever. */
  yes: number
  no: number
  samples: number
  /** Last heard of: who was not for longest is forgotten first. */
  usedAt: Ms
}

/** A peak of the time to the first byte falls to 37 % in this time. */
const PEAK_DECAY_MS: Ms = 10_000
/** What a clock of milliseconds may call no time at all; means in factors need more than that. */
const FIRST_BYTE_MS_MIN: Ms = 0.1
/** A source nobody asks drifts to what is usual: half the way in this time. */
const IDLE_HALF_LIFE_MS: Ms = 600_000
/** Enough for a 90th percentile, few enough that it is one of today. Count. */
const FIRST_BYTES_KEPT_MAX = 20
/** Of fewer times a 90th percentile says nothing. Count. */
const FIRST_BYTES_FOR_P90_MIN = 5
/** Of the time to a first block, this much at the least was waiting, if the round trip is not known. */
const WAIT_SHARE_MIN = 0.1
/** Of the very first one half is taken for waiting: anything between nothing and all of it is possible. */
const WAIT_SHARE_UNKNOWN = 0.5
/** Share of each new figure in a running mean. */
const ALPHA = 0.2
/** Shorter transfers measure the round trip, not the rate. Bytes. */
const RATE_BYTES_MIN: Bytes = 256 * KIB
/** From here on a transfer counts for the fixed formula. Bytes. */
const BANDWIDTH_BYTES_MIN: Bytes = 64 * KIB
/** What cannot be told apart from no time at all. */
const TRANSFER_MS_MIN: Ms = 1
/** Faults of yesterday count half. */
const FAULT_HALF_LIFE_MS: Ms = 86_400_000
/** A burst of failures is over, or at least worth another look, after a while of silence. */
const BURST_HALF_LIFE_MS: Ms = 600_000
/** Each outcome leaves so much of the ones before in the short count: about seven outcomes count. */
const BURST_KEPT_SHARE = 0.85
/** Before anything is known: as if four requests had gone well and four tenths of one had not. */
const PRIOR_OK = 4
const PRIOR_BAD = 0.4
/**
 * Before anything is known a yes is right 19 times in 20: a filter errs once in a thousand, and a store changes
 * between adverts. It weighs only five observations, so that who claims everything is found out in a handful.
 */
const PRIOR_TRUE = 4.75
const PRIOR_FALSE = 0.25
/** Older claims count less: an honest peer that lost its store, or a liar who was honest first. Count. */
const CLAIMS_WEIGHT_MAX = 100

/** Of a source of which nothing is known. */
export function newFigures(now: Ms): Figures {
  return {
    firstByteMs: null,
    peakMs: 0,
    firstByteAt: 0,
    recentMs: [],
    latencyMs: null,
    logRate: null,
    bandwidth: null,
    ok: 0,
    bad: 0,
    lastOk: 0,
    lastBad: 0,
    countedAt: now,
    claimsTrue: 0,
    claimsFalse: 0,
    yes: 0,
    no: 0,
    samples: 0,
    usedAt: now
  }
}

/** What came first, and when. */
export interface FirstBytes {
  readonly ms: Ms
  /** The first block, all of which came at once; 0 if that is not known. */
  readonly bytes: Bytes
  /** Nothing else passed between the two meanwhile. */
  readonly isAlone: boolean
}

/** Up at once, down within seconds to the mean: a source that turns slow is left with the first answer that shows it. */
export function addFirstByte(figures: Figures, first: FirstBytes, now: Ms): void {
  figures.samples += 1
  if (first.bytes > 0 && first.bytes < BANDWIDTH_BYTES_MIN) addLatency(figures, first.ms, first.isAlone)
  addWait(figures, first.ms, waitOf(figures, first), now)
}

/**
 * The first verified byte comes with its whole block. What the block takes at the rate of the source is transfer and
 * stands in the rate already; counted as waiting too, a thin line nearby would look as slow as one over the sea.
 */
function waitOf({ latencyMs, logRate, bandwidth }: Figures, { ms, bytes }: FirstBytes): Ms {
  if (bytes < BANDWIDTH_BYTES_MIN) return ms
  const rate = logRate === null ? bandwidth : Math.exp(logRate)
  const least = Math.min(ms, latencyMs ?? ms * WAIT_SHARE_MIN)
  if (rate !== null) return Math.max(least, ms - (bytes / rate) * 1000)
  return latencyMs === null ? ms * WAIT_SHARE_UNKNOWN : least
}

/**
 * This node stopped waiting: the first byte would have taken longer than `ms`, nobody knows how much. It counts as
 * `ms` where that is news, that is above what was expected; otherwise it says nothing, so that whoever loses a race
 * quickly is none the worse. Left out altogether, only quick answers would be counted, and a source that never
 * answers would stay as promising as on its first day.
 */
export function addLowerBound(figures: Figures, ms: Ms, expected: Ms, now: Ms): void {
  if (ms > expected) addWait(figures, ms, ms, now)
}

/** @param ms - as this node waited, for percentiles; @param wait - what of it was no transfer */
function addWait(figures: Figures, ms: Ms, wait: Ms, now: Ms): void {
  const fresh = Math.max(FIRST_BYTE_MS_MIN, wait)
  const old = figures.firstByteMs ?? fresh
  const mean = old * (fresh / old) ** ALPHA
  figures.peakMs = Math.max(fresh, mean + peakNow(figures, mean, now))
  figures.firstByteMs = mean
  figures.firstByteAt = now
  figures.recentMs = [...figures.recentMs.slice(1 - FIRST_BYTES_KEPT_MAX), ms]
}

/** Longer than so many milliseconds this node usually does not wait, the first block included. */
export function usualWait(figures: Figures): Ms {
  return firstByteP90(figures) ?? Math.max(0, ...figures.recentMs)
}

/** What is left of the peak above `mean`. */
function peakNow({ peakMs, firstByteAt }: Figures, mean: Ms, now: Ms): Ms {
  return Math.max(0, peakMs - mean) / Math.exp(passed(firstByteAt, now) / PEAK_DECAY_MS)
}

/** The time to the first byte as it is now. The mean goes half of the way to `usual`, in factors, for each half-life of silence. */
export function firstByteNow(figures: Figures, usual: Ms | null, now: Ms): Ms | null {
  const { firstByteMs, firstByteAt } = figures
  if (firstByteMs === null) return null
  const mean = usual === null ? firstByteMs : usual * (firstByteMs / usual) ** halved(passed(firstByteAt, now), IDLE_HALF_LIFE_MS)
  return mean + peakNow(figures, firstByteMs, now)
}

export function firstByteP90({ recentMs }: Figures): Ms | null {
  if (recentMs.length < FIRST_BYTES_FOR_P90_MIN) return null
  return recentMs.toSorted((a, b) => a - b)[Math.ceil(recentMs.length * 0.9) - 1] ?? null
}

/** @param isIdle - nothing else passed between the two; else it waited for that, and says only that a round trip takes no longer */
export function addLatency(figures: Figures, ms: Ms, isIdle: boolean): void {
  if (!isIdle && (figures.latencyMs === null || ms >= figures.latencyMs)) return
  figures.latencyMs = mixed(figures.latencyMs, ms)
}

export interface Transfer {
  readonly bytes: Bytes
  /** Of the block that was on its way when it was cut short. */
  readonly awaited?: Bytes
  /** Since the request was sent. */
  readonly totalMs: Ms
  /** Until the first verified byte. */
  readonly firstByteMs: Ms
}

/**
 * The first verified byte comes with its whole block, so that the time after it leaves out the first block and is
 * nothing at all for a content of one: what counts is the time less one round trip, if that is more. Of a block that was
 * on its way something may have come: what is known of the source stands, unless this shows it to be faster or slower.
 */
export function addTransfer(figures: Figures, { bytes, awaited = 0, totalMs, firstByteMs }: Transfer): void {
  const seconds = Math.max(TRANSFER_MS_MIN, totalMs - firstByteMs, totalMs - (figures.latencyMs ?? 0)) / 1000
  const [least, most] = [bytes / seconds, (bytes + awaited) / seconds]
  if (bytes >= BANDWIDTH_BYTES_MIN) figures.bandwidth = mixed(figures.bandwidth, least)
  if (bytes + awaited < RATE_BYTES_MIN) return
  const known = figures.logRate === null ? RATE_UNKNOWN : Math.exp(figures.logRate)
  if (bytes < RATE_BYTES_MIN && most >= known) return // it shows nothing
  const rate = awaited === 0 ? least : Math.min(most, Math.max(least, known))
  figures.logRate = mixed(figures.logRate, Math.log(rate))
}

export function addOutcome(figures: Figures, isFault: boolean, now: Ms): void {
  const faded = halved(passed(figures.countedAt, now), FAULT_HALF_LIFE_MS)
  const kept = burstKept(figures, now) * BURST_KEPT_SHARE
  figures.ok = figures.ok * faded + (isFault ? 0 : 1)
  figures.bad = figures.bad * faded + (isFault ? 1 : 0)
  figures.lastOk = figures.lastOk * kept + (isFault ? 0 : 1)
  figures.lastBad = figures.lastBad * kept + (isFault ? 1 : 0)
  figures.countedAt = now
}

/** The worse of the day and of the last few: in a long record a burst of failures would hardly show. */
export function failShare(figures: Figures, now: Ms): number {
  const faded = halved(passed(figures.countedAt, now), FAULT_HALF_LIFE_MS)
  const kept = burstKept(figures, now)
  return Math.max(
    share(figures.bad * faded + PRIOR_BAD, figures.ok * faded + PRIOR_OK),
    share(figures.lastBad * kept + PRIOR_BAD, figures.lastOk * kept + PRIOR_OK)
  )
}

function burstKept({ countedAt }: Figures, now: Ms): number {
  return halved(passed(countedAt, now), BURST_HALF_LIFE_MS)
}

export function addClaim(figures: Figures, hit: boolean): void {
  const kept = Math.min(1, CLAIMS_WEIGHT_MAX / (figures.claimsTrue + figures.claimsFalse + 1))
  figures.claimsTrue = figures.claimsTrue * kept + (hit ? 1 : 0)
  figures.claimsFalse = figures.claimsFalse * kept + (hit ? 0 : 1)
  if (hit) figures.yes += 1
  else figures.no += 1
}

/** What a yes is worth. */
export function precision({ claimsTrue, claimsFalse }: Figures): number {
  return share(claimsTrue + PRIOR_TRUE, claimsFalse + PRIOR_FALSE)
}

function mixed(old: number | null, fresh: number): number {
  return old === null ? fresh : old + ALPHA * (fresh - old)
}

function share(part: number, other: number): number {
  return part / (part + other)
}

function passed(since: Ms, now: Ms): Ms {
  return Math.max(0, now - since)
}

/** What `halfLife` leaves of 1 after `ms`. */
function halved(ms: Ms, halfLife: Ms): number {
  return 0.5 ** (ms / halfLife)
}

/** Figures as stored; what is not understood is measured anew, for nothing depends on it but speed. */
export function readFigures(stored: unknown): Figures {
  const fresh = newFigures(0)
  if (typeof stored !== 'object' || stored === null) return fresh
  const found = new Map<string, unknown>(Object.entries(stored))
  const number = (name: keyof Figures): number => asNumber(found.get(name)) ?? 0
  const recent = found.get('recentMs')
  return {
    firstByteMs: asNumber(found.get('firstByteMs')),
    peakMs: number('peakMs'),
    firstByteAt: number('firstByteAt'),
    recentMs: Array.isArray(recent) ? recent.flatMap(ms => asNumber(ms) ?? []).slice(-FIRST_BYTES_KEPT_MAX) : [],
    latencyMs: asNumber(found.get('latencyMs')),
    logRate: asNumber(found.get('logRate')),
    bandwidth: asNumber(found.get('bandwidth')),
    ok: number('ok'),
    bad: number('bad'),
    lastOk: number('lastOk'),
    lastBad: number('lastBad'),
    countedAt: number('countedAt'),
    claimsTrue: number('claimsTrue'),
    claimsFalse: number('claimsFalse'),
    yes: number('yes'),
    no: number('no'),
    samples: number('samples'),
    usedAt: number('usedAt')
  }
}

function asNumber(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null
}
