/**
 * One connection that speaks JSON-RPC, a message a line. Answers of one turn of the event loop go out in one write;
 * a client that does not read is not read from. Everything here is bounded and dies with the connection.
 */
import type { Socket } from 'node:net'
import { KithError, toKithError } from '../errors.ts'
import { KIB, MIB } from '../model/units.ts'
import type { KithEvent } from '../observe/events.ts'
import { OPERATOR } from './access.ts'
import { EventFeed } from './event-feed.ts'
import type { FeedItem } from './event-feed.ts'
import { closeLingering } from './linger.ts'
import { LineSplitter } from './line-splitter.ts'
import { failure } from './message.ts'
import { RpcSession } from './session.ts'
import type { RpcComponents } from './session.ts'

/** Answers that may wait for a client before no more of its calls are read. Generous, since simple clients write all their calls before they read. Bytes. */
const UNREAD_ANSWERS_MAX = 16 * MIB
/** Events wait in their own queue, where they can be merged and dropped, once this much is unread. Bytes. */
const UNREAD_EVENTS_MAX = 256 * KIB
/** Answers of one turn that go out before it ends: joining larger ones only copies. Bytes. */
const FLUSH_BYTES = 256 * KIB
/** Calls of one connection under way: more than retrieval itself lets wait (10,064), so that it is the one to refuse. */
const RUNNING_CALLS_MAX = 16_384
/** Their lines together: parameters stay in memory while a call runs. Bytes. */
const RUNNING_BYTES_MAX = 64 * MIB
/** A client that closed its sending side is looked after this often, to notice when it is gone. Milliseconds. */
const PROBE_INTERVAL_MS = 1000

export class LineConnection {
  readonly #components: RpcComponents
  readonly #socket: Socket
  readonly #splitter = new LineSplitter()
  readonly #session: RpcSession
  readonly #feed: EventFeed
  #lines: string[] = []
  #out: string[] = []
  #outBytes = 0
  #flushing = false
  #advancing = false
  #paused = false
  #runningBytes = 0
  #ended = false
  #stopping = false
  #cancelProbe: () => void = () => {}

