/** Stages, outcomes and attempts: the vocabulary of a retrieval, shared by results, errors and events. */
import type { Bytes, Ms } from './units.ts'

export type Stage = 'local' | 'peer' | 'proxy' | 'ipfs' | 'gateway'
/** The stages a caller may name in `preferredSources`. */
export type PreferredSource = 'peer' | 'ipfs' | 'gateway'
export const PREFERRED_SOURCES: readonly PreferredSource[] = ['peer', 'ipfs', 'gateway']

/** Only `fault`, `timeout` and `corrupt` count against a source. */
export type Outcome = 'ok' | 'not-found' | 'refused' | 'timeout' | 'cancelled' | 'fault' | 'corrupt' | 'skipped'
export type SkipReason = 'no-cid' | 'not-public' | 'not-allowed' | 'off' | 'unhealthy'

/** Who served or was asked. */
export interface SourceId {
  readonly stage: Stage
  readonly peer?: string
  readonly did?: string
  readonly url?: string
}

export interface Attempt extends SourceId {
  readonly outcome: Outcome
  readonly ms: Ms
  /** Verified bytes this source delivered. */
  readonly bytes: Bytes
  readonly reason?: string
}

/** Verified bytes by the stage they came from. */
export type BytesByStage = Record<Stage, Bytes>
