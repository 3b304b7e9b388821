/**
 * Asks other Kith nodes. Checks the form of everything that arrives: order, indexes, sizes, nothing uncalled for.
 * It does not hash: bytes handed to a sink are claims until the sink has verified them.
 */
import { concat } from 'uint8arrays'
import { BLOCK_BYTES_MAX } from '../model/block.ts'
import type { Bytes } from '../model/units.ts'
import { SourceError } from '../ports/block-source.ts'
import type { Clock } from '../ports/clock.ts'
import type {
  AnswerEnd,
  AnswerOptions,
  BlocksRequest,
  DagRequest,
  DagSink,
  ExchangeClient as ExchangeClientPort,
  HaveAnswer,
  Heard
} from '../ports/exchange.ts'
import type { Log } from '../ports/log.ts'
import type { Network } from '../ports/network.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Random } from '../ports/random.ts'
import { AnswerReader, StreamEndedError } from './answer-reader.ts'
import { decodeEnd, decodeHave, encodeRequest, type Ask, type End } from './codec.ts'
import { DagAnswer } from './dag-answer.ts'
import { frameParts, ProtocolOffence, readIndexed, type Frame } from './frames.ts'
import { CIDS_MAX, EXCHANGE_PROTOCOL, FRAME, FRAME_BYTES_MAX, HASHES_MAX, RANGES_MAX, TTL_SECONDS_MAX } from './protocol.ts'
import { StreamPool, type Lease, type Weight } from './stream-pool.ts'

/** `ttl` of questions that are not part of a retrieval, seconds. */
const QUESTION_TTL = 30
const REQUEST_ID_BYTES = 16

export interface ExchangeClientComponents {
  readonly network: Network
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly identity: { readonly did: string }
}

export interface ExchangeClientInit {
  /** Largest advert taken, all its frames together. */
  readonly advertBytesMax?: Bytes
}

export class ExchangeClient implements ExchangeClientPort {
  readonly #parts: ExchangeClientComponents
  readonly #pool: StreamPool
  readonly #advertBytesMax: Bytes

  constructor(components: ExchangeClientComponents, init: ExchangeClientInit = {}) {
    this.#parts = components
    this.#pool = new StreamPool(components)
    this.#advertBytesMax = init.advertBytesMax ?? FRAME_BYTES_MAX
  }

  speaks(peer: string): boolean {
    return this.#parts.network.peers().some(connected => connected.peer === peer && connected.protocols.includes(EXCHANGE_PROTOCOL))
  }

  heard(peer: string): Heard {
    const heard = this.#pool.heard(peer)
    return { ...heard, bytes: this.#parts.network.received?.(peer) ?? heard.bytes }
  }

  async have(peer: string, multihashes: readonly Uint8Array[], options: AbortOptions): Promise<HaveAnswer[]> {
    if (multihashes.length === 0) return []
    if (multihashes.length > HASHES_MAX) throw new RangeError(`at most ${HASHES_MAX} questions at once`)
    const ask: Ask = { ...this.#question(), kind: 'have', multihashes }
    return await this.#ask(peer, 'question', ask, options, async answer => {
      const frame = await answer.next()
      if (frame.type === FRAME.END) throw refusal(decodeEnd(frame.payload))
      expectType(frame, FRAME.HAVE)
      const answers = decodeHave(frame.payload, multihashes.length)
      expectOk(await readEnd(answer))
      return answers
    })
  }

