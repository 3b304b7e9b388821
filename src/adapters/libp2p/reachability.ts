/**
 * Whether strangers can reach this host: what peers that dialled it back said last. libp2p's autonat keeps only the
 * addresses; the verdicts are noted here on their way to them. In memory only.
 */
import { autoNAT, type AutoNATComponents } from '@libp2p/autonat'
import { isPublic } from './reachable-addresses.ts'

type AddressManager = AutoNATComponents['addressManager']

export type Reachability = 'public' | 'private' | 'unknown'

/** Autonat requests one peer may have open here; each makes this node dial. */
const INBOUND_STREAMS_MAX = 2
/** Addresses whose verdict is remembered; strangers can make a host believe in many. */
const ADDRESSES_MAX = 64

export interface ReachabilityService {
  /** `unknown` until enough peers have tried, which takes a public address and peers elsewhere. */
  verdict(): Reachability
}

type Service = ReachabilityService & { start(): Promise<void>; stop(): Promise<void> }

/** Client and service of autonat: asks others to dial back, and dials back those who ask from the same address. */
export function reachabilityService(): (components: AutoNATComponents) => Service {
  return components => {
    const verdicts = new Map<string, boolean>()
    const watched = watchVerdicts(components.addressManager, verdicts)
    const inner: unknown = autoNAT({ maxInboundStreams: INBOUND_STREAMS_MAX })(
      new Proxy(components, { get: (target, name) => (name === 'addressManager' ? watched : Reflect.get(target, name)) })
    )
    return {
      verdict: () => {
        const all = [...verdicts.values()]
        return all.length === 0 ? 'unknown' : all.includes(true) ? 'public' : 'private'
      },
      start: async () => await call(inner, 'start'),
      stop: async () => await call(inner, 'stop')
    }
  }
}

/** The address manager, with its verdicts on public addresses noted: the last one for each. */
export function watchVerdicts(manager: AddressManager, verdicts: Map<string, boolean>): AddressManager {
  const note = (address: Parameters<AddressManager['confirmObservedAddr']>[0], reached: boolean): void => {
    if (!isPublic(address)) return
    verdicts.delete(address.toString())
    verdicts.set(address.toString(), reached)
    const [oldest] = verdicts.keys()
    if (verdicts.size > ADDRESSES_MAX && oldest !== undefined) verdicts.delete(oldest)
  }
  return new Proxy(manager, {
    get: (target, name) => {
      if (name === 'confirmObservedAddr')
        return (...args: Parameters<AddressManager['confirmObservedAddr']>): void => {
          note(args[0], true)
          target.confirmObservedAddr(...args)
        }
      if (name === 'removeObservedAddr')
        return (...args: Parameters<AddressManager['removeObservedAddr']>): void => {
          note(args[0], false)
          target.removeObservedAddr(...args)
        }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}

async function call(service: unknown, method: 'start' | 'stop'): Promise<void> {
  const found: unknown = typeof service === 'object' && service !== null ? Reflect.get(service, method) : undefined
  if (typeof found !== 'function')
    throw new Error('the installed @libp2p/autonat has another shape than the one this adapter was written for')
  await found.call(service)
}
