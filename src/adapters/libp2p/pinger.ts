/** Times round trips to peers. Here, because the stock ping counts whole milliseconds. */
import { equals } from 'uint8arrays'
import { KithError } from '../../errors.ts'
import { startDeadline } from '../../lib/deadline.ts'
import { SingleFlight } from '../../lib/single-flight.ts'
import type { Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Network, PeerStream } from '../../ports/network.ts'
import type { AbortOptions } from '../../ports/options.ts'
import type { Liveness } from './liveness.ts'

const PING_PROTOCOL = '/ipfs/ping/1.0.0'
/** What a ping echoes. */
const PING_BYTES = 32
/** Of the whole: agreeing on the protocol, and the round trip itself. */
const PING_BUDGET: Ms = 10_000

interface PingerComponents {
  readonly clock: Clock
  readonly liveness: Pick<Liveness, 'received'>
  readonly open: Network['open']
}

export class Pinger {
  readonly #parts: PingerComponents
  readonly #pings = new SingleFlight<Ms>()

  constructor(components: PingerComponents) {
    this.#parts = components
  }

  /**
   * One at a time for each peer: other implementations take two.
   * @throws KithError UNAVAILABLE, which says so if the peer is alive and its answer waits behind other bytes
   */
  async ping(peer: string, options: AbortOptions): Promise<Ms> {
    return await this.#pings.run(peer, async shared => await this.#ping(peer, shared), options)
  }

  async #ping(peer: string, options: AbortOptions): Promise<Ms> {
    const { clock, liveness } = this.#parts
    using budget = startDeadline(clock, PING_BUDGET, options)
    const before = liveness.received(peer)
    try {
      return await this.#roundTrip(peer, budget)
    } catch (error) {
      options.signal?.throwIfAborted()
      const isLate = budget.signal.aborted
      if (error instanceof KithError && !isLate) throw error
      const came = isLate && liveness.received(peer) > before
      const why = came ? ` within ${PING_BUDGET / 1000} s, but other bytes came from it: it is alive, and its answer waits behind them` : ''
      throw new KithError('UNAVAILABLE', `peer ${peer} did not answer a ping${why}`, {}, { cause: error })
    }
  }

  async #roundTrip(peer: string, { signal }: { readonly signal: AbortSignal }): Promise<Ms> {
    const stream = await this.#parts.open(peer, PING_PROTOCOL, { signal })
    try {
      return await timePing(stream, this.#parts.clock, signal)
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }
}

/** Uses the stream up. */
async function timePing(stream: PeerStream, clock: Clock, signal: AbortSignal): Promise<Ms> {
  const sent = crypto.getRandomValues(new Uint8Array(PING_BYTES))
  const start = clock.monotonic()
  await stream.write([sent], { signal })
  await readEcho(stream, sent, signal)
  const took = clock.monotonic() - start
  await stream.close({ signal })
  return took
}

async function readEcho(stream: PeerStream, sent: Uint8Array, signal: AbortSignal): Promise<void> {
  let at = 0
  while (at < sent.byteLength) {
    const chunk = await stream.read({ signal })
    if (chunk === null) throw new Error('the peer closed the stream')
    if (!equals(chunk, sent.subarray(at, at + chunk.byteLength))) throw new Error('the peer echoed other bytes')
    at += chunk.byteLength
  }
}
