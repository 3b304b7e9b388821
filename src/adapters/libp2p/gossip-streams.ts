/**
 * The streams gossipsub writes to: one a peer, for as long as it is connected. The package lets libp2p end a stream that
 * a slow peer does not take from, and opens none in place of one that ended, so that both would be silent to each other
 * until they meet anew. Here messages to who is slow are dropped, and a stream that ended is opened again.
 * What is not public API of the package is reached through this file and the door only. In memory only.
 */
import type { GossipSub } from '@libp2p/gossipsub'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { KIB, MIB, type Bytes, type Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import { OUTBOUND_BYTES_MAX } from './gossip-service.ts'

/** Frames up to this are subscriptions and control, seldom messages: they may use all the room there is. */
const SMALL_BYTES_MAX: Bytes = 4 * KIB
/** Of that room, what larger frames leave to small ones. */
const KEPT_FOR_SMALL: Bytes = MIB
/** From the end of a stream to opening the next; doubled each time, for a peer may end them on purpose. */
const REOPEN_AFTER: Ms = 1000
const REOPEN_AFTER_MAX: Ms = 60_000
/** A stream that lasted so long begins the pauses anew. */
const LASTING: Ms = 60_000

type Create = (peer: PeerId, connection: Connection) => Promise<void>

/** A stream as the package keeps it; only what is used here. */
interface Outbound {
  readonly rawStream: Pick<Stream, 'writeBufferLength' | 'addEventListener'>
  pushPrefixed: (data: Uint8Array) => void
}

export interface GossipStreamsComponents {
  readonly pubsub: GossipSub
  readonly clock: Clock
  /** Open connections to a peer that are no relayed ones. */
  readonly connections: (peer: PeerId) => readonly Connection[]
}

export class GossipStreams {
  readonly #parts: GossipStreamsComponents
  readonly #create: Create
  readonly #outbound: ReadonlyMap<unknown, unknown>
  readonly #guarded = new WeakSet<object>()
  /** Pauses by peer: how long the next one is. */
  readonly #pauses = new Map<string, Ms>()
  /** Peers whose stream is to be opened again: how not to. */
  readonly #waiting = new Map<string, () => void>()

  #stopped = false

  /** @throws Error when the installed package has another shape */
  constructor(components: GossipStreamsComponents) {
    const { pubsub } = components
    this.#parts = components
    this.#outbound = outboundOf(pubsub)
    this.#create = creatorOf(pubsub)
    const create: Create = async (peer, connection) => {
      await this.#create(peer, connection)
      this.#watch(peer)
    }
    Reflect.set(pubsub, 'createOutboundStream', create)
  }

  /** To be called when a peer is gone. */
  forget(peer: string): void {
    this.#waiting.get(peer)?.()
    this.#waiting.delete(peer)
    this.#pauses.delete(peer)
  }

  stop(): void {
    this.#stopped = true
    for (const peer of [...this.#waiting.keys()]) this.forget(peer)
  }

  /** Guards the stream that was opened, or tries again. */
  #watch(peer: PeerId): void {
    const stream = this.#outbound.get(peer.toString())
    if (!isOutbound(stream)) {
      this.#openLater(peer)
      return
    }
    if (this.#guarded.has(stream)) return
    this.#guarded.add(stream)
    guard(stream)
    const { clock } = this.#parts
    const since = clock.monotonic()
    stream.rawStream.addEventListener('close', () => {
      if (clock.monotonic() - since >= LASTING) this.#pauses.delete(peer.toString())
      this.#openLater(peer)
    })
  }

  #openLater(peer: PeerId): void {
    const id = peer.toString()
    if (this.#waiting.has(id) || !this.#isWanted(peer)) return
    const pause = this.#pauses.get(id) ?? REOPEN_AFTER
    this.#pauses.set(id, Math.min(REOPEN_AFTER_MAX, 2 * pause))
    const cancel = this.#parts.clock.after(pause, () => {
      this.#waiting.delete(id)
      void this.#open(peer)
    })
    this.#waiting.set(id, cancel)
  }

  async #open(peer: PeerId): Promise<void> {
    if (!this.#isWanted(peer)) return
    const [connection] = this.#parts.connections(peer)
    // The package takes no offence at a failure, and makes no second stream beside an open one.
    if (connection !== undefined) await this.#create(peer, connection)
    this.#watch(peer)
  }

  /** As long as gossipsub runs and the peer is one of its own; else nothing stays of it here. */
  #isWanted(peer: PeerId): boolean {
    if (!this.#stopped && this.#parts.pubsub.getPeers().some(known => known.equals(peer))) return true
    this.#pauses.delete(peer.toString())
    return false
  }
}

/** The package takes a throw for a message that was not sent, and sends control again. */
function guard(stream: Outbound): void {
  const push = stream.pushPrefixed.bind(stream)
  stream.pushPrefixed = data => {
    const room = OUTBOUND_BYTES_MAX - (data.byteLength > SMALL_BYTES_MAX ? KEPT_FOR_SMALL : 0)
    if (stream.rawStream.writeBufferLength + data.byteLength > room) throw new Error('the peer is slow: what is said now does not reach it')
    push(data)
  }
}

function isOutbound(found: unknown): found is Outbound {
  if (typeof found !== 'object' || found === null || !('rawStream' in found) || !('pushPrefixed' in found)) return false
  const { rawStream, pushPrefixed } = found
  return typeof pushPrefixed === 'function' && typeof rawStream === 'object' && rawStream !== null && 'writeBufferLength' in rawStream
}

function outboundOf(pubsub: GossipSub): ReadonlyMap<unknown, unknown> {
  const found: unknown = Reflect.get(pubsub, 'streamsOutbound')
  if (found instanceof Map) return found
  throw otherShape()
}

function creatorOf(pubsub: GossipSub): Create {
  const found: unknown = Reflect.get(pubsub, 'createOutboundStream')
  if (typeof found !== 'function') throw otherShape()
  return async (peer, connection) => {
    await Reflect.apply(found, pubsub, [peer, connection])
  }
}

function otherShape(): Error {
  return new Error('the installed @libp2p/gossipsub has another shape than the one this adapter was written for')
}
