/**
 * Answers other Kith nodes. What a peer may read is decided by the serving policy before anything is looked up;
 * what it may not read and what does not exist are answered alike. Nothing a peer sends makes this throw.
 */
import { startDeadline } from '../lib/deadline.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { Log } from '../ports/log.ts'
import type { Network, PeerStream } from '../ports/network.ts'
import type { ServedContent, ServingPolicy } from '../ports/serving.ts'
import type { Standing } from '../ports/standing.ts'
import { AnswerWriter, PeerGoneError } from './answer-writer.ts'
import { Answers, RightsLostError, type AnswersInit } from './answers.ts'
import { decodeRequest, encodeEnd, type Ask, type End, type ReceivedAsk } from './codec.ts'
import { FrameStream } from './frame-stream.ts'
import { frameParts, ProtocolOffence, type Frame, type OffenceName } from './frames.ts'
import { requestLimit } from './limits.ts'
import { EXCHANGE_PROTOCOL, FRAME } from './protocol.ts'
import { serveDag } from './serve-dag.ts'
import { serveAdvert, serveBlocks, serveHave } from './serve-questions.ts'
import { SkeletonCache } from './skeleton-cache.ts'

/** A stream on which no whole request arrives is closed after this. */
const IDLE_MAX: Ms = 120_000

export interface ExchangeServerComponents {
  readonly network: Pick<Network, 'handle'>
  readonly policy: ServingPolicy
  readonly clock: Clock
  readonly log: Log
  /** Who goes first, and who is told on. Absent: all are strangers. */
  readonly standing?: Pick<Standing, 'isTrusted' | 'report'>
  /** Keeps count of what was served. */
  readonly estimates?: Pick<Estimates, 'served'>
}

export interface ExchangeServerInit extends AnswersInit {
  /** Told of every breach of the protocol, by name. */
  readonly onOffence?: (peer: string, offence: OffenceName) => void
}

export class ExchangeServer {
  readonly #parts: ExchangeServerComponents
  readonly #onOffence: (peer: string, offence: OffenceName) => void
  readonly #skeletons = new SkeletonCache()
  readonly #streams = new Set<PeerStream>()
  readonly #answers: Answers
  #unwatch: (() => void) | undefined
  #stopped = false

  constructor(components: ExchangeServerComponents, init: ExchangeServerInit = {}) {
    this.#parts = components
    this.#answers = new Answers(init)
    this.#onOffence = init.onOffence ?? (() => {})
  }

  async start(): Promise<void> {
    const { policy } = this.#parts
    this.#unwatch = policy.onChange?.(peer => {
      if (this.#answers.isAnswering(peer)) this.#answers.reconsider(peer, policy.viewFor(peer))
    })
    await this.#parts.network.handle(EXCHANGE_PROTOCOL, async stream => {
      await this.#serve(stream)
    })
  }

  /** Resets every stream: askers go on elsewhere. */
  stop(): void {
    this.#stopped = true
    this.#unwatch?.()
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
    try {
      const end = await this.#admitted(stream.peer, ask, out, watch)
      watch.finish()
      out.add(frameParts(FRAME.END, encodeEnd(end)))
      await out.flush()
    } finally {
      if (out.sentBytes > 0) this.#parts.estimates?.served(stream.peer, out.sentBytes)
    }
  }

  async #admitted(peer: string, ask: ReceivedAsk, out: AnswerWriter, watch: Watch): Promise<End> {
    if (ask.kind === 'unknown') return { status: 'refused', reason: 'unknown-kind' }
    const view = this.#parts.policy.viewFor(peer)
    const isTrusted = this.#parts.standing?.isTrusted(peer) ?? false
    using place = this.#answers.enter(peer, { view, isTrusted, end: watch.end })
    if (place === undefined) return { status: 'refused', reason: 'busy' }
    try {
      return await this.#look(peer, view, ask, out)
    } catch (error) {
      throw watch.signal.aborted ? watch.signal.reason : error
    }
  }

  async #look(peer: string, view: ServedContent, ask: Ask, out: AnswerWriter): Promise<End> {
    const { policy } = this.#parts
    switch (ask.kind) {
      case 'dag':
        return await serveDag(ask, view, out, this.#skeletons)
      case 'blocks':
        return await serveBlocks(ask, view, out)
      case 'have':
        return await serveHave(ask.multihashes, view, out)
      case 'advert':
        return await serveAdvert(policy.advert(peer), out)
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
      this.#parts.standing?.report(peer, 'protocol-violation')
      this.#onOffence(peer, error.offence)
    } else if (error instanceof PeerGoneError || error instanceof RightsLostError || this.#stopped) {
      this.#parts.log.debug({ peer, err: error }, 'an exchange stream ended early')
    } else {
      this.#parts.log.warn({ err: error }, 'an answer to a peer failed here')
    }
  }
}

interface Watch extends Disposable {
  /** Aborted when the asker goes away or talks while it is being answered. */
  readonly signal: AbortSignal
  /** Ends the answer early, for another reason. */
  readonly end: (reason: Error) => void
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
  const end = (reason: Error): void => {
    if (answering) controller.abort(reason)
  }
  return { signal: controller.signal, end, finish, [Symbol.dispose]: finish }
}
