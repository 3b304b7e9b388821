/** An exchange server spoken to byte by byte over streams in memory: what exactly goes over the wire, and when. */
import { decodeEnd, encodeRequest, type Ask } from '../../src/exchange/codec.ts'
import { frameParts, FrameReader } from '../../src/exchange/frames.ts'
import { answerLimit } from '../../src/exchange/limits.ts'
import { FRAME } from '../../src/exchange/protocol.ts'
import { ExchangeServer, type ExchangeServerComponents, type ExchangeServerInit } from '../../src/exchange/server.ts'
import { abortable } from '../../src/lib/deadline.ts'
import type { Network, PeerStream, StreamHandler } from '../../src/ports/network.ts'
import type { AbortOptions } from '../../src/ports/options.ts'
import { silentLog } from './silent-log.ts'
import { VirtualClock } from './virtual-clock.ts'

/** What an asker writes into, and everything the server wrote back. */
export class RawStream implements PeerStream {
  readonly peer: string
  readonly written: Uint8Array[] = []
  /** Why the stream was reset, by either side. */
  aborted: Error | undefined
  /** Awaited after each write of the server: a slow asker. */
  pace: (bytes: number) => Promise<void> = async () => {}
  readonly #incoming: (Uint8Array | null)[] = []
  #wake = Promise.withResolvers<void>()

  constructor(peer: string) {
    this.peer = peer
  }

  /** The asker says something; null: it closes its end. */
  say(bytes: Uint8Array | null): void {
    this.#incoming.push(bytes)
    this.#notify()
  }

  async read(options: AbortOptions = {}): Promise<Uint8Array | null> {
    while (this.#incoming.length === 0) {
      if (this.aborted !== undefined) throw this.aborted
      await abortable(this.#wake.promise, options)
    }
    return this.#incoming.shift() ?? null
  }

  async write(parts: readonly Uint8Array[], options: AbortOptions = {}): Promise<void> {
    if (this.aborted !== undefined) throw this.aborted
    this.written.push(...parts)
    this.#notify()
    await abortable(this.pace(parts.reduce((sum, part) => sum + part.byteLength, 0)), options)
  }

  async close(): Promise<void> {
    this.#notify()
  }

  abort(reason: Error): void {
    this.aborted ??= reason
    this.#notify()
  }

  /** Everything written until END has come, in one piece. */
  async answer(): Promise<Uint8Array> {
    const from = this.written.length
    for (;;) {
      const bytes = Buffer.concat(this.written.slice(from))
      if (endsWithEnd(bytes)) return bytes
      if (this.aborted !== undefined) throw this.aborted
      await this.#wake.promise
    }
  }

  /** Resolves when the server has written or reset. */
  async change(): Promise<void> {
    await this.#wake.promise
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = Promise.withResolvers()
    wake.resolve()
  }
}

export interface RawExchange {
  readonly server: ExchangeServer
  readonly clock: VirtualClock
  /** A new stream of that peer, served from now on. */
  open(peer: string): RawStream
  /** One request on a stream of its own; the bytes of its answer. */
  ask(peer: string, ask: Partial<Ask> & Pick<Ask, 'kind'>): Promise<Uint8Array>
}

export async function rawExchange(
  components: Pick<ExchangeServerComponents, 'policy'> & Partial<ExchangeServerComponents>,
  init: ExchangeServerInit = {}
): Promise<RawExchange> {
  const clock = new VirtualClock()
  let handler: StreamHandler | undefined
  const network: Pick<Network, 'handle'> = {
    handle: async (_protocol, given) => {
      handler = given
    }
  }
  const server = new ExchangeServer({ network, clock, log: silentLog, ...components }, init)
  await server.start()
  const open = (peer: string): RawStream => {
    const stream = new RawStream(peer)
    void handler?.(stream)
    return stream
  }
  return {
    server,
    clock,
    open,
    ask: async (peer, ask) => {
      const stream = open(peer)
      const answered = stream.answer()
      stream.say(requestBytes(ask))
      const bytes = await answered
      stream.say(null)
      return bytes
    }
  }
}

/** One REQUEST frame; what is not given is as plain as can be. */
export function requestBytes(ask: Partial<Ask> & Pick<Ask, 'kind'>): Uint8Array {
  const base = { requesterId: 'did:key:z6MkTest', requestId: new Uint8Array(16), ttl: 30, hops: 0 } as const
  return Buffer.concat(frameParts(FRAME.REQUEST, encodeRequest(wholeAsk(base, ask))))
}

function wholeAsk(base: Pick<Ask, 'requesterId' | 'requestId' | 'ttl' | 'hops'>, ask: Partial<Ask> & Pick<Ask, 'kind'>): Ask {
  switch (ask.kind) {
    case 'dag':
      return { ...base, cid: null, sha256: null, skipNodes: 0, leaves: 'all', ...ask }
    case 'blocks': {
      if (!('root' in ask) || ask.root === undefined) throw new Error('blocks are asked for below a root')
      return { ...base, cids: [], ...ask, root: ask.root }
    }
    case 'have':
      return { ...base, multihashes: [], ...ask }
    default:
      return { ...base, ...ask }
  }
}

/** The types of all whole frames. */
export function frameTypes(bytes: Uint8Array): number[] {
  const reader = new FrameReader(answerLimit)
  reader.push(bytes)
  const types: number[] = []
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) types.push(frame.type)
  return types
}

/** The reason END gives. */
export function reasonOf(bytes: Uint8Array): string | undefined {
  const reader = new FrameReader(answerLimit)
  reader.push(bytes)
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    if (frame.type === FRAME.END) return decodeEnd(frame.payload).reason
  }
  return undefined
}

function endsWithEnd(bytes: Uint8Array): boolean {
  return frameTypes(bytes).at(-1) === FRAME.END
}
