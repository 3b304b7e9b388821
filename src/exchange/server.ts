/**
 * Answers other Kith nodes. What a peer may read is decided by the serving policy before anything is looked up;
 * what it may not read and what does not exist are answered alike. Nothing a peer sends makes this throw.
 */
import { startDeadline } from '../lib/deadline.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Network, PeerStream } from '../ports/network.ts'
import type { ServingPolicy } from '../ports/serving.ts'
import { AnswerWriter, PeerGoneError } from './answer-writer.ts'
import { decodeRequest, encodeEnd, type Ask, type End, type ReceivedAsk } from './codec.ts'
import { FrameStream } from './frame-stream.ts'
import { frameParts, ProtocolOffence, type Frame, type OffenceName } from './frames.ts'
import { requestLimit } from './limits.ts'
import { EXCHANGE_PROTOCOL, FRAME } from './protocol.ts'
import { serveDag } from './serve-dag.ts'
import { serveAdvert, serveBlocks, serveHave } from './serve-questions.ts'
import { SkeletonCache } from './skeleton-cache.ts'

/** Answers under way at once, in all: each may hold some 3 MiB. */
const ANSWERS_MAX = 64
/** Answers under way for one peer. */
const ANSWERS_PER_PEER_MAX = 4
/** A stream on which no whole request arrives is closed after this. */
const IDLE_MAX: Ms = 120_000

export interface ExchangeServerComponents {
  readonly network: Network
  readonly policy: ServingPolicy
  readonly clock: Clock
  readonly log: Log
}

export interface ExchangeServerInit {
  readonly answersMax?: number
  readonly answersPerPeerMax?: number
  /** Told of every breach of the protocol, by name. */
  readonly onOffence?: (peer: string, offence: OffenceName) => void
}

export class ExchangeServer {
  readonly #parts: ExchangeServerComponents
  readonly #answersMax: number
  readonly #answersPerPeerMax: number
  readonly #onOffence: (peer: string, offence: OffenceName) => void
  readonly #skeletons = new SkeletonCache()
  readonly #streams = new Set<PeerStream>()
  /** Answers under way by peer. */
  readonly #answers = new Map<string, number>()
  #answersInAll = 0
  #stopped = false

  constructor(components: ExchangeServerComponents, init: ExchangeServerInit = {}) {
    this.#parts = components
    this.#answersMax = init.answersMax ?? ANSWERS_MAX
    this.#answersPerPeerMax = init.answersPerPeerMax ?? ANSWERS_PER_PEER_MAX
    this.#onOffence = init.onOffence ?? (() => {})
  }

  async start(): Promise<void> {
    await this.#parts.network.handle(EXCHANGE_PROTOCOL, async stream => {
      await this.#serve(stream)
    })
  }

  /** Resets every stream: askers go on elsewhere. */
  stop(): void {
    this.#stopped = true
    for (const stream of this.#streams) stream.abort(new Error('this node stops'))
  }

  async #serve(stream: PeerStream): Promise<void> {
    if (this.#stopped) {
      stream.abort(new Error('this node stops'))
      return
    }
    this.#streams.add(stream)
    const frames = new FrameStream(stream, requestLimit)
    try {
      while (await this.#serveOne(frames)) {
        /* one request at a time */
      }
      await stream.close()
    } catch (error) {
      this.#fail(stream, error)
    } finally {
      this.#streams.delete(stream)
    }
  }

  /** False when no further request comes. */
  async #serveOne(frames: FrameStream): Promise<boolean> {
    const frame = await this.#nextRequest(frames)
    if (frame === null) return false
    const ask = decodeRequest(frame.payload)
    if (!frames.isEmpty) throw new ProtocolOffence('unexpected-frame', 'bytes follow a request before its answer')
    await this.#answer(frames, ask)
    return true
  }

  async #nextRequest(frames: FrameStream): Promise<Frame | null> {
    using deadline = startDeadline(this.#parts.clock, IDLE_MAX)
    try {
      return await frames.next({ signal: deadline.signal })
    } catch (error) {
      if (error instanceof ProtocolOffence) throw error
      if (deadline.signal.aborted) return null
      throw new PeerGoneError('the peer reset the stream', { cause: error })
    }
  }

  async #answer(frames: FrameStream, ask: ReceivedAsk): Promise<void> {
    const { stream } = frames
    using watch = watchAsker(frames)
    const out = new AnswerWriter({ stream, clock: this.#parts.clock, signal: watch.signal })
    const end = await this.#admitted(stream.peer, ask, out, watch.signal)
    watch.finish()
    out.add(frameParts(FRAME.END, encodeEnd(end)))
    await out.flush()
  }

  async #admitted(peer: string, ask: ReceivedAsk, out: AnswerWriter, signal: AbortSignal): Promise<End> {
    if (ask.kind === 'unknown') return { status: 'refused', reason: 'unknown-kind' }
    const own = this.#answers.get(peer) ?? 0
    if (this.#answersInAll >= this.#answersMax || own >= this.#answersPerPeerMax) return { status: 'refused', reason: 'busy' }
    this.#answers.set(peer, own + 1)
    this.#answersInAll++
    try {
      return await this.#look(peer, ask, out)
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    } finally {
      this.#answersInAll--
      this.#leave(peer)
    }
  }

  #leave(peer: string): void {
    const left = (this.#answers.get(peer) ?? 1) - 1
    if (left === 0) this.#answers.delete(peer)
    else this.#answers.set(peer, left)
  }

  async #look(peer: string, ask: Ask, out: AnswerWriter): Promise<End> {
    const { policy } = this.#parts
    switch (ask.kind) {
      case 'dag':
        return await serveDag(ask, policy.viewFor(peer), out, this.#skeletons)
      case 'blocks':
        return await serveBlocks(ask, policy.viewFor(peer), out)
      case 'have':
        return await serveHave(ask.multihashes, policy.viewFor(peer), out)
      case 'advert':
        return await serveAdvert(policy.advert(), out)
      case 'capabilities':
        return { status: 'refused', reason: 'not-built' }
    }
  }

  /** Peers come and go and break rules: `debug`. What is left is a store that cannot read: the operator's. */
  #fail(stream: PeerStream, error: unknown): void {
    const { peer } = stream
    const reason = error instanceof Error ? error : new Error(String(error))
    stream.abort(reason)
    if (error instanceof ProtocolOffence) {
      this.#parts.log.debug({ peer, offence: error.offence, err: error }, 'a peer broke the exchange protocol')
      this.#onOffence(peer, error.offence)
    } else if (error instanceof PeerGoneError || this.#stopped) {
      this.#parts.log.debug({ peer, err: error }, 'an exchange stream ended early')
    } else {
      this.#parts.log.warn({ err: error }, 'an answer to a peer failed here')
    }
  }
}

interface Watch extends Disposable {
  /** Aborted when the asker goes away or talks while it is being answered. */
  readonly signal: AbortSignal
  /** From here on the asker may speak: the end of the answer is on its way. */
  finish(): void
}

function watchAsker(frames: FrameStream): Watch {
  const controller = new AbortController()
  let answering = true
  void frames.arrival().then(what => {
    if (!answering) return
    controller.abort(
      what === 'closed'
        ? new PeerGoneError('the peer left before the answer was complete')
        : new ProtocolOffence('unexpected-frame', 'bytes follow a request before its answer')
    )
  })
  const finish = (): void => {
    answering = false
  }
  return { signal: controller.signal, finish, [Symbol.dispose]: finish }
}
