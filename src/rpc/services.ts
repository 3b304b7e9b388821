/**
 * What the RPC table needs of the daemon: one facade a surface, built in daemon.ts. Types only.
 */
import type { HashParam } from '../model/content-id.ts'
import type { PrivacyClass, PrivacyReason, Realm } from '../model/privacy.ts'
import type { Attempt, BytesByStage, PreferredSource, SourceId } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import type { EventBus } from '../observe/events.ts'
import type { HealthCondition } from '../observe/health.ts'
import type { LogLevel } from '../ports/log.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { CapabilityServices, PairingServices, PubsubServices, RelayState, RouteServices, TrustServices } from './services-people.ts'

export type ContentParam = string | HashParam

/** Real paths of folders: only what lies below them may be touched; absent: all. Never taken from a request. */
type Within = readonly string[]

export interface PutParams {
  readonly name?: string
  readonly contentType?: string
  readonly type?: string
  readonly privacy?: PrivacyClass
  readonly pin?: boolean
  /** Name of the access token that puts; absent: the operator. Never taken from a request. */
  readonly by?: string
}

export interface PutEntry {
  /** Relative path with `/`; every segment a safe name. */
  readonly path: string
  /** Either the bytes … */
  readonly data?: Uint8Array
  /** … or a file of this machine. */
  readonly file?: string
}

/** What is put: bytes in memory or as a stream, a path of this machine (file or directory), or a tree of entries. */
export type PutSource =
  | { readonly bytes: Uint8Array }
  | { readonly stream: AsyncIterable<Uint8Array> }
  | { readonly path: string }
  | { readonly entries: readonly PutEntry[] }

export interface PutResult {
  readonly cid: string
  readonly uri: string
  readonly sha256?: string
  readonly size: Bytes
  readonly blocks: number
  readonly newBlocks: number
  readonly privacy: PrivacyClass
  readonly pinned: boolean
  /** Paths left out of a directory (symbolic links, sockets, devices), if any. */
  readonly skipped?: readonly string[]
}

export interface GetParams {
  readonly content: ContentParam
  readonly offset?: Bytes
  readonly length?: Bytes
  readonly preferredSources?: readonly PreferredSource[]
  /** Seconds the search may last, 1–300; default 30. */
  readonly ttl?: number
  /** Seconds the whole call may last. */
  readonly deadline?: number
  readonly hops?: 0 | 1
  readonly metadata?: { readonly privacy?: PrivacyClass; readonly size?: Bytes; readonly contentType?: string }
  /** Name of the access token that asks; absent: the operator. Never taken from a request. */
  readonly by?: string
}

export interface GetReport {
  readonly cid: string
  readonly sha256?: string
  readonly size: Bytes
  readonly source: SourceId
  readonly bytes: BytesByStage
  readonly attempts: readonly Attempt[]
  readonly ms: Ms
  readonly firstByteMs: Ms
}

/** Bytes small enough for a JSON answer, read only when the client has room for them. */
export interface InlineData {
  readonly size: Bytes
  read(): Promise<Uint8Array>
}

export interface Progress {
  readonly bytes: Bytes
  readonly total?: Bytes
  readonly source?: SourceId
}

export interface ProgressOptions extends AbortOptions {
  readonly onProgress?: (progress: Progress) => void
}

/** An opened content: its facts are known and verified bytes are at hand or on their way. */
export interface OpenedContent {
  readonly cid: string
  readonly kind: 'file' | 'directory'
  readonly size: Bytes
  readonly contentType?: string
  readonly name?: string
  /** Verified bytes in order, from `offset` (default 0), at most `length`. Files only. A source that fails rejects mid-way. */
  read(range: { readonly offset?: Bytes; readonly length?: Bytes }, options: AbortOptions): AsyncIterable<Uint8Array>
  /** What it took until now: who served the first verified bytes, who was asked, how long. Shown to streaming clients. */
  report?(): GetReport
  /** Gives up whatever is still under way for this handle. */
  close(): void
}

export interface StatResult {
  readonly cid: string
  readonly uri: string
  readonly sha256?: string
  readonly size: Bytes
  readonly blocks: number
  readonly localBlocks: number
  readonly privacy: PrivacyClass
  readonly pinned: boolean
  readonly name?: string
  readonly contentType?: string
  readonly type?: string
  readonly createdAt: string
  readonly lastAccess: string
}

export interface VerifyResult {
  readonly checkedBlocks: number
  /** Present, but not the bytes of their address: set aside by this or an earlier check. */
  readonly corrupt: readonly string[]
  /** Named by a recorded content and not here. */
  readonly missing: readonly string[]
  /** Of those, fetched again and stored. */
  readonly repaired: number
}

export interface CarResult {
  readonly roots: readonly string[]
  readonly blocks: number
  readonly bytes: Bytes
}

