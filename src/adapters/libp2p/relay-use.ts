/**
 * Being reached through a relay: a node that others cannot dial asks for a place at one or two of the peers it trusts
 * that relay, and asks again when it has lost one. In memory only.
 */
import { RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import type { Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Judgement } from './judgement.ts'
import type { HostServices } from './make-libp2p.ts'
import type { PeerTable } from './peer-table.ts'
import type { Reservations } from './relay-transport.ts'

/** Places asked for: a second one for when the first goes away. */
const RELAYS_MAX = 2
/** After a refusal: whoever refuses does so for a while. */
const ASK_AGAIN: Ms = 60_000

interface RelayUseComponents {
  readonly libp2p: Libp2p<HostServices>
  readonly peers: PeerTable
  readonly judgement: Judgement
  readonly reservations: Reservations
  readonly clock: Clock
  readonly log: Log
}

export interface RelayUseInit {
  /** Whether a place at this peer is wanted now: others cannot dial this host, as far as is known. */
  readonly isWantedAt: (relay: string) => boolean
}

export class RelayUse {
  readonly #parts: RelayUseComponents
  readonly #init: RelayUseInit
  /** Relays that were listened on once: the transport keeps a listener for each, which serves again when a place is. */
  readonly #known = new Set<string>()
  /** Peers asked lately, until when they are left alone; those that agreed are in the reservations. */
  readonly #asked = new Map<string, Ms>()
  #stopListening: (() => void)[] = []
  #cancelRetry: () => void = () => {}
  #asking: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(components: RelayUseComponents, init: RelayUseInit) {
    this.#parts = components
    this.#init = init
  }

  /** To be called when the host runs. */
  start(): void {
    const look = (): void => this.#look()
    const { peers, judgement, libp2p } = this.#parts
    libp2p.addEventListener('peer:update', look)
    this.#stopListening = [
      peers.onAny({
        connected: peer => {
          // What it said before it left says nothing now.
          this.#asked.delete(peer)
          look()
        },
        disconnected: look
      }),
      judgement.onChange(look),
      () => libp2p.removeEventListener('peer:update', look)
    ]
    look()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelRetry()
    for (const stop of this.#stopListening) stop()
    await this.#asking
  }

  /** Peers at which this node can be reached. */
  relays(): string[] {
    return [...this.#known].filter(peer => this.#parts.reservations.has(peerIdFromString(peer)))
  }

  #look(): void {
    this.#asking = this.#asking.then(async () => await this.#reserve())
  }

  /** One at a time: whoever is asked may make the next needless. */
  async #reserve(): Promise<void> {
    for (;;) {
      if (this.#stopped || this.relays().length >= RELAYS_MAX) return
      const candidate = this.#candidate()
      if (candidate === undefined) return
      await this.#ask(candidate)
    }
  }

  #candidate(): string | undefined {
    const { peers, judgement, reservations, clock } = this.#parts
    const now = clock.monotonic()
    return peers
      .list()
      .find(
        ({ peer, protocols, relayed }) =>
          !relayed &&
          protocols.includes(RELAY_V2_HOP_CODEC) &&
          judgement.isTrusted(peer) &&
          this.#init.isWantedAt(peer) &&
          !reservations.has(peerIdFromString(peer)) &&
          (this.#asked.get(peer) ?? 0) <= now
      )?.peer
  }

  async #ask(peer: string): Promise<void> {
    const { libp2p, reservations, clock, log } = this.#parts
    this.#asked.delete(peer)
    try {
      if (this.#known.has(peer)) await reservations.renew(peerIdFromString(peer))
      else await libp2p.services.inside.components.transportManager.listen([multiaddr(`/p2p/${peer}/p2p-circuit`)])
      this.#known.add(peer)
      log.info({ relay: peer }, 'this node can be reached through a relay now')
    } catch (error) {
      log.debug({ err: error, relay: peer }, 'a trusted peer does not relay for this node')
      this.#asked.set(peer, clock.monotonic() + ASK_AGAIN)
      this.#cancelRetry()
      this.#cancelRetry = clock.after(ASK_AGAIN, () => this.#look())
    }
  }
}
