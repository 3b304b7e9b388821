/**
 * Wants and cancels on their way to peers: one message at a time to each, everything decided meanwhile goes into
 * the next. Cancels wait a little for a want to travel with: each bitswap message of Helia is a new stream.
 */
import type { CID } from 'multiformats/cid'
import { blockKey } from '../../model/content-id.ts'
import type { Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { BitswapPeers } from './bitswap-peers.ts'
import { emptyMessage } from './bitswap-wire.ts'
import type { BitswapWire, WantEntry, WantType, WireMessage } from './bitswap-wire.ts'

/** How long a cancel waits for company. Short enough that a peer sends little for nothing. */
const CANCEL_DELAY_MS: Ms = 50

export interface OutboxComponents {
  readonly wire: Pick<BitswapWire, 'network'>
  readonly peers: BitswapPeers
  readonly clock: Clock
  readonly log: Log
  /** Told when the wants for `keys` could not be sent to `peer`. */
  readonly failed: (peer: string, keys: readonly string[]) => void
}

interface Lane {
  /** Messages not sent yet, oldest first: a cancel and a later want of one block must not meet in one message. */
  readonly waiting: WireMessage[]
  sending: boolean
  cancelTimer: (() => void) | undefined
}

export class Outbox {
  readonly #parts: OutboxComponents
  readonly #lanes = new Map<string, Lane>()

  constructor(components: OutboxComponents) {
    this.#parts = components
  }

  want(peer: string, cid: CID, wantType: WantType): void {
    const lane = this.#add(peer, cid, { cid: cid.bytes, priority: 1, cancel: false, wantType, sendDontHave: true })
    // A later turn of the loop: all wants of this one go out together.
    if (!lane.sending)
      setImmediate(() => {
        this.#flush(peer)
      })
  }

  cancel(peer: string, cid: CID): void {
    if (!this.#parts.peers.has(peer)) return
    const lane = this.#add(peer, cid, { cid: cid.bytes, priority: 1, cancel: true })
    lane.cancelTimer ??= this.#parts.clock.after(CANCEL_DELAY_MS, () => {
      this.#flush(peer)
    })
  }

  forget(peer: string): void {
    this.#lanes.get(peer)?.cancelTimer?.()
    this.#lanes.delete(peer)
  }

  stop(): void {
    for (const peer of [...this.#lanes.keys()]) this.forget(peer)
  }

  #add(peer: string, cid: CID, entry: WantEntry): Lane {
    const lane = this.#lane(peer)
    const key = blockKey(cid)
    let message = lane.waiting.at(-1)
    if (message === undefined || message.wantlist.has(key)) {
      message = emptyMessage()
      lane.waiting.push(message)
    }
    message.wantlist.set(key, entry)
    return lane
  }

  #lane(peer: string): Lane {
    let lane = this.#lanes.get(peer)
    if (lane === undefined) {
      lane = { waiting: [], sending: false, cancelTimer: undefined }
      this.#lanes.set(peer, lane)
    }
    return lane
  }

  #flush(peer: string): void {
    const lane = this.#lanes.get(peer)
    if (lane === undefined || lane.sending) return
    lane.sending = true
    this.#drain(peer, lane)
      .catch(error => {
        this.#parts.log.debug({ err: error, peer }, 'bitswap messages could not be sent')
      })
      .finally(() => {
        lane.sending = false
      })
  }

  async #drain(peer: string, lane: Lane): Promise<void> {
    for (let message = lane.waiting.shift(); message !== undefined; message = lane.waiting.shift()) {
      lane.cancelTimer?.()
      lane.cancelTimer = undefined
      await this.#send(peer, message)
    }
  }

  async #send(peer: string, message: WireMessage): Promise<void> {
    const wanted = [...message.wantlist].filter(([, entry]) => entry.cancel !== true).map(([key]) => key)
    const id = this.#parts.peers.get(peer)
    try {
      if (id === undefined) throw new Error('the peer has gone')
      await this.#parts.wire.network.sendMessage(id, message)
    } catch (error) {
      this.#parts.log.debug({ err: error, peer }, 'a bitswap message could not be sent')
      this.#parts.failed(peer, wanted)
    }
  }
}
