/**
 * Open exchange streams by peer. A stream carries one request at a time and is kept for the next: opening one costs
 * a round trip and six times the work of a small request.
 */
import type { Bytes, Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Network } from '../ports/network.ts'
import type { Heard, TurnOptions } from '../ports/exchange.ts'
import type { AbortOptions } from '../ports/options.ts'
import { FrameStream } from './frame-stream.ts'
import { answerLimit } from './limits.ts'
import { EXCHANGE_PROTOCOL } from './protocol.ts'

/** Streams to one peer; it serves no more than four of ours at once. */
const STREAMS_PER_PEER_MAX = 4
/** How many of them may carry content: a `have` must not wait behind gigabytes. */
const CONTENT_STREAMS_MAX = 3
/** Requests that wait for a stream to one peer; more fail at once. */
const WAITING_MAX = 1024
/** An unused stream is closed after this, well before the server's two minutes. */
const IDLE_MAX: Ms = 60_000

export type Weight = 'content' | 'question'

export interface Lease {
  readonly frames: FrameStream
  /** True when the stream served another request before: the peer may have closed it meanwhile. */
  readonly reused: boolean
  /** Back into the pool; only after END. */
  release(): void
  /** Resets the stream. */
  drop(reason: Error): void
}

interface Waiter {
  readonly weight: Weight
  readonly enter: () => void
}

interface Idle {
  readonly frames: FrameStream
  readonly cancel: () => void
}

interface PeerStreams {
  readonly idle: Set<Idle>
  readonly waiting: Set<Waiter>
  leased: number
  content: number
  heard: Heard
}

const NOTHING_HEARD: Heard = { bytes: 0, at: -Infinity }

interface StreamPoolComponents {
  readonly network: Network
  readonly clock: Clock
  readonly log: Log
}

export class StreamPool {
  readonly #parts: StreamPoolComponents
  readonly #peers = new Map<string, PeerStreams>()

  constructor(components: StreamPoolComponents) {
    this.#parts = components
  }

  /** What came on streams to the peer, as long as there are any. */
  heard(peer: string): Heard {
    return this.#peers.get(peer)?.heard ?? NOTHING_HEARD
  }

  /** Waits for a place and gives an idle stream, or opens one. @throws UNAVAILABLE · the signal's reason */
  async acquire(peer: string, weight: Weight, options: AbortOptions & TurnOptions): Promise<Lease> {
    const streams = this.#streamsOf(peer)
    await enter(streams, weight, options)
    options.onPlace?.()
    const [idle] = streams.idle
    if (idle !== undefined) {
      streams.idle.delete(idle)
      idle.cancel()
      return this.#lease(peer, streams, weight, idle.frames, true)
    }
    try {
      const stream = await this.#parts.network.open(peer, EXCHANGE_PROTOCOL, options)
      const frames = new FrameStream(stream, answerLimit, bytes => this.#hear(streams, bytes))
      return this.#lease(peer, streams, weight, frames, false)
    } catch (error) {
      this.#leave(peer, streams, weight)
      throw error
    }
  }

  /** Drops every unused stream to the peer: one of them turned out to be dead. */
  discardIdle(peer: string): void {
    for (const idle of this.#peers.get(peer)?.idle ?? []) this.#discard(peer, idle, new Error('the stream may be dead'))
  }

  #hear(streams: PeerStreams, bytes: Bytes): void {
    streams.heard = { bytes: streams.heard.bytes + bytes, at: this.#parts.clock.monotonic() }
  }

  #lease(peer: string, streams: PeerStreams, weight: Weight, frames: FrameStream, reused: boolean): Lease {
    return {
      frames,
      reused,
      release: () => {
        this.#keep(peer, streams, frames)
        this.#leave(peer, streams, weight)
      },
      drop: reason => {
        frames.stream.abort(reason)
        this.#leave(peer, streams, weight)
      }
    }
  }

  #keep(peer: string, streams: PeerStreams, frames: FrameStream): void {
    const idle: Idle = {
      frames,
      cancel: this.#parts.clock.after(IDLE_MAX, () => {
        this.#discard(peer, idle, new Error('the stream was not used'))
      })
    }
    streams.idle.add(idle)
    void frames.arrival().then(what => {
      if (!streams.idle.has(idle)) return
      if (what === 'bytes') this.#parts.log.debug({ peer }, 'a peer sent bytes nobody asked for')
      this.#discard(peer, idle, new Error('nothing was asked on this stream'))
    })
  }

  #discard(peer: string, idle: Idle, reason: Error): void {
    const streams = this.#peers.get(peer)
    idle.cancel()
    streams?.idle.delete(idle)
    idle.frames.stream.abort(reason)
    if (streams !== undefined) this.#forgetWhenUnused(peer, streams)
  }

  #streamsOf(peer: string): PeerStreams {
    let streams = this.#peers.get(peer)
    if (streams === undefined) {
      streams = { idle: new Set(), waiting: new Set(), leased: 0, content: 0, heard: NOTHING_HEARD }
      this.#peers.set(peer, streams)
    }
    return streams
  }

  #leave(peer: string, streams: PeerStreams, weight: Weight): void {
    streams.leased--
    if (weight === 'content') streams.content--
    for (const waiter of streams.waiting) {
      if (!hasRoom(streams, waiter.weight)) continue
      streams.waiting.delete(waiter)
      take(streams, waiter.weight)
      waiter.enter()
    }
    this.#forgetWhenUnused(peer, streams)
  }

  #forgetWhenUnused(peer: string, streams: PeerStreams): void {
    if (streams.leased === 0 && streams.idle.size === 0 && streams.waiting.size === 0) this.#peers.delete(peer)
  }
}

function hasRoom(streams: PeerStreams, weight: Weight): boolean {
  return streams.leased < STREAMS_PER_PEER_MAX && (weight === 'question' || streams.content < CONTENT_STREAMS_MAX)
}

function take(streams: PeerStreams, weight: Weight): void {
  streams.leased++
  if (weight === 'content') streams.content++
}

async function enter(streams: PeerStreams, weight: Weight, { signal, onQueued }: AbortOptions & TurnOptions): Promise<void> {
  signal?.throwIfAborted()
  if (hasRoom(streams, weight)) {
    take(streams, weight)
    return
  }
  if (streams.waiting.size >= WAITING_MAX) throw new Error(`${WAITING_MAX} requests already wait for a stream to this peer`)
  onQueued?.()
  await new Promise<void>((resolve, reject) => {
    const waiter: Waiter = {
      weight,
      enter: () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
    }
    const onAbort = (): void => {
      streams.waiting.delete(waiter)
      reject(signal?.reason)
    }
    streams.waiting.add(waiter)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