  constructor(components: RpcComponents, init: { readonly socket: Socket }) {
    this.#components = components
    this.#socket = init.socket
    const { clock, services } = components
    this.#feed = new EventFeed({ events: services.events, clock }, { write: item => this.#writeEvent(item) })
    this.#session = new RpcSession(components, {
      caller: OPERATOR,
      push: {
        subscribe: (filter, context) => {
          const { subscription, start } = this.#feed.subscribe(filter)
          context.afterAnswer(start)
          return subscription
        },
        unsubscribe: subscription => this.#feed.unsubscribe(subscription),
        progress: (call, progress) => this.#feed.push({ event: this.#progressEvent(call, progress) })
      },
      isBlocked: () => this.#unread() > UNREAD_EVENTS_MAX,
      onSettled: () => this.#advance()
    })
  }

  start(): void {
    this.#socket.on('data', (chunk: Buffer) => this.#receive(() => this.#splitter.push(chunk)))
    this.#socket.on('end', () => this.#end())
    this.#socket.on('drain', () => this.#drained())
    this.#socket.on('close', () => this.#closed())
  }

  get running(): number {
    return this.#session.running
  }

  /** No new calls, no more events; the connection closes once its running calls have been answered. */
  stop(): void {
    this.#stopping = true
    this.#feed.close()
    this.#session.refuse(new KithError('UNAVAILABLE', 'the daemon is shutting down'))
    this.#advance()
  }

  #receive(read: () => string[]): void {
    try {
      this.#lines.push(...read())
    } catch (error) {
      this.#refuse(toKithError(error))
      return
    }
    this.#advance()
  }

  /** Starts calls as long as there is room for them, and decides whether to go on reading. */
  #advance(): void {
    // A call that is answered at once comes back here while its line is still being taken.
    if (this.#advancing) return
    this.#advancing = true
    let next = 0
    while (next < this.#lines.length && this.#hasRoom()) this.#handle(this.#lines[next++] ?? '')
    if (next > 0) this.#lines = this.#lines.slice(next)
    this.#advancing = false
    this.#read(this.#lines.length === 0 && this.#hasRoom())
    this.#finishIfDone()
  }

  #read(mayRead: boolean): void {
    if (mayRead === !this.#paused) return
    this.#paused = !mayRead
    if (mayRead) this.#socket.resume()
    else this.#socket.pause()
  }

  #hasRoom(): boolean {
    return this.#session.running < RUNNING_CALLS_MAX && this.#runningBytes < RUNNING_BYTES_MAX && this.#unread() < UNREAD_ANSWERS_MAX
  }

  #handle(line: string): void {
    this.#runningBytes += line.length
    this.#session.handle(line, answer => {
      this.#runningBytes -= line.length
      if (answer !== undefined) this.#write(answer)
    })
  }

  #unread(): number {
    return this.#outBytes + this.#socket.writableLength
  }

  #write(text: string): void {
    if (this.#socket.destroyed) return
    this.#out.push(text, '\n')
    this.#outBytes += text.length + 1
    if (this.#outBytes > FLUSH_BYTES) this.#flush()
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      this.#flush()
      this.#advance()
    })
  }

  #flush(): void {
    if (this.#out.length === 0 || this.#socket.destroyed) return
    const text = this.#out.join('')
    this.#out = []
    this.#outBytes = 0
    if (this.#socket.write(text)) this.#drained()
  }

  #drained(): void {
    this.#feed.resume()
    this.#session.resume()
    this.#advance()
  }

  #writeEvent({ event, subscription }: FeedItem): boolean {
    const body = eventText(event)
    this.#write(
      `{"jsonrpc":"2.0","method":"event","params":${subscription === undefined ? body : `${body.slice(0, -1)},"subscription":"${subscription}"}`}}`
    )
    return this.#unread() < UNREAD_EVENTS_MAX
  }

  #progressEvent(call: unknown, progress: object): KithEvent {
    const { clock, services } = this.#components
    // It is no event of the node: it bears the newest number, so that `since` goes on working.
    return { ...progress, call, seq: services.events.seq, type: 'content.progress', at: new Date(clock.now()).toISOString() }
  }

  /** The client will send no more. It may have gone, or only have closed its half: a blank tells which. */
  #end(): void {
    this.#ended = true
    this.#receive(() => this.#splitter.end())
    this.#probe()
  }

  /** Writing to a client that is gone fails, and so closes the connection; JSON allows a blank before a value. */
  #probe(): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    this.#flush()
    if (this.#socket.writableLength === 0) this.#socket.write(' ')
    this.#cancelProbe = this.#components.clock.after(PROBE_INTERVAL_MS, () => this.#probe())
  }

  #finishIfDone(): void {
    const isOver = this.#stopping || (this.#ended && this.#lines.length === 0 && this.#feed.subscriptions === 0)
    if (!isOver || this.#session.running > 0 || this.#socket.writableEnded) return
    this.#flush()
    this.#socket.destroySoon()
  }

  /** What still comes is thrown away until the client has read why; only then is the connection cut. */
  #refuse(error: KithError): void {
    const socket = this.#socket
    this.#lines = []
    this.#write(failure(null, error))
    this.#flush()
    this.#session.abort(new KithError('CANCELLED', 'the connection was closed'))
    this.#feed.close()
    socket.removeAllListeners('data').removeAllListeners('end')
    closeLingering(socket, this.#components.clock)
  }

  #closed(): void {
    this.#cancelProbe()
    this.#feed.close()
    this.#lines = []
    this.#out = []
    this.#session.abort(new KithError('CANCELLED', 'the connection was closed'))
  }
}

const texts = new WeakMap<KithEvent, string>()

/** Many connections may be told of one event: it is turned into text once. */
export function eventText(event: KithEvent): string {
  const known = texts.get(event)
  if (known !== undefined) return known
  const text = JSON.stringify(event)
  texts.set(event, text)
  return text
}
