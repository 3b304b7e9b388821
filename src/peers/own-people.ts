/**
 * Keeps one's own people connected: those with access are dialled at the start and again after a loss, with growing
 * pauses; anybody whose addresses are known can be reached on demand. Own people tell each other their addresses over
 * the control channel, kind `addresses`, so that one who has moved is found again. Owns nothing durable.
 */
import { KithError } from '../errors.ts'
import { Semaphore } from '../lib/semaphore.ts'
import { SingleFlight } from '../lib/single-flight.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Control, ControlValue } from '../ports/control.ts'
import type { Log } from '../ports/log.ts'
import type { Network } from '../ports/network.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Random } from '../ports/random.ts'
import type { Standing } from '../ports/standing.ts'
import type { AddressBook } from './address-book.ts'
import { isFields } from './control-codec.ts'
import { addressesToTell, ADDRESSES_MAX, isAddress } from './dial-addresses.ts'

/** Pause after a loss and after the first failure; doubles up to the largest. */
const PAUSE_MIN: Ms = 1_000
const PAUSE_MAX: Ms = 120_000
/** Peers kept connected; the rest is dialled when it is needed. A third of the connections a host has by default. */
const KEPT_MAX = 100
/** Dials of this part under way: a start must not use up what the host may dial at once. */
const DIALS_MAX = 4
/** Causes named when no address worked; the others are mostly the same. */
const CAUSES_SHOWN_MAX = 3
/** Kind of message by which a peer says where it listens. */
const ADDRESSES_KIND = 'addresses'

export interface OwnPeopleComponents {
  readonly network: Pick<Network, 'self' | 'addresses' | 'peers' | 'isConnected' | 'identified' | 'connect' | 'on'>
  readonly standing: Pick<Standing, 'isTrusted' | 'isShunned' | 'trustedPeers' | 'onChange'>
  readonly control: Control
  readonly book: AddressBook
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

interface Waiting {
  failures: number
  readonly cancel: () => void
}

export class OwnPeople {
  readonly #parts: OwnPeopleComponents
  readonly #dials = new SingleFlight<void>()
  readonly #places = new Semaphore({ limit: DIALS_MAX, waitingMax: KEPT_MAX, name: 'dials to own people' })
  readonly #waiting = new Map<string, Waiting>()
  readonly #stopping = new AbortController()
  readonly #unlisten: (() => void)[] = []

