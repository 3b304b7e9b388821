/**
 * Answers other Kith nodes. What a peer may read is decided by the serving policy before anything is looked up;
 * what it may not read and what does not exist are answered alike. Nothing a peer sends makes this throw.
 */
import type { CID } from 'multiformats/cid'
import { startDeadline } from '../lib/deadline.ts'
import { toV1 } from '../model/content-id.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Estimates } from '../ports/estimates.ts'
import type { Log } from '../ports/log.ts'
import type { Proxied, Proxy } from '../ports/proxying.ts'
import type { Network, PeerStream } from '../ports/network.ts'
import type { ServedContent, ServingPolicy } from '../ports/serving.ts'
import type { Standing } from '../ports/standing.ts'
import { AnswerWriter, PeerGoneError } from './answer-writer.ts'
import { Answers, RightsLostError, type AnswersInit } from './answers.ts'
import { decodeRequest, encodeEnd, type Ask, type BlocksAsk, type DagAsk, type End, type ReceivedAsk } from './codec.ts'
import { AskRate } from './ask-rate.ts'
import { FairShare } from './fair-share.ts'
import { FrameStream } from './frame-stream.ts'
import { frameParts, ProtocolOffence, type Frame, type OffenceName } from './frames.ts'
import { requestLimit } from './limits.ts'
import { EXCHANGE_PROTOCOL, FRAME } from './protocol.ts'
import { ProxiedView } from './proxied-view.ts'
import { serveDag } from './serve-dag.ts'
import { serveAdvert, serveBlocks, serveCapabilities, serveHave } from './serve-questions.ts'
import { SkeletonCache } from './skeleton-cache.ts'

/** An advert or capabilities cost as much as so many questions: they are large, or signed for the asker. */
const STATEMENT_COST = 16
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
  readonly estimates?: Pick<Estimates, 'served'> & Partial<Pick<Estimates, 'serving'>>
  /** Fetches from the own IPFS for those who ask with `hops: 1`. Absent: nothing is fetched for others. */
  readonly proxy?: Proxy
}

export interface ExchangeServerInit extends AnswersInit {
  /** Told of every breach of the protocol, by name. */
  readonly onOffence?: (peer: string, offence: OffenceName) => void
}

interface Asker {
  readonly peer: string
  readonly isTrusted: boolean
}

export class ExchangeServer {
  readonly #parts: ExchangeServerComponents
  readonly #onOffence: (peer: string, offence: OffenceName) => void
  readonly #skeletons = new SkeletonCache()
  readonly #streams = new Set<PeerStream>()
  readonly #answers: Answers
  readonly #share: FairShare
  readonly #rate: AskRate
  #unwatch: (() => void) | undefined
  #stopped = false

