/**
 * The main host as the domain sees it: peers, streams, gossip. Peer ids are strings everywhere outside the adapter.
 */
import type { Bytes, Ms } from '../model/units.ts'
import type { AbortOptions } from './options.ts'

/** A byte stream to one authenticated peer. Reads and writes apply back-pressure. */
export interface PeerStream {
  /** Bytes written so far that have left this node. Absent: not known. */
  readonly taken?: Bytes
  readonly peer: string
  /** Next chunk as it arrived; null after the other side closed its end. Rejects when reset. */
  read(options?: AbortOptions): Promise<Uint8Array | null>
  /** Resolves when more may be written. The bytes must not be changed afterwards. Several parts go out back to back. */
  write(parts: readonly Uint8Array[], options?: AbortOptions): Promise<void>
  /** Flushes and ends the own direction. */
  close(options?: AbortOptions): Promise<void>
  /** Drops the stream at once; the other side sees a reset. */
  abort(reason: Error): void
}

export interface ConnectedPeer {
  readonly peer: string
  readonly addresses: readonly string[]
  /** Monotonic time of the oldest open connection. */
  readonly since: Ms
  /** Empty until it is identified. */
  readonly protocols: readonly string[]
  /** False while it has not yet said what it speaks. */
  readonly identified: boolean
  /** True when it is connected through a relay only. */
  readonly relayed: boolean
}

export interface NetworkEvents {
  /** The peer is connected and identified: its protocols are known. */
  connected(peer: string): void
  disconnected(peer: string): void
}

export type StreamHandler = (stream: PeerStream) => Promise<void>

/** What a topic validator says. `reject` costs the relay; `ignore` costs nobody. */
export type Validity = 'accept' | 'ignore' | 'reject'

export interface GossipMessage {
  /** Peer id of the signer (the originator), authenticated by StrictSign. */
  readonly from: string
  /** Peer that passed it on. */
  readonly via: string
  readonly data: Uint8Array
}

export interface Network {
  /** Own peer id. */
  readonly self: string
  /** Own listening multiaddrs, each ending in /p2p/PEERID. */
  addresses(): string[]
  peers(): ConnectedPeer[]
  isConnected(peer: string): boolean
  /** Dials a multiaddr (with or without /p2p/…) and waits until identified. Throws UNAVAILABLE naming the cause. */
  connect(address: string, options?: AbortOptions): Promise<string>
  /** Waits until a connected peer has said what it speaks. Throws UNAVAILABLE if it closes before, or takes too long. */
  identified(peer: string, options?: AbortOptions): Promise<void>
  disconnect(peer: string): Promise<void>
  /** All bytes that have come from the peer, of whatever stream and be it half a message; for differences. Absent: not known. */
  received?(peer: string): Bytes
  /** Round trip. */
  ping(peer: string, options?: AbortOptions): Promise<Ms>
  open(peer: string, protocol: string, options?: AbortOptions): Promise<PeerStream>
  handle(protocol: string, handler: StreamHandler): Promise<void>
  /** Returns the function that takes the listener away. */
  on(events: Partial<NetworkEvents>): () => void
  publish(topic: string, data: Uint8Array): Promise<void>
  /** Joins the topic. `receive` is called for accepted messages of others only. */
  subscribe(topic: string, validate: (message: GossipMessage) => Promise<Validity>, receive: (message: GossipMessage) => void): void
}
