/**
 * Dialling through relays, and being dialled: the stock transport, which takes connections only through relays among the
 * peers one trusts. The stock one would make itself at home at any stranger that offers it a connection.
 */
import { circuitRelayTransport, RELAY_V2_STOP_CODEC, type CircuitRelayTransportComponents } from '@libp2p/circuit-relay-v2'
import type { PeerId, StreamHandler, Transport } from '@libp2p/interface'
import type { Judgement } from './judgement.ts'

/** Relayed connections under way from one relay; each is a connection of its own afterwards. */
const STOP_STREAMS_MAX = 32

/** The transport's own list of places it can be reached at. */
export interface Reservations {
  readonly size: number
  has(peer: PeerId): boolean
  /** Also asks again where a place was lost. @throws Error when the relay refuses */
  renew(peer: PeerId): Promise<void>
}

export interface RelayTransport {
  make(components: CircuitRelayTransportComponents): Transport
  /** Empty before the host is made. */
  readonly reservations: Reservations
}

export function relayTransport(judgement: Judgement): RelayTransport {
  let made: Transport | undefined
  return {
    make(components) {
      made = circuitRelayTransport({ maxInboundStopStreams: STOP_STREAMS_MAX, maxOutboundStopStreams: STOP_STREAMS_MAX })(
        guarded(components, judgement)
      )
      return made
    },
    reservations: {
      get size() {
        return Number(ask(made, 'reservationCount'))
      },
      has: peer => ask(made, 'hasReservation', peer) === true,
      renew: async peer => {
        await ask(made, 'addRelay', peer, 'configured')
      }
    }
  }
}

function guarded(components: CircuitRelayTransportComponents, judgement: Judgement): CircuitRelayTransportComponents {
  const { registrar } = components
  const handle: typeof registrar.handle = async (protocol, handler, options) =>
    await registrar.handle(protocol, protocol === RELAY_V2_STOP_CODEC ? fromOwnPeople(handler, judgement) : handler, options)
  const watched = new Proxy(registrar, { get: (target, name) => (name === 'handle' ? handle : bound(target, name)) })
  return new Proxy(components, { get: (target, name) => (name === 'registrar' ? watched : Reflect.get(target, name)) })
}

function fromOwnPeople(handler: StreamHandler, judgement: Judgement): StreamHandler {
  return async (stream, connection) => {
    if (judgement.isTrusted(connection.remotePeer.toString())) await handler(stream, connection)
    else stream.abort(new Error('connections are taken through relays among trusted peers only'))
  }
}

/** What is not public API of the package is reached through here only. */
function ask(transport: Transport | undefined, method: string, ...args: readonly unknown[]): unknown {
  const store: unknown = transport === undefined ? undefined : Reflect.get(transport, 'reservationStore')
  const found: unknown = typeof store === 'object' && store !== null ? Reflect.get(store, method) : undefined
  if (typeof found !== 'function')
    throw new Error('the installed @libp2p/circuit-relay-v2 has another shape than the one this adapter was written for')
  return Reflect.apply(found, store, args)
}

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name)
  return typeof value === 'function' ? value.bind(target) : value
}