  constructor(components: ExchangeServerComponents, init: ExchangeServerInit = {}) {
    this.#parts = components
    this.#answers = new Answers(components, init)
    this.#share = new FairShare(components)
    this.#rate = new AskRate(components)
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
    const { clock, standing } = this.#parts
    const isTrusted = standing?.isTrusted(stream.peer) ?? false
    const out = new AnswerWriter({ stream, clock, share: this.#share, isTrusted, signal: watch.signal })
    try {
      const end = await this.#admitted({ peer: stream.peer, isTrusted }, ask, out, watch)
      watch.finish()
      out.add(frameParts(FRAME.END, encodeEnd(end)))
      await out.flush()
    } finally {
      if (out.sentBytes > 0) this.#parts.estimates?.served(stream.peer, out.sentBytes)
    }
  }

  async #admitted(asker: Asker, ask: ReceivedAsk, out: AnswerWriter, watch: Watch): Promise<End> {
    const { peer, isTrusted } = asker
    if (ask.kind === 'unknown') return { status: 'refused', reason: 'unknown-kind' }
    const view = this.#parts.policy.viewFor(peer)
    using place = this.#answers.enter(peer, { view, isTrusted, end: watch.end, writing: () => out.writing() })
    if (place === undefined) return { status: 'refused', reason: 'busy' }
    if (!this.#rate.admits(asker, costOf(ask))) return { status: 'refused', reason: 'rate' }
    if (isQuestion(ask)) this.#rate.charge(asker, costOf(ask))
    using _transfer = isQuestion(ask) ? undefined : this.#parts.estimates?.serving?.(peer)
    try {
      const end = await this.#look(peer, isForPublic(ask) ? (view.open ?? view) : view, ask, out)
      if (!isQuestion(ask) && (end.status === 'not-found' || end.status === 'refused')) this.#rate.charge(asker, costOf(ask))
      return end
    } catch (error) {
      throw watch.signal.aborted ? watch.signal.reason : error
    }
  }

  async #look(peer: string, view: ServedContent, ask: Ask, out: AnswerWriter): Promise<End> {
    const { policy } = this.#parts
    switch (ask.kind) {
      case 'dag':
        return await this.#serveDag(peer, ask.root === undefined ? view : (view.below?.(toV1(ask.root)) ?? view), ask, out)
      case 'blocks':
        return await this.#serveBlocks(peer, view.below?.(toV1(ask.root)) ?? view, ask, out)
      case 'have':
        return await serveHave(ask.multihashes, view, out)
      case 'advert':
        return await serveAdvert(policy.advert(peer), out)
      case 'capabilities':
        if (policy.capabilities === undefined) return { status: 'refused', reason: 'not-built' }
        return serveCapabilities(await policy.capabilities(peer), out)
    }
  }

  /** What the asker may see; behind it, if it asks for that and names a root, the own IPFS. */
  async #serveDag(peer: string, view: ServedContent, ask: DagAsk, out: AnswerWriter): Promise<End> {
    const { cid: root } = ask
    if (root === null || !mayFetch(ask)) return await serveDag(ask, view, out, this.#skeletons)
    return await this.#fetchBehind(peer, view, { ...ask, cid: root }, out, async both => await serveDag(ask, both, out, this.#skeletons))
  }

  /** One block may be asked for behind what the asker sees, as the skeleton of a content may: to follow a path. */
  async #serveBlocks(peer: string, view: ServedContent, ask: BlocksAsk, out: AnswerWriter): Promise<End> {
    const { root, cids } = ask
    const [cid] = cids
    if (cid === undefined || cids.length > 1 || !mayFetch(ask) || ((await view.has(root)) && (await view.has(cid))))
      return await serveBlocks(ask, view, out)
    return await this.#fetchBehind(peer, view, { ...ask, cid }, out, async both => await serveBlocks({ ...ask, root: cid }, both, out))
  }

  async #fetchBehind(
    peer: string,
    view: ServedContent,
    { cid, requestId, ttl }: Pick<Ask, 'requestId' | 'ttl'> & { readonly cid: CID },
    out: AnswerWriter,
    serve: (view: ServedContent) => Promise<End>
  ): Promise<End> {
    const { proxy } = this.#parts
    if (proxy === undefined) return await serve(view)
    const open = async (): Promise<Proxied | undefined> => await proxy.open({ peer, root: toV1(cid), requestId, ttl, view }, out)
    using both = new ProxiedView(view, open)
    const end = await serve(both)
    if (both.limit === undefined || end.status === 'ok') return end
    return { status: end.status === 'not-found' ? 'refused' : end.status, reason: both.limit }
  }

  /** Peers come and go, be it inside a frame, and break rules: `debug`. What is left is a store that cannot read: the operator's. */
  #fail(stream: PeerStream, error: unknown): void {
    const { peer } = stream
    const reason = error instanceof Error ? error : new Error(String(error))
    stream.abort(reason)
    if (error instanceof ProtocolOffence && error.offence !== 'truncated-frame') {
      this.#parts.log.debug({ peer, offence: error.offence, err: error }, 'a peer broke the exchange protocol')
      this.#parts.standing?.report(peer, 'protocol-violation')
      this.#onOffence(peer, error.offence)
    } else if (error instanceof ProtocolOffence || error instanceof PeerGoneError || error instanceof RightsLostError || this.#stopped) {
      this.#parts.log.debug({ peer, err: error }, 'an exchange stream ended early')
    } else {
      this.#parts.log.warn({ err: error }, 'an answer to a peer failed here')
    }
  }
}

/** A list of sources without peers leaves proxies out. */
function mayFetch({ hops, preferredSources }: Pick<Ask, 'hops' | 'preferredSources'>): boolean {
  return hops === 1 && preferredSources?.includes('peer') !== false
}

/** Asks for what others have, or for what it will treat as public: what is private here does not come into it, whoever asks. */
function isForPublic(ask: Ask): boolean {
  return !isQuestion(ask) && (ask.hops === 1 || ask.isPublic === true)
}

/** These are paid for before they are answered, the others only when they brought nothing. */
function isQuestion(ask: Ask): boolean {
  return ask.kind !== 'dag' && ask.kind !== 'blocks'
}

/** In questions of `have`. */
function costOf(ask: Ask): number {
  if (ask.kind === 'have') return ask.multihashes.length
  return ask.kind === 'dag' || ask.kind === 'blocks' ? 1 : STATEMENT_COST
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
