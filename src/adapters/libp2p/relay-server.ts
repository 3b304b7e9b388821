/**
 * Relaying for others: stock circuit relay v2, without its limits of time and bytes, for the peers one trusts only, and
 * within so many bytes a day. A stranger gets no reservation; it may knock at a peer that has one, with little, so that
 * somebody new can be paired with. What was relayed today is in memory only: a restart begins the day anew.
 */
import { circuitRelayServer, type CircuitRelayServerComponents } from '@libp2p/circuit-relay-v2'
import type { PeerId, Stream, StreamHandler } from '@libp2p/interface'
import { KeyedBuckets } from '../../lib/keyed-buckets.ts'
import { GIB, KIB, MIB, type Bytes, type Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Judgement } from './judgement.ts'

/** Peers relayed for: one's own people, each with a device or three. */
const RESERVATIONS_MAX = 64
/** Relayed connections one peer may open here at a time, and those to one peer. */
const HOP_STREAMS_MAX = 32
/** What a stranger may move through here in one connection: enough to pair, and for messages. */
const STRANGER_BYTES_MAX: Bytes = MIB
/** Connections a stranger may ask for: four at once, one more each minute. */
const STRANGER_BURST = 4
const STRANGER_PER_SECOND = 1 / 60
const STRANGERS_MAX = 4096
/** What a request to relay and its answer take. */
const REQUEST_BYTES_MAX: Bytes = KIB
/** Largest budget that needs no counting. */
const UNLIMITED: Bytes = 1024 * 1024 * GIB
const DAY: Ms = 86_400_000

export interface RelayServerInit {
  /** Off: the protocol is not even spoken. */
  readonly serve: boolean
  /** 0: no limit. */
  readonly maxBytesPerDay: Bytes
  /** Whether others can reach this host; else it is no use as a relay. */
  readonly isReachable: () => boolean
  /** Told when the bytes of a day are used up; once a day. */
  readonly onUsedUp?: (limit: Bytes) => void
}

export interface RelayServerStatus {
  readonly serves: boolean
  /** Peers that are reached through here. */
  readonly reservations: readonly string[]
  readonly bytesToday: Bytes
  readonly maxBytesPerDay: Bytes
}

export interface RelayServer {
  status(): RelayServerStatus
  start(): Promise<void>
  stop(): Promise<void>
}

interface Parts {
  readonly clock: Clock
  readonly judgement: Judgement
}

export function relayServer(parts: Parts, init: RelayServerInit): (components: CircuitRelayServerComponents) => RelayServer {
  return components => new MeteredRelayServer({ ...parts, components }, init)
}

class MeteredRelayServer implements RelayServer {
  readonly #judgement: Judgement
  readonly #init: RelayServerInit
  readonly #budget: DayBudget
  readonly #strangers: KeyedBuckets
  readonly #inner: ReturnType<ReturnType<typeof circuitRelayServer>>
  #unfollow: () => void = () => {}

