/** The direct protocol between Kith nodes, as retrieval uses it. Nothing that arrives here is believed yet. */
import type { CID } from 'multiformats/cid'
import type { PrivacyClass } from '../model/privacy.ts'
import type { PreferredSource } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import type { AbortOptions } from './options.ts'

export interface HaveAnswer {
  readonly have: boolean
  /** Root CID, when the question was a content hash the peer knows. */
  readonly cid?: CID
  readonly size?: Bytes
  readonly class?: PrivacyClass
}

/** `[start, count]` in leaf order (src/dag/skeleton.ts); may reach beyond the end. */
export type LeafRange = readonly [start: number, count: number]

export interface DagRequest {
  /** `cid` or `sha256` is set. */
  readonly cid: CID | null
  /** The content that `cid` lies below, where it is asked for by a path: rights are those for this one. */
  readonly root?: CID
  readonly sha256: Uint8Array | null
  /** 16 random bytes, the same for every source of one retrieval. */
  readonly requestId: Uint8Array
  /** Seconds the search may still last. */
  readonly ttl: number
  readonly hops: 0 | 1
  /** What comes is treated as public: a peer that has it as private gives nothing. */
  readonly isPublic?: boolean
  readonly preferredSources?: readonly PreferredSource[]
  /** Skeleton nodes already verified, counted from the root in order: not sent again. */
  readonly skipNodes: number
  /** Leaves wanted, ascending and disjoint; empty: skeleton only; [[0, Infinity]] is spelled 'all'. */
  readonly leaves: 'all' | readonly LeafRange[]
}

export interface DagHead {
  /** Root CID: what was asked, or for a content hash what the peer says it maps to (a claim). */
  readonly cid: CID
  readonly size?: Bytes
  readonly contentType?: string
  readonly name?: string
}

/** Receives an answer in order. A rejection cancels the request; waiting slows the sender down. */
export interface DagSink {
  head(head: DagHead): Promise<void> | void
  /** Next skeleton node, in order from `skipNodes`. `bytes` belongs to the sink. */
  node(index: number, bytes: Uint8Array): Promise<void> | void
  leaf(index: number, bytes: Uint8Array): Promise<void> | void
}

/** How a peer ended an answer. `partial`: it sent what it has, some blocks are missing there. */
export type AnswerEnd = 'ok' | 'partial' | 'not-found' | 'refused'

/** Single blocks below a root. */
export interface BlocksRequest {
  readonly root: CID
  readonly cids: readonly CID[]
  readonly ttl: number
  /** As in {@link DagRequest}, each; 1 for one block only. Absent: 0, and an id of its own. */
  readonly hops?: 0 | 1
  readonly isPublic?: boolean
  readonly requestId?: Uint8Array
  readonly preferredSources?: readonly PreferredSource[]
}

/** A peer serves a few requests of ours at once; further ones wait here, and not for the peer. */
export interface TurnOptions {
  /** Told when all places at the peer are taken by other requests of this node. */
  readonly onQueued?: () => void
  /** Told when a place was had, queued before or not: from then on it is the peer that is waited for. */
  readonly onPlace?: () => void
}

/** What came from a peer, whole frames or not. */
export interface Heard {
  /** On all streams, as far as the network tells; for differences. */
  readonly bytes: Bytes
  /** Monotonic time of the last that belonged to an answer; -Infinity: none. */
  readonly at: Ms
}

export interface AnswerOptions extends AbortOptions, TurnOptions {
  /** Told why an answer was refused or is only a part, if the peer says so: a word such as `busy`, or the limit it names. A claim. */
  readonly onReason?: (reason: string) => void
}

/** All reject with SourceError (fault, timeout) when the stream breaks or the frames are malformed. */
export interface ExchangeClient {
  /** True for a connected peer that speaks the protocol. */
  speaks(peer: string): boolean
  heard(peer: string): Heard
  /** At most 64 multihashes (of root CIDs, or sha2-256 of whole contents), answered in order. */
  have(peer: string, multihashes: readonly Uint8Array[], options: AbortOptions): Promise<HaveAnswer[]>
  dag(peer: string, request: DagRequest, sink: DagSink, options: AnswerOptions): Promise<AnswerEnd>
  /** Single blocks below `root`, at most 256; `index` counts in `cids`; those the peer lacks never arrive (`partial`). */
  blocks(
    peer: string,
    request: BlocksRequest,
    sink: (index: number, bytes: Uint8Array) => Promise<void> | void,
    options: AnswerOptions
  ): Promise<AnswerEnd>
  /** The peer's current signed advert with its whole filter body, encoded as docs/protocol.md says; null if it has none. */
  advert(peer: string, options: AbortOptions): Promise<Uint8Array | null>
  /** What the peer says it can do, signed by it; at most 64 KiB. `refused` where that is not built, `not-found` if it tells us nothing. */
  capabilities(peer: string, options: AbortOptions): Promise<Uint8Array>
}
