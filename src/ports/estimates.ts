/**
 * What was measured of each source that is asked: how fast it is, how sure. Only measurements; judgement is the
 * ranking's. Keyed by PeerId for direct peers, `ipfs`, or the URL of a gateway. Durable as figures are: seconds may be lost.
 */
import type { Outcome } from '../model/source.ts'
import type { Bytes, Ms, Rate } from '../model/units.ts'

export interface PeerEstimate {
  /** Time to the first verified byte, without the transfer of its block: peak-EWMA (τ 10 s), drifting to the median of all while idle. Null before the first. Milliseconds. */
  readonly firstByteMs: Ms | null
  /** 90th percentile of recent times to the first byte; null before there are enough of them. */
  readonly firstByteP90Ms: Ms | null
  /** Round trip, EWMA of pings and answers that waited behind no transfer; null before the first. */
  readonly latencyMs: Ms | null
  /** Log-EWMA (α 0.2) of verified transfers of at least 256 KiB; null before the first. */
  readonly rate: Rate | null
  /** EWMA of verified transfers of at least 64 KiB, for the fixed formula; null before the first. */
  readonly bandwidth: Rate | null
  /** Expected share of requests that end in fault, timeout or corrupt, 0–1, with its prior. */
  readonly failShare: number
  /** Share of requests to claimants that did have it, 0–1, with its prior; what an advert's yes is worth. */
  readonly precision: number
  /** True and false yeses seen. */
  readonly hits: { readonly yes: number; readonly no: number }
  /** Requests under way now. */
  readonly inFlight: number
  /** Requests that delivered a first byte, ever. */
  readonly samples: number
}

/** One request under way. Each method at most once; `end` always. */
export interface Measurement {
  /** The first verified bytes arrived, so many at once: a whole block, whose own transfer is not taken for waiting. */
  firstByte(bytes?: Bytes): void
  /**
   * `bytes`: verified bytes of this request; `awaited`: of the block that was on its way when the answer was cut short,
   * so that the source was at most as fast as if it had just come. A miss, a refusal, a cancelled race never count as a fault.
   */
  end(outcome: Outcome, bytes: Bytes, awaited?: Bytes): void
}

/** Counts by name since ever, for `peers.list`: `asked`, `ok`, `not-found`, `refused`, `timeout`, `fault`, `corrupt`, `cancelled`, `bytesReceived`, `bytesSent`, `served`. */
export type LedgerCounts = Readonly<Record<string, number>>

export interface Estimates {
  of(source: string): PeerEstimate
  begin(source: string): Measurement
  /** A round trip was measured, just now. Beside a transfer from or to the peer it waited, and counts only if it is shorter than what is known. */
  latency(peer: string, ms: Ms): void
  /** A peer that claimed a content had it, or not. */
  observeClaim(peer: string, hit: boolean): void
  ledger(peer: string): LedgerCounts
  /** This node sends a content to a peer until that is disposed of. */
  serving(peer: string): Disposable
  /** This node served a peer. */
  served(peer: string, bytes: Bytes): void
}
