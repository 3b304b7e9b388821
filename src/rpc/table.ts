/**
 * The one table of methods. The server, the client's types, the OpenRPC document and the docs come from it.
 */
import { z } from 'zod'
import { KithError, NotBuiltError } from '../errors.ts'
import { didYouMean, nearestWord } from '../lib/nearest-word.ts'
import { discover } from './discover.ts'
import type { OpenRpcDocument } from './discover.ts'
import { method } from './method.ts'
import type { Method } from './method.ts'
import { authMethods } from './methods-auth.ts'
import { contentMethods } from './methods-content.ts'
import { daemonMethods } from './methods-daemon.ts'
import { eventsMethods } from './methods-events.ts'
import { pairingMethods } from './methods-pairing.ts'
import { peersMethods } from './methods-peers.ts'
import { capabilityMethods } from './methods-capabilities.ts'
import { pubsubMethods } from './methods-pubsub.ts'
import { routeMethods } from './methods-route.ts'
import { trustMethods } from './methods-trust.ts'
import { NOT_BUILT_METHODS } from './not-built.ts'

const served = {
  ...authMethods,
  ...daemonMethods,
  ...contentMethods,
  ...routeMethods,
  ...peersMethods,
  ...pairingMethods,
  ...trustMethods,
  ...capabilityMethods,
  ...pubsubMethods,
  ...eventsMethods
}

export const METHODS = {
  ...served,
  'rpc.discover': method({
    access: 'open',
    doc: 'This table as an OpenRPC document.',
    params: {},
    large: true,
    result: z.record(z.string(), z.unknown()),
    run: ({ node }): OpenRpcDocument => discover(METHODS_BY_NAME, node.version())
  })
}

export type MethodTable = typeof METHODS

/** Built methods, for look-ups by whatever name a caller sends. */
export const METHODS_BY_NAME: ReadonlyMap<string, Method> = new Map<string, Method>(Object.entries(METHODS))

/** Every name of the contract, built or not. */
export const METHOD_NAMES: readonly string[] = [...new Set([...METHODS_BY_NAME.keys(), ...Object.keys(NOT_BUILT_METHODS)])]

const notBuilt = new Map<string, Method>(Object.entries(NOT_BUILT_METHODS).map(([name, access]) => [name, notBuiltMethod(name, access)]))

/**
 * @throws KithError METHOD_NOT_FOUND with the nearest name there is
 */
export function findMethod(name: string): Method {
  const found = METHODS_BY_NAME.get(name) ?? notBuilt.get(name)
  if (found !== undefined) return found
  const nearest = nearestWord(name, METHOD_NAMES)
  throw new KithError(
    'METHOD_NOT_FOUND',
    `there is no method "${name.slice(0, 100)}".${didYouMean(name, METHOD_NAMES)} rpc.discover lists them.`,
    nearest === undefined ? {} : { nearest }
  )
}

function notBuiltMethod(name: string, access: Method['access']): Method {
  return {
    access,
    doc: 'Not built yet.',
    params: z.object({}),
    result: z.never(),
    notBuilt: [],
    large: false,
    invoke() {
      throw new NotBuiltError(`The method ${name}`)
    }
  }
}