  async dag(peer: string, request: DagRequest, sink: DagSink, options: AnswerOptions): Promise<AnswerEnd> {
    if (request.leaves !== 'all' && request.leaves.length > RANGES_MAX) throw new RangeError(`at most ${RANGES_MAX} ranges at once`)
    const { cid, root, sha256, requestId, hops, isPublic, skipNodes, leaves, preferredSources } = request
    const ask: Ask = {
      kind: 'dag',
      requesterId: this.#parts.identity.did,
      requestId,
      ttl: wholeSeconds(request.ttl),
      hops,
      ...(isPublic === undefined ? {} : { isPublic }),
      cid,
      ...(root === undefined ? {} : { root }),
      sha256,
      skipNodes,
      leaves,
      ...(preferredSources === undefined ? {} : { preferredSources })
    }
    return await this.#ask(peer, 'content', ask, options, async answer => {
      const rules = new DagAnswer(request, sink)
      for (;;) {
        const taken = rules.take(await answer.next())
        if (taken instanceof Promise) await taken
        else if (taken !== undefined) return this.#ended(peer, answer, taken, options)
      }
    })
  }

  async blocks(
    peer: string,
    request: BlocksRequest,
    sink: (index: number, bytes: Uint8Array) => Promise<void> | void,
    options: AnswerOptions
  ): Promise<AnswerEnd> {
    if (request.cids.length > CIDS_MAX) throw new RangeError(`at most ${CIDS_MAX} blocks at once`)
    const ask: Ask = { ...this.#question(), ...request, kind: 'blocks', ttl: wholeSeconds(request.ttl) }
    return await this.#ask(peer, 'content', ask, options, async answer => {
      let next = 0
      for (;;) {
        const frame = await answer.next()
        if (frame.type === FRAME.END) return this.#ended(peer, answer, decodeEnd(frame.payload), options)
        expectType(frame, FRAME.BLOCK)
        const { index, bytes } = readIndexed(frame.payload)
        if (index < next || index >= request.cids.length)
          throw new ProtocolOffence('unexpected-frame', `block ${index} was not asked for, or comes out of order`)
        if (bytes.byteLength > BLOCK_BYTES_MAX) throw new ProtocolOffence('oversized-frame', `a block of ${bytes.byteLength} bytes`)
        next = index + 1
        await sink(index, bytes)
      }
    })
  }

  async advert(peer: string, options: AbortOptions): Promise<Uint8Array | null> {
    return await this.#ask(peer, 'question', { ...this.#question(), kind: 'advert' }, options, async answer => {
      const parts: Uint8Array[] = []
      let size = 0
      for (;;) {
        const frame = await answer.next()
        if (frame.type === FRAME.END) return endOfAdvert(this.#finish(answer, decodeEnd(frame.payload)), parts)
        expectType(frame, FRAME.ADVERT)
        size += frame.payload.byteLength
        if (size > this.#advertBytesMax)
          throw new ProtocolOffence('oversized-frame', `an advert of more than ${this.#advertBytesMax} bytes`)
        parts.push(frame.payload)
      }
    })
  }

  async capabilities(peer: string, options: AbortOptions): Promise<Uint8Array> {
    return await this.#ask(peer, 'question', { ...this.#question(), kind: 'capabilities' }, options, async answer => {
      const frame = await answer.next()
      if (frame.type === FRAME.END) throw nothingSaid(this.#finish(answer, decodeEnd(frame.payload)))
      expectType(frame, FRAME.CAPABILITIES)
      expectOk(await readEnd(answer))
      return frame.payload.slice()
    })
  }

  #question(): { requesterId: string; requestId: Uint8Array; ttl: number; hops: 0 } {
    return { requesterId: this.#parts.identity.did, requestId: this.#parts.random.bytes(REQUEST_ID_BYTES), ttl: QUESTION_TTL, hops: 0 }
  }

  /** One request and its answer. A kept stream that turns out dead before its first frame is replaced once. */
  async #ask<T>(peer: string, weight: Weight, ask: Ask, options: AnswerOptions, read: (answer: AnswerReader) => Promise<T>): Promise<T> {
    for (;;) {
      const lease = await this.#acquire(peer, weight, options)
      const answer = new AnswerReader(lease.frames, { clock: this.#parts.clock, heard: () => this.heard(peer).bytes }, options)
      try {
        await send(lease, ask, options)
        const result = await read(answer)
        lease.release()
        return result
      } catch (error) {
        lease.drop(asError(error))
        if (!(lease.reused && error instanceof StreamEndedError && answer.count === 0)) throw asSourceError(error)
        this.#pool.discardIdle(peer)
      }
    }
  }

  async #acquire(peer: string, weight: Weight, options: AnswerOptions): Promise<Lease> {
    try {
      return await this.#pool.acquire(peer, weight, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw new SourceError('fault', asError(error).message, { cause: error })
    }
  }

  #finish(answer: AnswerReader, end: End): End {
    answer.assertFinished()
    return end
  }

  #ended(peer: string, answer: AnswerReader, end: End, { onReason }: AnswerOptions): AnswerEnd {
    this.#finish(answer, end)
    if (end.status === 'refused') this.#parts.log.debug({ peer, reason: end.reason }, 'a peer refused a request')
    if (end.reason !== undefined && isWord(end.reason)) onReason?.(end.reason)
    return end.status
  }
}

async function send(lease: Lease, ask: Ask, options: AbortOptions): Promise<void> {
  try {
    await lease.frames.stream.write(frameParts(FRAME.REQUEST, encodeRequest(ask)), options)
  } catch (error) {
    options.signal?.throwIfAborted()
    throw new StreamEndedError({ cause: error })
  }
}

async function readEnd(answer: AnswerReader): Promise<End> {
  const frame = await answer.next()
  expectType(frame, FRAME.END)
  answer.assertFinished()
  return decodeEnd(frame.payload)
}

function endOfAdvert(end: End, parts: readonly Uint8Array[]): Uint8Array | null {
  if (end.status === 'not-found' && parts.length === 0) return null
  expectOk(end)
  return concat([...parts])
}

function expectType(frame: Frame, type: number): void {
  if (frame.type !== type) throw new ProtocolOffence('unexpected-frame', `a frame of type ${frame.type} where ${type} is expected`)
}

function expectOk(end: End): void {
  if (end.status !== 'ok') throw refusal(end)
}

function refusal(end: End): Error {
  if (end.status === 'refused') return new SourceError('refused', `the peer refused: ${end.reason ?? 'no reason given'}`)
  return new ProtocolOffence('unexpected-frame', `the answer ends as ${end.status}`)
}

function nothingSaid(end: End): Error {
  return end.status === 'not-found' ? new SourceError('not-found', 'the peer tells this node nothing of itself') : refusal(end)
}

/** The peer's offences are its faults; a sink's own errors and the caller's abort pass as they are. */
function asSourceError(error: unknown): unknown {
  return error instanceof ProtocolOffence
    ? new SourceError('fault', `the peer broke the protocol: ${error.message}`, { cause: error })
    : error
}

/** A reason goes to people: nothing in it may look like anything else. */
function isWord(reason: string): boolean {
  return /^[a-z][a-z.-]*$/i.test(reason)
}

function wholeSeconds(ttl: number): number {
  return Math.min(TTL_SECONDS_MAX, Math.max(1, Math.ceil(ttl)))
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