export interface ContentServices {
  put(source: PutSource, params: PutParams & { readonly within?: Within }, options: ProgressOptions): Promise<PutResult>
  /** `data` up to 4 MiB when no path is given; with `path` the file or tree is written there (new, never overwritten). */
  get(
    params: GetParams & { readonly path?: string; readonly within?: Within },
    options: ProgressOptions
  ): Promise<GetReport & { readonly data?: InlineData; readonly path?: string; readonly skipped?: readonly string[] }>
  /** For HTTP and streaming clients. Throws IS_DIRECTORY never: the caller looks at `kind`. */
  open(params: GetParams, options: ProgressOptions): Promise<OpenedContent>
  stat(content: ContentParam, options?: AbortOptions): Promise<StatResult>
  has(content: ContentParam, options?: AbortOptions): Promise<{ local: boolean }>
  ls(
    content: ContentParam,
    options: AbortOptions
  ): Promise<{ entries: { name: string; cid: string; type: 'file' | 'directory' | 'symlink'; size: Bytes }[] }>
  list(params: {
    readonly cursor?: string
    readonly limit?: number
    readonly privacy?: PrivacyClass
    readonly type?: string
  }): Promise<{ items: StatResult[]; cursor?: string }>
  /** One content, or every block of every realm. */
  verify(params: { readonly content?: ContentParam; readonly repair?: boolean }, options: ProgressOptions): Promise<VerifyResult>
  /** Writes the whole DAG as CARv1 to a new file of this machine. */
  export(
    params: { readonly content: ContentParam; readonly path: string; readonly within?: Within },
    options: ProgressOptions
  ): Promise<CarResult>
  /** Reads CARv1 or v2 of this machine; every root becomes a content here. */
  import(
    params: { readonly path: string; readonly privacy?: PrivacyClass; readonly by?: string; readonly within?: Within },
    options: ProgressOptions
  ): Promise<CarResult>
  /** Addresses to hand out; refused unless public. */
  link(params: {
    readonly content: ContentParam
    readonly filename?: string
    readonly download?: boolean
  }): Promise<{ uri: string; gateways: readonly string[] }>
  rm(params: { readonly content: ContentParam; readonly force?: boolean }): Promise<{ removed: boolean }>
  privacy(
    content: ContentParam
  ): Promise<{ public: boolean; class: PrivacyClass; reason: PrivacyReason; toldTo: { when: string; who: string; what: string }[] }>
}

export interface PeerInfo {
  readonly peerId: string
  readonly did: string
  /** What the operator calls it. */
  readonly name?: string
  readonly addresses: readonly string[]
  readonly connected: boolean
  readonly via?: 'direct' | 'relayed'
  readonly access: number
  readonly trust: number
  readonly latencyMs: Ms | null
  readonly bandwidthBytesPerSecond: number | null
  readonly hasIpfs: boolean
  readonly advert?: { readonly seq: number; readonly ageSeconds: number; readonly count: number; readonly precision: number | null }
  /** Requests, bytes and offences, counted by name. */
  readonly ledger: Readonly<Record<string, number>>
  /** What an operator should know of it: why it is neither asked nor served. */
  readonly note?: string
}

export interface PeerServices {
  list(params: { readonly cursor?: string; readonly limit?: number }): Promise<{ items: PeerInfo[]; cursor?: string }>
  connect(address: string, options: AbortOptions): Promise<{ peerId: string; did: string; address: string }>
  /** `peer` is a PeerId or a DID. */
  disconnect(peer: string): Promise<Record<string, never>>
  ping(peer: string, options: AbortOptions): Promise<{ latencyMs: Ms }>
}

export interface AdvertInfo {
  readonly did: string
  readonly peerId: string
  readonly seq: number
  readonly issuedAt: string
  readonly expires: string
  readonly count: number
  readonly truncated: boolean
  readonly ipfsNode: { readonly enabled: boolean; readonly type: string }
}

export interface NodeServices {
  status(): Promise<NodeStatus>
  health(): Promise<NodeHealth>
  version(): { version: string; api: string; node: string }
  /** Answers first, stops after. */
  shutdown(): void
  /** The configuration in force, secrets masked. */
  config(): Readonly<Record<string, unknown>>
  /** Until the next restart. */
  setLogLevel(level: LogLevel): void
}

export interface NodeStatus {
  readonly version: string
  readonly peerId: string
  readonly did: string
  /** DIDs that speak for this node; absent: none. */
  readonly bindings?: readonly { readonly did: string; readonly expires: string }[]
  readonly addresses: readonly string[]
  readonly uptimeSeconds: number
  readonly swarms: readonly { name: string; peers: number }[]
  readonly ipfs: {
    readonly type: string
    readonly healthy: boolean
    readonly connected: boolean
    readonly totalNodes: number
    readonly gatewayNodes: number
    readonly primaryNode: string | null
    readonly nodes: readonly {
      url: string
      type: string
      healthy: boolean
      lastCheck: string | null
      responseTime: number | null
      error?: string
    }[]
  }
  readonly store: Readonly<Record<Realm, { readonly blocks: number; readonly bytes: Bytes }>>
  readonly health: readonly HealthCondition[]
  readonly memory: { readonly rssBytes: Bytes }
  /** Relays among one's own people. */
  readonly relay?: RelayState
}

export interface NodeHealth {
  readonly status: 'healthy' | 'degraded' | 'unhealthy'
  readonly nodes: { readonly total: number; readonly healthy: number; readonly unhealthy: number }
  readonly performance: { readonly avg_response_time: number; readonly cache_hit_rate: number; readonly operations_per_second: number }
}

/** Everything the method table can reach. */
export interface Services {
  readonly content: ContentServices
  readonly peers: PeerServices
  readonly adverts: { list(): Promise<{ items: AdvertInfo[] }> }
  readonly capabilities: CapabilityServices
  readonly trust: TrustServices
  readonly pairing: PairingServices
  readonly route: RouteServices
  readonly pubsub: PubsubServices
  readonly node: NodeServices
  readonly events: EventBus
}
