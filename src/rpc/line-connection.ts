/**
 * One connection that speaks JSON-RPC, a message a line. A client that does not read is not read from. Everything
 * here is bounded, alone and together with the other connections, and dies with the connection.
 */
import type { Socket } from 'node:net'
import { KithError, toKithError } from '../errors.ts'
import { MIB } from '../model/units.ts'
import type { KithEvent } from '../observe/events.ts'
import { EventFeed } from './event-feed.ts'
import type { FeedItem } from './event-feed.ts'
import { SMALL_SHARE_BYTES_MAX } from './line-memory.ts'
import type { Share } from './line-memory.ts'
import { closeLingering, closeUnread } from './linger.ts'
import { LineSplitter } from './line-splitter.ts'
import { LineWriter } from './line-writer.ts'
import { Login } from './login.ts'
import { failure } from './message.ts'
import { messageBytesMax, tooLong } from './message-length.ts'
import type { RpcParts } from './parts.ts'
import { seesEvent } from './realm-view.ts'
import { RpcSession } from './session.ts'

/** Calls of one connection under way: more than retrieval itself lets wait (10,064), so that it is the one to refuse. */
const RUNNING_CALLS_MAX = 16_384
/** Their lines together: parameters stay in memory while a call runs. Bytes. */
const RUNNING_BYTES_MAX = 64 * MIB
/** A client that closed its sending side is looked after this often, to notice when it is gone. Milliseconds. */
const PROBE_INTERVAL_MS = 1000

export class LineConnection {
  readonly #parts: RpcParts
  readonly #socket: Socket
  readonly #splitter = new LineSplitter({ limit: () => messageBytesMax(this.#login.caller) })
  readonly #writer: LineWriter
  readonly #login: Login
  readonly #session: RpcSession
  readonly #feed: EventFeed
  readonly #unfinished: Share
  readonly #taken: Share
  readonly #making: Share
  readonly #advanceSoon = (): void => this.#advance()
  readonly #roomAgain = (): void => this.#resume()
  #lines: string[] = []
  #advancing = false
  #paused = false
  #ended = false
  #stopping = false
  #cancelProbe: () => void = () => {}

