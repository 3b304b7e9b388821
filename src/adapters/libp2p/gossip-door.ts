/**
 * The door in front of gossipsub: what a peer sends passes here before anything is done with it. Bounds what one peer
 * may send, whatever it is; holds pauses a peer imposes to a sane length; and lets topics in and out while the host
 * runs, which the package does not: it keeps its topics in a private set made once, and forgets who listens to others.
 * What is not public API of the package is reached through this file only. In memory only.
 */
import type { GossipSub } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'
import { equals } from 'uint8arrays'
import { KeyedBuckets } from '../../lib/keyed-buckets.ts'
import { isAppTopic } from '../../model/topic.ts'
import { KIB, type Bytes, type Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'

/** Topics of apps remembered of one peer, of which this node may join one later. */
const PEER_TOPICS_MAX = 64
/** A message costs the source one token for each of these it begins; so do ten small ones cost as much as one large. */
const COST_UNIT: Bytes = 4 * KIB
/**
 * What one peer may pass on: 1 MiB or 256 messages a second, sixteen times that at once. A net of 500 nodes that starts
 * sends each its first advert through the same few relays: some 8 MiB.
 */
const SOURCE_BURST = 4096
const SOURCE_PER_SECOND = 256
/** Sources remembered: more than can be connected, so that coming back does not fill a bucket. */
const SOURCES_MAX = 4096
/** An Ed25519 peer id: the identity multihash of a protobuf of key type and 32 bytes; and that protobuf. */
const ED25519_ID_BYTES: Bytes = 38
const ED25519_ID_START: readonly number[] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20]
const KEY_BYTES_MAX: Bytes = 36
/** Between two reports of one flooding peer. */
const REPORT_EVERY: Ms = 60_000
/**
 * Longest pause that a PRUNE can ask for: ten times the usual minute. The largest number the wire can carry would be
 * kept for ever, one for each identity that sends it.
 */
const BACKOFF_SECONDS_MAX = 600

export interface GossipDoorComponents {
  readonly pubsub: GossipSub
  readonly clock: Clock
}

export interface GossipDoorInit {
  /** Told of a peer that signs and sends more than it may; at most once a minute for each. */
  readonly onFlood: (peer: string) => void
}

/** A frame as the package has read it; only what is looked at here. */
interface Rpc {
  subscriptions: readonly { readonly topic?: string; readonly subscribe?: boolean }[]
  messages: readonly { readonly topic: string; readonly from?: Uint8Array; readonly data?: Uint8Array; readonly key?: Uint8Array }[]
  control?: { readonly prune?: readonly { backoff?: number }[] }
}

type Handle = (from: PeerId, rpc: Rpc) => Promise<void>

interface Listener {
  readonly peer: PeerId
  readonly topics: Set<string>
}

export class GossipDoor {
  readonly #onFlood: (peer: string) => void
  readonly #carried: Set<unknown>
  readonly #pass: Handle
  readonly #listeners = new Map<string, Listener>()
  readonly #sources: KeyedBuckets
  readonly #reports: KeyedBuckets

  /** @throws Error when the installed package has another shape */
  constructor({ pubsub, clock }: GossipDoorComponents, { onFlood }: GossipDoorInit) {
    this.#onFlood = onFlood
    this.#carried = carriedTopics(pubsub)
    this.#pass = handlerOf(pubsub)
    this.#sources = new KeyedBuckets({ clock }, { capacity: SOURCE_BURST, perSecond: SOURCE_PER_SECOND, keysMax: SOURCES_MAX })
    this.#reports = new KeyedBuckets({ clock }, { capacity: 1, perSecond: 1000 / REPORT_EVERY, keysMax: SOURCES_MAX })
    const handle: Handle = async (from, rpc) => {
      this.#look(from, rpc)
      await this.#pass(from, rpc)
    }
    Reflect.set(pubsub, 'handleReceivedRpc', handle)
  }

  /** From now on the topic is tracked and carried; who is known to listen to it is told to gossipsub. */
  open(topic: string): void {
    if (this.#carried.has(topic)) return
    this.#carried.add(topic)
    this.#replay(topic, true)
  }

  /** Nothing of the topic stays. */
  close(topic: string): void {
    if (!this.#carried.has(topic)) return
    this.#replay(topic, false)
    this.#carried.delete(topic)
  }

  /** To be called when a peer is gone. */
  forget(peer: string): void {
    this.#listeners.delete(peer)
  }

  #replay(topic: string, subscribe: boolean): void {
    for (const { peer, topics } of this.#listeners.values()) {
      // It runs to its end before it returns: it waits for nobody when there are no messages.
      if (topics.has(topic)) this.#pass(peer, { subscriptions: [{ topic, subscribe }], messages: [] }).catch(() => {})
    }
  }

  #look(from: PeerId, rpc: Rpc): void {
    this.#remember(from, rpc)
    this.#bound(from, rpc)
    for (const prune of rpc.control?.prune ?? []) {
      if (prune.backoff !== undefined && !(prune.backoff <= BACKOFF_SECONDS_MAX)) prune.backoff = BACKOFF_SECONDS_MAX
    }
  }

  #remember(peer: PeerId, { subscriptions }: Rpc): void {
    for (const { topic, subscribe } of subscriptions) {
      if (topic === undefined || !isAppTopic(topic)) continue
      const listener = this.#listeners.get(peer.toString()) ?? { peer, topics: new Set() }
      if (subscribe !== true) listener.topics.delete(topic)
      else if (listener.topics.size < PEER_TOPICS_MAX) listener.topics.add(topic)
      if (listener.topics.size > 0) this.#listeners.set(peer.toString(), listener)
      else this.#listeners.delete(peer.toString())
    }
  }

  /**
   * Before a signature is checked: that is what costs. Only for what it signed itself is a source told on: an honest
   * relay passes on what others send it, too much included.
   */
  #bound(peer: PeerId, rpc: Rpc): void {
    const source = peer.toString()
    const self = peer.toMultihash().bytes
    let isOwn = false
    rpc.messages = rpc.messages.filter(({ from, key, data }) => {
      if (!isSmallKey(from, key)) return false
      if (this.#sources.take(source, Math.ceil(Math.max(1, data?.byteLength ?? 0) / COST_UNIT))) return true
      isOwn ||= from !== undefined && equals(from, self)
      return false
    })
    if (isOwn && this.#reports.take(source)) this.#onFlood(source)
  }
}

/** Signed with an Ed25519 key, as every Kith node has: the keys of others can be made to cost a second each. */
function isSmallKey(from: Uint8Array | undefined, key: Uint8Array | undefined): boolean {
  if (from === undefined || (key?.byteLength ?? 0) > KEY_BYTES_MAX) return false
  return from.byteLength === ED25519_ID_BYTES && ED25519_ID_START.every((byte, at) => from[at] === byte)
}

function carriedTopics(pubsub: GossipSub): Set<unknown> {
  const found: unknown = Reflect.get(pubsub, 'allowedTopics')
  if (found instanceof Set) return found
  throw otherShape()
}

function handlerOf(pubsub: GossipSub): Handle {
  const found: unknown = Reflect.get(pubsub, 'handleReceivedRpc')
  if (typeof found !== 'function') throw otherShape()
  return async (from, rpc) => {
    await Reflect.apply(found, pubsub, [from, rpc])
  }
}

function otherShape(): Error {
  return new Error('the installed @libp2p/gossipsub has another shape than the one this adapter was written for')
}
