/**
 * A place outside Kith that gives single blocks by CID: IPFS or a gateway. What it returns is NOT believed;
 * the caller verifies. Contract for every adapter, checked by test/conformance/block-source.
 */
import type { CID } from 'multiformats/cid'
import type { SkipReason } from '../model/source.ts'
import type { Ms } from '../model/units.ts'
import type { AbortOptions } from './options.ts'

export interface SearchOptions extends AbortOptions {
  /** How long the search may still last: no attempt is begun that could only end after it. Milliseconds. */
  readonly remaining?: () => Ms
}

/** One retrieval's use of a source. */
export interface BlockSession {
  /**
   * Bytes claimed to be the block. Rejects with {@link SourceError}, or with the signal's reason when the caller gave up.
   * Several calls may be in flight, at most `concurrency` of them.
   */
  get(cid: CID, options: SearchOptions): Promise<Uint8Array>
  /**
   * Everything below `root` in one answer (a CAR): each block is given to `take` as it arrives, parents before their
   * children, and the next one waits for it. Blocks nobody asked for, doubled ones and gaps are the caller's to judge.
   * Resolves at the end of the answer, complete or not. Rejects like {@link get}, and with whatever `take` rejects with.
   * Absent: the source gives single blocks only.
   */
  dag?(root: CID, take: (cid: CID, bytes: Uint8Array) => Promise<void>, options: SearchOptions): Promise<void>
  close(): void
}

export interface BlockSource {
  readonly stage: 'ipfs' | 'gateway'
  /** Set for a gateway. */
  readonly url?: string
  /** How many `get` calls a session may have in flight. */
  readonly concurrency: number
  /** Undefined if it can be asked now, else why not. */
  unavailable(): SkipReason | undefined
  /** `root` is the content the blocks belong to; implementations may look for providers of it once. */
  open(root: CID): BlockSession
  /** What it delivered did not hash to its address: the source stays away from being asked for a while. */
  report?(outcome: 'corrupt'): void
}

/** Why a source did not deliver. Only `fault`, `timeout` and `corrupt` count against it. */
export class SourceError extends Error {
  readonly outcome: 'not-found' | 'refused' | 'timeout' | 'fault' | 'corrupt'
  constructor(outcome: SourceError['outcome'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SourceError'
    this.outcome = outcome
  }
}