  constructor(components: OwnPeopleComponents) {
    this.#parts = components
    components.control.handle(ADDRESSES_KIND, async (peer, body) => await this.#heard(peer, body))
  }

  /** To be called when the host listens. */
  start(): void {
    const { network, standing } = this.#parts
    this.#unlisten.push(
      network.on({
        connected: peer => this.#connected(peer),
        disconnected: peer => this.#later(peer, 0)
      }),
      standing.onChange(peer => {
        if (network.isConnected(peer)) this.#connected(peer)
        else if (!this.#waiting.has(peer)) this.#later(peer, 0)
      })
    )
    for (const peer of standing.trustedPeers().slice(0, KEPT_MAX)) void this.#keep(peer, 0)
  }

  stop(): void {
    this.#stopping.abort(new DOMException('this node stops', 'AbortError'))
    for (const unlisten of this.#unlisten) unlisten()
    for (const { cancel } of this.#waiting.values()) cancel()
    this.#waiting.clear()
  }

  /**
   * Connects to a peer whose addresses are known, unless it is connected, and waits until it has said what it speaks.
   * Who asks at the same time shares the dial.
   *
   * @throws KithError UNAVAILABLE naming the cause · the signal's reason
   */
  async reach(peer: string, options: AbortOptions): Promise<void> {
    const { network, standing, book } = this.#parts
    if (network.isConnected(peer)) {
      await network.identified(peer, options)
      return
    }
    if (standing.isShunned(peer)) throw new KithError('UNAVAILABLE', `peer ${peer} is not dialled: it is blocked or suspended`, { peer })
    const addresses = book.of(peer)
    if (addresses.length === 0)
      throw new KithError(
        'UNAVAILABLE',
        `peer ${peer} is not connected, and no address of it is known. kith peers connect ADDRESS tells one`,
        {
          peer
        }
      )
    await this.#dials.run(
      peer,
      async shared => {
        await this.reachAt(peer, addresses, shared)
      },
      options
    )
  }

  /** As {@link reach}, at these addresses, which end in `/p2p/PEERID`. What works is remembered if the peer is. */
  async reachAt(peer: string, addresses: readonly string[], options: AbortOptions): Promise<void> {
    const { network, book, log } = this.#parts
    if (network.isConnected(peer)) return
    try {
      // Addresses of one peer join into one dial of the host, which tries them in its own order.
      await Promise.any(addresses.map(async address => await network.connect(address, options)))
    } catch (error) {
      options.signal?.throwIfAborted()
      throw unreachable(peer, addresses, error)
    }
    const used = network.peers().find(connected => connected.peer === peer)?.addresses ?? []
    for (const address of used)
      await book.worked(peer, address).catch((err: unknown) => {
        log.warn({ err }, 'the address at which a peer was found could not be written')
      })
  }

  #connected(peer: string): void {
    this.#waiting.get(peer)?.cancel()
    this.#waiting.delete(peer)
    if (this.#parts.standing.isTrusted(peer)) void this.#tell(peer)
  }

  async #tell(peer: string): Promise<void> {
    const { control, network, log } = this.#parts
    try {
      const own = addressesToTell(network.addresses(), network.self)
      await control.ask(peer, ADDRESSES_KIND, { addresses: own }, { signal: this.#stopping.signal })
    } catch (error) {
      log.debug({ err: error, peer }, 'a peer did not take the own addresses')
    }
  }

  async #heard(peer: string, body: ControlValue): Promise<ControlValue> {
    if (!this.#parts.standing.isTrusted(peer)) throw new KithError('UNAUTHORIZED', 'this node does not keep your addresses')
    await this.#parts.book.told(peer, readAddresses(body))
    return null
  }

  /** Dials a peer that is to stay; on failure again later. */
  async #keep(peer: string, failures: number): Promise<void> {
    const { standing, book, log } = this.#parts
    if (!standing.isTrusted(peer) || standing.isShunned(peer) || book.of(peer).length === 0) return
    try {
      using _place = await this.#places.acquire({ signal: this.#stopping.signal })
      await this.reach(peer, { signal: this.#stopping.signal })
    } catch (error) {
      log.debug({ err: error, peer, failures }, 'one of the own people could not be reached')
      this.#later(peer, failures + 1)
    }
  }

  #later(peer: string, failures: number): void {
    const { clock, random, standing } = this.#parts
    if (this.#stopping.signal.aborted || !standing.isTrusted(peer)) return
    this.#waiting.get(peer)?.cancel()
    if (!this.#waiting.has(peer) && this.#waiting.size >= KEPT_MAX) return
    const pause = Math.min(PAUSE_MAX, PAUSE_MIN * 2 ** Math.min(failures, 16)) * (0.5 + random.number() / 2)
    const cancel = clock.after(pause, () => {
      this.#waiting.delete(peer)
      void this.#keep(peer, failures)
    })
    this.#waiting.set(peer, { failures, cancel })
  }
}

/** Addresses out of a message. @throws KithError INVALID_PARAMS */
export function readAddresses(body: ControlValue): string[] {
  const addresses = isFields(body) ? body['addresses'] : undefined
  if (!Array.isArray(addresses) || addresses.length > ADDRESSES_MAX)
    throw new KithError('INVALID_PARAMS', `at most ${ADDRESSES_MAX} addresses are told`)
  return addresses.filter(address => typeof address === 'string').filter(isAddress)
}

function unreachable(peer: string, addresses: readonly string[], error: unknown): KithError {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error]
  const causes = new Set(errors.map(cause => (cause instanceof Error ? cause.message : String(cause))))
  const why = [...causes].slice(0, CAUSES_SHOWN_MAX).join('; ')
  const where = addresses.length === 1 ? 'its address' : `any of its ${addresses.length} addresses`
  return new KithError('UNAVAILABLE', `peer ${peer} could not be reached at ${where}: ${why}`, { peer, addresses }, { cause: error })
}
