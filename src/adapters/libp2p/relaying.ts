/** Relays among one's own people, both ways: what a host needs to relay, to be reached through a relay, and to say which. In memory only. */
import type { Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Bytes } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { isCircuit, isRelayed } from './circuit.ts'
import type { Judgement } from './judgement.ts'
import type { HostServices } from './make-libp2p.ts'
import { ObservedHosts } from './observed-hosts.ts'
import type { PeerTable } from './peer-table.ts'
import { isPublic } from './reachable-addresses.ts'
import { relayServer, type RelayServerStatus } from './relay-server.ts'
import { relayTransport } from './relay-transport.ts'
import { RelayUse } from './relay-use.ts'

/** The package's mark on a relay, for which libp2p dials it again whenever it is gone. */
const KEEP_ALIVE_TAG = 'keep-alive-circuit-relay'

export interface RelayInit {
  /** Be reached through a relay among the peers one trusts. */
  readonly use?: boolean
  /** Relay for them. */
  readonly serve?: boolean
  /** 0: no limit. */
  readonly maxBytesPerDay?: Bytes
}

export interface RelayStatus extends RelayServerStatus {
  /** Peers through which this host can be reached. */
  readonly relays: readonly string[]
}

interface RelayingComponents {
  readonly judgement: Judgement
  readonly clock: Clock
  readonly log: Log
}

export class Relaying {
  readonly #components: RelayingComponents
  readonly #init: RelayInit & { readonly announces: boolean }
  readonly #transport: ReturnType<typeof relayTransport>
  /** For {@link makeLibp2p}. */
  readonly parts: { readonly relayTransport: ReturnType<typeof relayTransport>; readonly relayServer: ReturnType<typeof relayServer> }
  readonly #observed = new ObservedHosts()
  #libp2p: Libp2p<HostServices> | undefined
  #use: RelayUse | undefined

  /** `announces`: the operator said where this host is reached. */
  constructor(components: RelayingComponents, init: RelayInit & { readonly announces: boolean }) {
    const { judgement, clock, log } = components
    const { serve = false, maxBytesPerDay = 0 } = init
    this.#components = components
    this.#init = init
    this.#transport = relayTransport(judgement)
    const onUsedUp = (limit: Bytes): void =>
      log.warn({ limit }, 'what this node may relay in a day is used up: network.relay.maxBytesPerDay')
    const server = { serve, maxBytesPerDay, isReachable: () => this.#isReachable(), onUsedUp }
    this.parts = { relayTransport: this.#transport, relayServer: relayServer({ clock, judgement }, server) }
  }

  /** To be called when the host runs. */
  start(libp2p: Libp2p<HostServices>, peers: PeerTable): void {
    this.#libp2p = libp2p
    if (this.#init.use !== true) return
    this.#observed.watch(libp2p)
    const { reservations } = this.#transport
    this.#use = new RelayUse({ ...this.#components, libp2p, peers, reservations }, { isWantedAt: relay => this.#isWantedAt(relay) })
    this.#use.start()
  }

  async stop(): Promise<void> {
    await this.#use?.stop()
  }

  status(): RelayStatus {
    const none = { serves: false, reservations: [], bytesToday: 0, maxBytesPerDay: this.#init.maxBytesPerDay ?? 0 }
    return { ...(this.#libp2p?.services.relay.status() ?? none), relays: this.#use?.relays() ?? [] }
  }

  /** To be called before a peer is hung up on: libp2p would dial a relay again at once. */
  async leave(peer: string): Promise<void> {
    const id = peerIdFromString(peer)
    if (this.#libp2p === undefined || !this.#transport.reservations.has(id)) return
    await this.#libp2p.peerStore.merge(id, { tags: { [KEEP_ALIVE_TAG]: undefined } })
  }

  /** Nobody has found the contrary: a host that listens may try. */
  #isReachable(): boolean {
    const libp2p = this.#libp2p
    if (libp2p === undefined) return false
    return this.#init.announces || (libp2p.services.reachability.verdict() !== 'private' && this.#listening().length > 0)
  }

  /**
   * A host that listens on nothing, or was found not to be reachable, takes a place wherever it gets one. While nobody
   * has found out, it takes one at a relay that sees it at another host than it listens on: there is a router in
   * between. On one network with the relay it can be dialled there, and a place would tell nobody anything.
   */
  #isWantedAt(relay: string): boolean {
    const libp2p = this.#libp2p
    if (libp2p === undefined || this.#init.announces) return false
    const verdict = libp2p.services.reachability.verdict()
    if (verdict !== 'unknown') return verdict === 'private'
    const wasDialled = libp2p
      .getConnections()
      .some(connection => connection.direction === 'inbound' && !isRelayed(connection) && isPublic(connection.remoteAddr))
    const listening = this.#listening()
    if (wasDialled || listening.some(isPublic)) return false
    return listening.length === 0 || this.#observed.isTranslated(relay, listening)
  }

  #listening() {
    const { transportManager } = this.#libp2p?.services.inside.components ?? {}
    return transportManager?.getAddrs().filter(address => !isCircuit(address)) ?? []
  }
}
