/**
 * Whom the host dials by itself: configured peers, the public swarm once it is entered, and what mDNS finds. Tries again
 * when this machine joins another network. In memory only.
 */
import type { Libp2p, PeerInfo } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { startDht } from './dht.ts'
import { withoutPeer, type Dialler } from './dialler.ts'
import { Keeper } from './keeper.ts'
import type { HostServices } from './make-libp2p.ts'
import { NetworkWatch } from './network-watch.ts'
import type { PeerTable } from './peer-table.ts'
import { PublicSwarm, type PublicSwarmMode } from './public-swarm.ts'

/** Share of the connections that mDNS may fill: a crowded LAN must not lock out trusted peers. */
const MDNS_SHARE = 0.5
/** Weight of configured peers when libp2p closes surplus connections (others: 0). */
const KEPT_PEER_VALUE = 100

export interface OutreachInit {
  /** Dialled once the public swarm is entered, and again whenever nobody else in it is known. */
  readonly bootstrap: readonly string[]
  /** Kept connected. */
  readonly peering: readonly string[]
  readonly maxConnections: number
  /** When bootstrap, DHT and public dialling start; absent: at once. */
  readonly publicSwarm?: PublicSwarmMode
  /** Absent: `off`. */
  readonly dht?: 'client' | 'off'
  /** The swarm is a local network: its routers may name private addresses. For tests; absent: no. */
  readonly localSwarm?: boolean
  /** Told when another node shows this node's own key. */
  readonly onDuplicateIdentity?: () => void
}

interface OutreachComponents {
  readonly libp2p: Libp2p<HostServices>
  readonly peers: PeerTable
  readonly dialler: Dialler
  readonly clock: Clock
  readonly log: Log
  /** Own listening addresses. */
  readonly addresses: () => readonly string[]
}

export class Outreach {
  readonly publicSwarm: PublicSwarm
  readonly #parts: OutreachComponents
  readonly #init: OutreachInit
  readonly #peering: Keeper
  readonly #bootstrap: Keeper
  readonly #watch: NetworkWatch
  readonly #stopping = new AbortController()

  constructor(components: OutreachComponents, init: OutreachInit) {
    this.#parts = components
    this.#init = init
    this.publicSwarm = this.#makePublicSwarm()
    const isNeeded = (): boolean => (init.dht === 'client' ? this.publicSwarm.isLonely : this.#isAlone())
    this.#peering = this.#keeper(init.peering, () => true)
    this.#bootstrap = this.#keeper(init.bootstrap, isNeeded)
    const changed = (): void => {
      this.#networkChanged()
    }
    this.#watch = new NetworkWatch({ clock: components.clock, changed })
    components.peers.onAny({
      disconnected: peer => {
        for (const keeper of [this.#peering, this.#bootstrap]) keeper.disconnected(peer)
      }
    })
  }

  /** To be called when the host listens. */
  start(): void {
    void this.#peering.start()
    this.publicSwarm.start()
    this.#watch.start()
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new DOMException('the host stops', 'AbortError'))
    this.#watch.stop()
    for (const keeper of [this.#peering, this.#bootstrap]) keeper.stop()
    await this.publicSwarm.stop()
  }

  /** What mDNS found. Failures are ordinary: half of what answers on a LAN has left it. */
  found({ id, multiaddrs }: PeerInfo): void {
    const { peers, libp2p, dialler, log } = this.#parts
    if (id.equals(libp2p.peerId)) {
      const own = this.#parts.addresses().map(withoutPeer)
      if (multiaddrs.some(address => !own.includes(withoutPeer(address)))) this.#init.onDuplicateIdentity?.()
      return
    }
    if (peers.isConnected(id.toString()) || peers.list().length >= this.#init.maxConnections * MDNS_SHARE) return
    dialler.told(id, multiaddrs, 'local', { signal: this.#stopping.signal }).catch((error: unknown) => {
      log.debug({ err: error }, 'a peer found by mDNS could not be reached')
    })
  }

  #isAlone(): boolean {
    return this.#parts.libp2p.getConnections().length === 0
  }

  /** Peers are told the new addresses, and those who were out of reach may be near now. */
  #networkChanged(): void {
    const { log, libp2p, addresses } = this.#parts
    log.info({ addresses: addresses() }, 'the network of this machine has changed')
    for (const keeper of [this.#peering, this.#bootstrap]) keeper.retry()
    const multiaddrs = libp2p.getMultiaddrs().map(address => address.decapsulate(`/p2p/${libp2p.peerId.toString()}`))
    libp2p.peerStore.patch(libp2p.peerId, { multiaddrs }).catch((error: unknown) => {
      log.debug({ err: error }, 'the own addresses could not be renewed')
    })
  }

  #makePublicSwarm(): PublicSwarm {
    const { clock, log, libp2p, peers, dialler } = this.#parts
    const { publicSwarm = true, dht = 'off', localSwarm = false } = this.#init
    const client = async () => await startDht({ libp2p: libp2p.services.inside.components, log }, { local: localSwarm })
    return new PublicSwarm(
      {
        clock,
        log,
        self: libp2p.peerId.toString(),
        isConnected: peer => peers.isConnected(peer),
        isAlone: () => this.#isAlone(),
        dial: async (peer, addresses, options) => await dialler.told(peer, addresses, 'stranger', options),
        bootstrap: async () => await this.#bootstrap.start(),
        startDht: dht === 'client' ? client : undefined
      },
      { mode: publicSwarm }
    )
  }

  #keeper(addresses: readonly string[], wanted: () => boolean): Keeper {
    const { clock, log, libp2p, peers, dialler } = this.#parts
    return new Keeper(
      {
        clock,
        log,
        isConnected: peer => peers.isConnected(peer),
        dial: async (address, options) => await dialler.named(address, options),
        protect: async peer => {
          await libp2p.peerStore.merge(peerIdFromString(peer), { tags: { 'kith-kept': { value: KEPT_PEER_VALUE } } })
        },
        wanted
      },
      addresses
    )
  }
}
