/**
 * At which host each peer sees this node, as identify tells. Another than those it listens on means that something
 * between the two translates addresses, as a router at home does. In memory.
 */
import type { IdentifyResult, Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { isRelayed } from './circuit.ts'

export class ObservedHosts {
  readonly #hosts = new Map<string, string>()

  /** Connections this node made itself: of others it is known that it can be dialled. */
  watch(libp2p: Pick<Libp2p, 'addEventListener'>): void {
    libp2p.addEventListener('peer:identify', ({ detail }) => this.#note(detail))
    libp2p.addEventListener('peer:disconnect', ({ detail }) => this.#hosts.delete(detail.toString()))
  }

  /** True when the peer says it sees this node at a host that is none of these. */
  isTranslated(peer: string, own: readonly Multiaddr[]): boolean {
    const host = this.#hosts.get(peer)
    return host !== undefined && !own.some(address => hostOf(address) === host)
  }

  #note({ peerId, observedAddr, connection }: IdentifyResult): void {
    if (connection.direction !== 'outbound' || isRelayed(connection)) return
    const host = observedAddr === undefined ? undefined : hostOf(observedAddr)
    if (host !== undefined) this.#hosts.set(peerId.toString(), host)
  }
}

function hostOf(address: Multiaddr): string | undefined {
  const [first] = address.getComponents()
  return first?.name === 'ip4' || first?.name === 'ip6' ? first.value : undefined
}