  constructor({ clock, judgement, components }: Parts & { readonly components: CircuitRelayServerComponents }, init: RelayServerInit) {
    this.#judgement = judgement
    this.#init = init
    this.#budget = new DayBudget(clock, init)
    this.#strangers = new KeyedBuckets({ clock }, { capacity: STRANGER_BURST, perSecond: STRANGER_PER_SECOND, keysMax: STRANGERS_MAX })
    this.#inner = circuitRelayServer({
      maxInboundHopStreams: HOP_STREAMS_MAX,
      maxOutboundStopStreams: HOP_STREAMS_MAX,
      reservations: { maxReservations: RESERVATIONS_MAX, applyDefaultLimit: false }
    })(this.#guarded(components))
  }

  async start(): Promise<void> {
    if (!this.#init.serve) return
    await call(this.#inner, 'start')
    this.#unfollow = this.#judgement.onChange(peer => this.#reconsider(peer))
  }

  async stop(): Promise<void> {
    this.#unfollow()
    if (this.#init.serve) await call(this.#inner, 'stop')
  }

  status(): RelayServerStatus {
    return {
      serves: this.#init.serve && this.#init.isReachable(),
      reservations: [...this.#inner.reservations.keys()].map(String),
      bytesToday: this.#budget.used(),
      maxBytesPerDay: this.#init.maxBytesPerDay
    }
  }

  /** Who is trusted no longer is not reached through here any more. */
  #reconsider(changed: string): void {
    for (const peer of this.#inner.reservations.keys())
      if (peer.toString() === changed && !this.#judgement.isTrusted(changed)) this.#inner.reservations.delete(peer)
  }

  /** The package asks the gater about each request, and hands its handler to the registrar: both go through here. */
  #guarded(components: CircuitRelayServerComponents): CircuitRelayServerComponents {
    const { registrar, connectionGater } = components
    const handle: typeof registrar.handle = async (protocol, handler, options) =>
      await registrar.handle(protocol, this.#metered(handler), options)
    return {
      ...pick(components),
      registrar: new Proxy(registrar, { get: (target, name) => (name === 'handle' ? handle : bound(target, name)) }),
      connectionGater: {
        ...connectionGater,
        denyInboundRelayReservation: peer => !this.#mayReserve(peer),
        denyOutboundRelayedConnection: (source, destination) => !this.#mayConnect(source, destination)
      }
    }
  }

  #mayReserve(peer: PeerId): boolean {
    return this.#judgement.isTrusted(peer.toString()) && this.#init.isReachable()
  }

  #mayConnect(source: PeerId, destination: PeerId): boolean {
    if (this.#budget.isUsedUp() || !this.#judgement.isTrusted(destination.toString())) return false
    return this.#judgement.isTrusted(source.toString()) || this.#strangers.take(source.toString())
  }

  /** Both directions of a relayed connection pass through the one stream that its asker opened. */
  #metered(handler: StreamHandler): StreamHandler {
    return async (stream, connection) => {
      const isTrusted = this.#judgement.isTrusted(connection.remotePeer.toString())
      let left = isTrusted ? UNLIMITED : STRANGER_BYTES_MAX
      meter(stream, bytes => {
        left -= bytes
        return left >= 0 && this.#budget.spend(bytes)
      })
      await handler(stream, connection)
    }
  }
}

/** Bytes of the current day, UTC. */
class DayBudget {
  readonly #clock: Clock
  readonly #init: RelayServerInit
  #day = 0
  #used: Bytes = 0

  constructor(clock: Clock, init: RelayServerInit) {
    this.#clock = clock
    this.#init = init
  }

  used(): Bytes {
    this.#turn()
    return this.#used
  }

  isUsedUp(): boolean {
    const { maxBytesPerDay } = this.#init
    this.#turn()
    return maxBytesPerDay > 0 && this.#used >= maxBytesPerDay
  }

  /** False: there is no more today. */
  spend(bytes: Bytes): boolean {
    this.#turn()
    if (this.isUsedUp()) return false
    this.#used += bytes
    if (this.isUsedUp()) this.#init.onUsedUp?.(this.#init.maxBytesPerDay)
    return true
  }

  #turn(): void {
    const today = Math.floor(this.#clock.now() / DAY)
    if (today === this.#day) return
    this.#day = today
    this.#used = 0
  }
}

/** Counts what a stream brings and takes, and cuts it when `spend` says there is no more. Asking, and being refused, is free. */
function meter(stream: Stream, spend: (bytes: Bytes) => boolean): void {
  let free = REQUEST_BYTES_MAX
  const count = (bytes: Bytes): void => {
    const charged = Math.max(0, bytes - free)
    free -= bytes - charged
    if (charged > 0 && !spend(charged)) stream.abort(new Error('what this node relays is used up'))
  }
  stream.addEventListener('message', ({ data }) => {
    count(data.byteLength)
  })
  const send = stream.send.bind(stream)
  stream.send = data => {
    count(data.byteLength)
    return send(data)
  }
}

/** libp2p's own object answers names it does not know with an error, so that it cannot be copied whole. */
function pick(components: CircuitRelayServerComponents): CircuitRelayServerComponents {
  const { registrar, peerStore, addressManager, peerId, privateKey, connectionManager, connectionGater, logger } = components
  return { registrar, peerStore, addressManager, peerId, privateKey, connectionManager, connectionGater, logger }
}

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name)
  return typeof value === 'function' ? value.bind(target) : value
}

async function call(service: object, method: 'start' | 'stop'): Promise<void> {
  const found: unknown = Reflect.get(service, method)
  if (typeof found !== 'function')
    throw new Error('the installed @libp2p/circuit-relay-v2 has another shape than the one this adapter was written for')
  await found.call(service)
}
