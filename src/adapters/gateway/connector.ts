/** How a gateway's sockets are opened: to public addresses only, and no more of them than all gateways may have. */
import { isIP } from 'node:net'
import type { LookupFunction, Socket } from 'node:net'
import { callbackify } from 'node:util'
import { buildConnector } from 'undici'
import type { Semaphore } from '../../lib/semaphore.ts'
import type { Ms } from '../../model/units.ts'
import { isPublicAddress } from '../../lib/public-address.ts'
import { AddressRefusedError, publicLookup } from './address-guard.ts'
import type { Endpoint } from './endpoint.ts'

/** A server that needs longer to accept a connection is treated as down. */
const CONNECT_MS_MAX: Ms = 10_000

export interface ConnectorComponents {
  /** Name resolution; the system's unless a test forces an answer. */
  readonly lookup?: LookupFunction
  /** One place for each open socket, idle ones included. */
  readonly sockets?: Semaphore
}

/** The address is checked for every socket, after its name was resolved: names may resolve differently each time. */
export function guardedConnector(endpoint: Endpoint, { lookup, sockets }: ConnectorComponents): buildConnector.connector {
  const connect = guarded(endpoint, lookup)
  if (sockets === undefined) return connect
  const open = callbackify(async (options: buildConnector.Options) => {
    const place = await sockets.acquire()
    try {
      const socket = await socketOf(connect, options)
      socket.once('close', () => {
        place[Symbol.dispose]()
      })
      return socket
    } catch (error) {
      place[Symbol.dispose]()
      throw error
    }
  })
  return (options, callback) => {
    open(options, (error, socket) => {
      if (error === null) callback(null, socket)
      else callback(error, null)
    })
  }
}

async function socketOf(connect: buildConnector.connector, options: buildConnector.Options): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    connect(options, (error, socket) => {
      if (error === null) resolve(socket)
      else reject(error)
    })
  })
}

function guarded(endpoint: Endpoint, lookup: LookupFunction | undefined): buildConnector.connector {
  const asConfigured = buildConnector({ timeout: CONNECT_MS_MAX, ...(lookup === undefined ? {} : { lookup }) })
  const publicOnly = buildConnector({ timeout: CONNECT_MS_MAX, lookup: publicLookup(lookup) })
  return (options, callback) => {
    const { hostname, port, protocol } = options
    if (endpoint.names(hostname, port, protocol)) return asConfigured(options, callback)
    const address = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
    // The system does not look addresses up, so the guarded lookup would never see them.
    if (isIP(address) !== 0 && !isPublicAddress(address)) return callback(new AddressRefusedError(hostname), null)
    publicOnly(options, callback)
  }
}
