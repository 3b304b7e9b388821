/** The sending half of a line connection: what one turn of the event loop answers goes out in one write. */
import type { Socket } from 'node:net'
import { KIB, MIB } from '../model/units.ts'
import type { Bytes } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import { SMALL_SHARE_BYTES_MAX } from './line-memory.ts'
import type { Pool, Share } from './line-memory.ts'

/** Answers that may wait for a client before no more of its calls are read. Generous, since simple clients write all their calls before they read. Bytes. */
const UNREAD_ANSWERS_MAX = 16 * MIB
/** Events wait in their own queue, where they can be merged and dropped, once this much is unread. Bytes. */
const UNREAD_EVENTS_MAX = 256 * KIB
/** Answers of one turn that go out before it ends: joining larger ones only copies. Bytes. */
const FLUSH_BYTES = 256 * KIB

/** A client that reads nothing for so long, while all that may be unread is unread, is cut off. Milliseconds. */
const STALL_MS = 10_000

export class LineWriter {
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #pool: Pool
  readonly #share: Share
  readonly #onFlushed: () => void
  readonly #onDrained: () => void
  #out: string[] = []
  #outBytes = 0
  #flushing = false
  #hasRead = false
  #cancelWatch: (() => void) | undefined

  /** `onFlushed`: a turn's answers went out. `onDrained`: the client has read what there was. */
  constructor(
    components: { readonly socket: Socket; readonly clock: Clock; readonly pool: Pool },
    init: { readonly onFlushed: () => void; readonly onDrained: () => void }
  ) {
    this.#socket = components.socket
    this.#clock = components.clock
    this.#pool = components.pool
    this.#share = components.pool.share()
    this.#onFlushed = init.onFlushed
    this.#onDrained = init.onDrained
    this.#socket.on('drain', () => this.#drained())
  }

  /** So much is unread that nothing large is made now, and events wait. */
  get isBlocked(): boolean {
    return this.#unread() > UNREAD_EVENTS_MAX
  }

  /** There is room for answers to more calls. */
  get hasRoom(): boolean {
    const unread = this.#unread()
    return unread < UNREAD_ANSWERS_MAX && (unread < SMALL_SHARE_BYTES_MAX || !this.#pool.isFull)
  }

  write(text: string): void {
    if (this.#socket.destroyed) return
    this.#out.push(text, '\n')
    this.#outBytes += text.length + 1
    if (this.#outBytes > FLUSH_BYTES) this.flush()
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      this.flush()
      this.#onFlushed()
    })
  }

  flush(): void {
    if (this.#out.length === 0 || this.#socket.destroyed) return
    const text = this.#out.join('')
    this.#out = []
    this.#outBytes = 0
    if (this.#socket.write(text)) this.#drained()
    else {
      this.#share.set(this.#unread())
      this.#watch()
    }
  }

  close(): void {
    this.#out = []
    this.#outBytes = 0
    this.#share.set(0)
    this.#cancelWatch?.()
  }

  /** Looks after a client that leaves much unread, for as long as it does. */
  #watch(): void {
    if (this.#cancelWatch !== undefined || !this.isBlocked) return
    this.#hasRead = false
    this.#cancelWatch = this.#clock.after(STALL_MS, () => {
      this.#cancelWatch = undefined
      if (this.#pool.isFull && this.isBlocked && !this.#hasRead) this.#socket.destroy()
      else this.#watch()
    })
  }

  #drained(): void {
    this.#hasRead = true
    this.#share.set(this.#unread())
    this.#onDrained()
  }

  #unread(): Bytes {
    return this.#outBytes + this.#socket.writableLength
  }
}