  constructor(parts: RpcParts, init: { readonly socket: Socket }) {
    const { clock, services, memory } = parts
    this.#parts = parts
    this.#socket = init.socket
    this.#unfinished = memory.unfinished.share()
    this.#taken = memory.running.share()
    this.#making = memory.making.share()
    this.#writer = new LineWriter(
      { socket: init.socket, clock, pool: memory.unread },
      { onFlushed: this.#advanceSoon, onDrained: this.#roomAgain }
    )
    this.#feed = new EventFeed(
      { events: services.events, clock },
      { write: item => this.#writeEvent(item), isSeen: event => seesEvent(this.#login.caller, event) }
    )
    this.#login = new Login(parts, { onChange: reason => this.#callerChanged(reason) })
    this.#session = new RpcSession(parts, {
      caller: () => this.#login.caller,
      login: token => this.#login.login(token),
      push: {
        subscribe: (filter, context) => {
          const { subscription, start } = this.#feed.subscribe(filter)
          context.afterAnswer(start)
          return subscription
        },
        unsubscribe: subscription => this.#feed.unsubscribe(subscription),
        attach: (attachment, context) => {
          const { subscription, start } = this.#feed.attach(attachment)
          context.afterAnswer(start)
          return subscription
        },
        detach: key => this.#feed.detach(key),
        progress: (call, progress) => this.#feed.pushOwn('content.progress', { ...progress, call })
      },
      isBlocked: () => this.#isBlocked(),
      onHeld: count => this.#making.set(count),
      onSettled: this.#advanceSoon
    })
  }

  start(): void {
    this.#socket.on('data', (chunk: Buffer) => this.#receive(() => this.#splitter.push(chunk)))
    this.#socket.on('end', () => this.#end())
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

  /** Answers what still runs with `reason`, and closes. Who has not read what there was before is not told. */
  cut(reason: KithError): void {
    if (this.#socket.writableLength > 0) return void this.#socket.destroy()
    this.#session.cancelAll(reason)
    this.#writer.flush()
    this.#socket.destroySoon()
  }

  #receive(read: () => string[]): void {
    try {
      for (const line of read()) {
        this.#lines.push(line)
        this.#taken.set(this.#taken.bytes + line.length)
      }
      this.#unfinished.set(this.#splitter.unfinished)
    } catch (error) {
      const reason = toKithError(error)
      this.#refuse(reason.code === 'TOO_LARGE' ? tooLong(this.#login.caller) : reason, closeLingering)
      return
    }
    if (this.#parts.memory.unfinished.isFull && this.#unfinished.bytes > SMALL_SHARE_BYTES_MAX) {
      this.#refuse(tooMuchUnfinished(), closeUnread)
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
    while (next < this.#lines.length && this.#mayRun()) this.#handle(this.#lines[next++] ?? '')
    if (next > 0) this.#lines = this.#lines.slice(next)
    this.#advancing = false
    this.#read(this.#lines.length === 0 && this.#mayRun() && this.#mayTake())
    this.#finishIfDone()
  }

  #read(mayRead: boolean): void {
    if (mayRead === !this.#paused) return
    this.#paused = !mayRead
    if (mayRead) {
      this.#socket.resume()
      return
    }
    this.#socket.pause()
    const { running, unread } = this.#parts.memory
    for (const pool of [running, unread]) pool.whenRoom(this.#roomAgain)
  }

  /** Nothing large is made for this client now; it goes on when the client has read, or others have. */
  #isBlocked(): boolean {
    if (this.#writer.isBlocked) return true
    const { unread, making } = this.#parts.memory
    if (!unread.isFull && !making.isFull) return false
    for (const pool of [unread, making]) if (pool.isFull) pool.whenRoom(this.#roomAgain)
    return true
  }

  #mayRun(): boolean {
    return this.#session.running < RUNNING_CALLS_MAX && this.#writer.hasRoom
  }

  #mayTake(): boolean {
    const own = this.#taken.bytes + this.#unfinished.bytes
    return own < SMALL_SHARE_BYTES_MAX || (own < RUNNING_BYTES_MAX && !this.#parts.memory.running.isFull)
  }

  #handle(line: string): void {
    this.#session.handle(line, answer => {
      this.#taken.set(Math.max(0, this.#taken.bytes - line.length))
      if (answer !== undefined) this.#writer.write(answer)
    })
  }

  #resume(): void {
    this.#feed.resume()
    this.#session.resume()
    this.#advance()
  }

  /** What was asked for as another caller is not told to this one. */
  #callerChanged(reason: KithError | undefined): void {
    this.#feed.reset()
    if (reason !== undefined) this.#session.cancelAll(reason)
  }

  #writeEvent({ event, subscription }: FeedItem): boolean {
    const body = eventText(event)
    this.#writer.write(
      `{"jsonrpc":"2.0","method":"event","params":${subscription === undefined ? body : `${body.slice(0, -1)},"subscription":"${subscription}"}`}}`
    )
    return !this.#writer.isBlocked
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
    this.#writer.flush()
    if (this.#socket.writableLength === 0) this.#socket.write(' ')
    this.#cancelProbe = this.#parts.clock.after(PROBE_INTERVAL_MS, () => this.#probe())
  }

  #finishIfDone(): void {
    const isOver = this.#stopping || (this.#ended && this.#lines.length === 0 && this.#feed.subscriptions === 0)
    if (!isOver || this.#session.running > 0 || this.#socket.writableEnded) return
    this.#writer.flush()
    this.#socket.destroySoon()
  }

  /** The connection is cut only once the client has had time to read why. */
  #refuse(error: KithError, close: typeof closeLingering): void {
    const socket = this.#socket
    this.#writer.write(failure(null, error))
    this.#writer.flush()
    this.#giveUp()
    socket.removeAllListeners('data').removeAllListeners('end').pause()
    close(socket, this.#parts.clock)
  }

  #closed(): void {
    this.#cancelProbe()
    this.#giveUp()
    this.#writer.close()
  }

  /** Ends its calls and gives back what it held. */
  #giveUp(): void {
    const { memory } = this.#parts
    this.#lines = []
    this.#splitter.clear()
    this.#session.abort(new KithError('CANCELLED', 'the connection was closed'))
    this.#feed.close()
    this.#login.close()
    this.#unfinished.set(0)
    this.#taken.set(0)
    this.#making.set(0)
    for (const pool of [memory.running, memory.unread, memory.making]) pool.forget(this.#roomAgain)
  }
}

function tooMuchUnfinished(): KithError {
  return new KithError(
    'RATE_LIMITED',
    'too many long messages are on their way to this daemon at once. Send fewer together, and large content with PUT /content.'
  )
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
